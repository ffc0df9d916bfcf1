//! Files of this machine and of hosts.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod put;
