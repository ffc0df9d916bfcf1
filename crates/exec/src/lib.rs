//! Processes: spawning, sessions as living shells, the journal of their output.
