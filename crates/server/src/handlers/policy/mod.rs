//! The owner's policy: what holds, and what another one would change.

pub(crate) mod reload;
pub(crate) mod replay;
pub(crate) mod show;
pub(crate) mod test;
