//! Which upstream a profile has, kept beside its repository.
//!
//! ```text
//! PROFILES/LAYER/ID.upstream.json          all of it; there is none without
//! PROFILES/LAYER/ID.upstream-GEN.key       the private key for SSH
//! PROFILES/LAYER/ID.upstream-GEN.hosts     the keys of hosts that are known
//! ```
//!
//! The first file names the other two, which `ssh` has to find as files. It is replaced in one step
//! when they are on the disk, so that there is always the upstream before or the one after. The id
//! of a webhook names the profile that it is for: it is found without a list of all of them.

use std::path::PathBuf;

use wharf_model::{Entropy, Secret, Timestamp};

use super::draft::{Draft, Made};
use super::store::{Place, Stored, StoredAccess};
use super::{Access, Address, Branch, Upstream, folder};
use crate::error::{self, Error};
use crate::limits::UPSTREAM_DETAIL_MAX;
use crate::owner::{Layer, Owner};
use crate::profiles::{Profiles, Shared};

/// The upstream of a profile.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose profile.
    pub owner: Owner,
    /// Where it is.
    pub address: Address,
    /// The branch that is followed.
    pub branch: Branch,
    /// What opens it.
    pub opens: Opens,
    /// New versions are sent there at once.
    pub push: bool,
    /// The last part of the address that its webhook is sent to.
    pub webhook_id: String,
    /// What signs its webhook's messages.
    pub webhook_secret: Secret,
    /// How the last conversation ended.
    pub last: Option<Last>,
}

/// What opens an upstream.
#[derive(Clone, Debug)]
pub enum Opens {
    /// Nothing: everybody may.
    Open,
    /// A name and a token, for HTTPS.
    Token {
        /// The name.
        user: String,
        /// The token.
        token: Secret,
    },
    /// A key that was made here, for SSH.
    Key {
        /// Its public half, which has to be let in there: a line of `authorized_keys`.
        public: String,
        /// The file of the private half.
        key: PathBuf,
        /// The file of the hosts whose keys are known.
        known_hosts: PathBuf,
    },
}

impl Opens {
    /// As it is written on the wire.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Token { .. } => "token",
            Self::Key { .. } => "key",
        }
    }
}

/// How a conversation with an upstream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Neither side had anything for the other.
    Unchanged,
    /// What they had is here now.
    Pulled,
    /// What was here is there now.
    Pushed,
    /// Both sides have versions of their own; nothing was done.
    Diverged,
    /// It came to nothing.
    Failed,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Unchanged,
        Self::Pulled,
        Self::Pushed,
        Self::Diverged,
        Self::Failed,
    ];

    /// As it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Pulled => "pulled",
            Self::Pushed => "pushed",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// The last conversation with an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// How it ended.
    pub outcome: Outcome,
    /// The newest version of the profile afterwards; empty where there is none.
    pub commit: String,
    /// Why it failed, or which files both sides changed.
    pub detail: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Settings {
    /// What [`Profiles::pull`] and [`Profiles::push`] speak with.
    #[must_use]
    pub fn upstream(&self) -> Upstream {
        let access = match &self.opens {
            Opens::Open => Access::Open,
            Opens::Token { user, token } => Access::Token {
                user: user.clone(),
                token: token.clone(),
            },
            Opens::Key {
                key, known_hosts, ..
            } => Access::Key {
                key: key.clone(),
                known_hosts: known_hosts.clone(),
            },
        };
        Upstream {
            address: self.address.clone(),
            branch: self.branch.clone(),
            access,
        }
    }
}

/// An upstream that was set.
#[derive(Clone, Debug)]
pub struct SetUpstream {
    /// The upstream.
    pub settings: Settings,
    /// Its webhook was made now: this is when its secret is told.
    pub webhook_is_new: bool,
}

