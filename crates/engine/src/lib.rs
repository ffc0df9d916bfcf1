//! Use cases: runs, sessions, processes, confirmations and the record of all of it.
