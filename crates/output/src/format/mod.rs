//! The form of an output, found by looking at it.
