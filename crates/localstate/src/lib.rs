//! The user's machine: directories, atomic private files, locks.