impl Profiles {
    /// The upstream of a profile, if it has one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn upstream(&self, owner: &Owner) -> Result<Option<Settings>, Error> {
        let owner = owner.clone();
        let read = move |shared: &Shared| Place::of(&shared.root, &owner).read();
        self.read(read).await
    }

    /// The upstream whose webhook has this id. Whether a message is really from there, its
    /// signature says ([`webhook::is_genuine`](super::webhook::is_genuine)).
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn upstream_of_webhook(&self, id: &str) -> Result<Option<Settings>, Error> {
        let Some(owner) = owner_of(id) else {
            return Ok(None);
        };
        let found = self.upstream(&owner).await?;
        Ok(found.filter(|settings| settings.webhook_id == id))
    }

    /// Gives a profile an upstream, in place of the one that it has.
    ///
    /// A token or known hosts that the draft leaves out stay while the address is the same; so does
    /// the key for SSH, which is made where there is none, and the webhook, which is another for
    /// another address: who looks after the one before it knows its secret.
    ///
    /// # Errors
    /// [`UpstreamError::Access`](super::UpstreamError::Access) when what opens it does not fit the
    /// address or is not one, [`UpstreamError::Address`](super::UpstreamError::Address) when it is
    /// where the profiles are; when the disk does not take it.
    pub async fn set_upstream(
        &self,
        owner: &Owner,
        draft: Draft,
        entropy: &dyn Entropy,
    ) -> Result<SetUpstream, Error> {
        let made = Made::new(entropy);
        let queue = owner.clone();
        let owner = owner.clone();
        let write = move |shared: &Shared| {
            folder::check(&draft.address, &shared.root)?;
            let repository = shared.repository(&owner);
            let _locked = repository.lock()?;
            let place = Place::of(&shared.root, &owner);
            let before = place.read_stored()?;
            let webhook = before.as_ref().map(|before| before.webhook_id.clone());
            let (stored, files) = draft.onto(before, &owner, &place, &made)?;
            place.write(&stored, files.as_ref())?;
            Ok(SetUpstream {
                webhook_is_new: webhook.as_ref() != Some(&stored.webhook_id),
                settings: place.settings(stored)?,
            })
        };
        self.write(&queue, write).await
    }

    /// Takes the upstream of a profile away, its key and webhook too. Whether there was one.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn remove_upstream(&self, owner: &Owner) -> Result<bool, Error> {
        let queue = owner.clone();
        let owner = owner.clone();
        let write = move |shared: &Shared| {
            let place = Place::of(&shared.root, &owner);
            if !place.is_there()? {
                return Ok(false);
            }
            let repository = shared.repository(&owner);
            let _locked = repository.lock()?;
            place.remove()
        };
        self.write(&queue, write).await
    }

    /// Writes down how a conversation with an upstream ended, if it is still the profile's. A
    /// detail longer than [`UPSTREAM_DETAIL_MAX`] is cut.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn note_upstream(
        &self,
        settings: &Settings,
        outcome: Outcome,
        detail: Option<&str>,
    ) -> Result<Last, Error> {
        let owner = settings.owner.clone();
        let spoken_with = settings.clone();
        let detail = detail.map(|text| {
            let end = text.floor_char_boundary(UPSTREAM_DETAIL_MAX.min(text.len()));
            text.get(..end).unwrap_or_default().to_owned()
        });
        let queue = owner.clone();
        let write = move |shared: &Shared| {
            let repository = shared.repository(&owner);
            let head = repository.head()?;
            let last = Last {
                outcome,
                commit: head.map(|id| id.to_string()).unwrap_or_default(),
                detail,
                at: shared.clock.now(),
            };
            let _locked = repository.lock()?;
            let place = Place::of(&shared.root, &owner);
            if let Some(mut stored) = place.read_stored()?
                && stored.is_for(&spoken_with)
            {
                stored.last = Some((&last).into());
                place.write_settings(&stored)?;
            }
            Ok(last)
        };
        self.write(&queue, write).await
    }
}

/// `LAYER.ID.RANDOM`: there is no dot in any of them.
pub(super) fn webhook_id(owner: &Owner, random: &str) -> String {
    format!("{}.{}.{random}", owner.layer(), owner.id())
}

fn owner_of(webhook_id: &str) -> Option<Owner> {
    let mut parts = webhook_id.splitn(3, '.');
    let layer = Layer::parse(parts.next()?)?;
    let owner = Owner::new(layer, parts.next()?).ok()?;
    parts.next()?;
    Some(owner)
}

impl Stored {
    /// Whether these are still the settings that somebody has spoken with.
    fn is_for(&self, settings: &Settings) -> bool {
        self.webhook_id == settings.webhook_id
            && self.url == settings.address.as_str()
            && self.branch == settings.branch.as_str()
    }
}

impl Place {
    fn read(&self) -> Result<Option<Settings>, Error> {
        let stored = self.read_stored()?;
        stored.map(|stored| self.settings(stored)).transpose()
    }

    fn settings(&self, stored: Stored) -> Result<Settings, Error> {
        let damaged = || error::git("read the upstream of a profile");
        // Whether folders are allowed is asked when one is set.
        let allowed = super::Protocols { file: true };
        let address = Address::parse(&stored.url, allowed);
        let branch = Branch::parse(&stored.branch);
        let opens = match stored.access {
            StoredAccess::Open => Opens::Open,
            StoredAccess::Token { user, token } => Opens::Token {
                user,
                token: Secret::new(token),
            },
            StoredAccess::Key { files, public } => Opens::Key {
                key: self.key(&files),
                known_hosts: self.known_hosts(&files),
                public,
            },
        };
        Ok(Settings {
            owner: self.owner.clone(),
            address: address.map_err(damaged())?,
            branch: branch.map_err(damaged())?,
            opens,
            push: stored.push,
            webhook_id: stored.webhook_id,
            webhook_secret: Secret::new(stored.webhook_secret),
            last: stored.last.and_then(|last| last.read()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_webhook_names_its_profile() {
        let owner = Owner::team("team_a-1").unwrap();
        let id = webhook_id(&owner, "00ff");
        assert_eq!(id, "team.team_a-1.00ff");
        assert_eq!(owner_of(&id), Some(owner));
        for none in [
            "",
            "team",
            "team.a",
            "host.a.00",
            "team..00",
            "team./x.00",
            "...",
        ] {
            assert_eq!(owner_of(none), None, "{none}");
        }
    }
}
