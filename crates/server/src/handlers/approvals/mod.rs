//! Questions that wait for a person, and yeses that hold for longer than one run.
//!
//! Everybody whom this server knows may see and answer them; who may say yes, the policy says.

pub(crate) mod approve;
pub(crate) mod deny;
pub(crate) mod grants;
pub(crate) mod list;
pub(crate) mod preview;
pub(crate) mod show;
