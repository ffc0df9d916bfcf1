//! Agents in sandboxes, as if they were here.

pub(crate) mod opencode;
