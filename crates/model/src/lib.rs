//! Ids, callers, targets, secrets and the clock: the words every other crate uses.
