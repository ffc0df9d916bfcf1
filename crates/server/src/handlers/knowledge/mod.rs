//! What is known about commands.

pub(crate) mod registry;
