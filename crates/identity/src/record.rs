//! What is written into the audit log of accounts.

use serde::Serialize;
use wharf_model::Caller;
use wharf_store::audit::event::By;

use crate::Error;
use crate::identity::Inner;
use crate::text::{address_of, device_of};
use crate::views::Peer;

/// What an entry says. Nothing here is a secret or may hold one: an address that nobody has an
/// account under is left out as well, since people type passwords into the wrong field.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Note<'a> {
    /// Who does it.
    #[serde(flatten)]
    pub(crate) by: By<'a>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    /// What the client calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<String>,
    /// The account that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<&'a str>,
    /// The organization that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<&'a str>,
    /// Whose agent configuration it is about: `org/ID`, `team/ID` or `user/ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// The agent that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<&'a str>,
    /// The id of what it is about: a login, a key, an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    /// The role that is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'a str>,
    /// The scopes that are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<String>,
    /// Anything else, in a word or two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<&'a str>,
}

impl<'a> Note<'a> {
    /// Of something that a caller does.
    pub(crate) fn by(caller: &'a Caller) -> Self {
        Self {
            by: By::caller(caller),
            ..Self::default()
        }
    }

    /// Of something that comes from somewhere.
    pub(crate) fn from(peer: &Peer) -> Self {
        Self {
            address: Some(address_of(peer)),
            device: Some(device_of(peer)),
            ..Self::default()
        }
    }
}

impl Inner {
    /// Writes an entry; what cannot be recorded is not done.
    pub(crate) fn record(&self, kind: &str, note: &Note<'_>) -> Result<(), Error> {
        self.parts.audit.append(kind, self.now_ms(), note)?;
        Ok(())
    }
}
