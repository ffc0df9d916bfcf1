//! Hosts that have a name here.

pub(crate) mod list;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod show;
pub(crate) mod test;
pub(crate) mod trust;

use wharf_model::SshTarget;

use crate::error::Failure;
use crate::extract::id;

/// A name of an entry, or of the SSH configuration. What cannot be either is not there.
fn target(name: &str) -> Result<SshTarget, Failure> {
    SshTarget::parse(name).map_err(|_| id::missing("host", name))
}
