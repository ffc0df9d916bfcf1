//! What somebody does with agent configuration and is recorded as: which repository a profile
//! follows, and what an organization or a team offers. Versions of profiles are their own record.

use wharf_model::Caller;

use crate::record::Note;
use crate::{Error, Identity, StandingProfile, Whose};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed<'a> {
    /// A profile is given an upstream at this host; none where it is a folder.
    UpstreamSet(Option<&'a str>),
    /// Its upstream is taken away.
    UpstreamRemoved,
    /// Something is offered.
    CatalogAdded(Offer<'a>),
    /// It becomes this.
    CatalogChanged(Offer<'a>),
    /// It is taken back.
    CatalogRemoved(Offer<'a>),
}

/// An item of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Its id, once it has one.
    pub id: Option<&'a str>,
    /// What it is: `skill`, `command` and so on.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl Identity {
    /// Writes down what the caller is about to do with the configuration that `profile` says; what
    /// cannot be recorded is not to be done. What people offer themselves is nobody else's concern
    /// and is not written down.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn record_deed(
        &self,
        caller: &Caller,
        profile: &StandingProfile,
        deed: Deed<'_>,
    ) -> Result<(), Error> {
        let whose = match profile.whose {
            Whose::Organization => "org",
            Whose::Team => "team",
            Whose::Person => "user",
        };
        let (kind, offer, detail) = match deed {
            Deed::UpstreamSet(host) => ("upstream.set", None, host),
            Deed::UpstreamRemoved => ("upstream.removed", None, None),
            Deed::CatalogAdded(offer) => ("catalog.added", Some(offer), Some(offer.kind)),
            Deed::CatalogChanged(offer) => ("catalog.changed", Some(offer), Some(offer.kind)),
            Deed::CatalogRemoved(offer) => ("catalog.removed", Some(offer), Some(offer.kind)),
        };
        if offer.is_some() && profile.whose == Whose::Person {
            return Ok(());
        }
        let note = Note {
            profile: Some(format!("{whose}/{}", profile.id)),
            id: offer.and_then(|offer| offer.id),
            name: offer.map(|offer| offer.name),
            detail,
            ..Note::by(caller)
        };
        self.inner.record(kind, &note)
    }
}
