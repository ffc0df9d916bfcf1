//! Questions that wait for a person, and yeses that hold for longer than one run.
//!
//! They are seen by whoever asked, the person whom an agent acts for, those who look after the
//! organization, and those who look after the server; who of them may say yes, the policy says.

pub(crate) mod approve;
pub(crate) mod deny;
pub(crate) mod grants;
pub(crate) mod list;
pub(crate) mod preview;
pub(crate) mod show;
