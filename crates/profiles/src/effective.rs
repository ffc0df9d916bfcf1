//! The effective profile: what an organization, teams and a person say, one over the other.
//!
//! `CLAUDE.md` is theirs in a row; JSON files are merged by key; of any other file the innermost
//! counts. Each part is told where it comes from. The files as they are got and sent are a
//! [view](crate::view).

use crate::error::Error;
use crate::lays::{by_path, concatenate, paths_of, texts_of};
use crate::limits::{FILE_MAX, TEAMS_MAX};
use crate::merge;
use crate::owner::{Layer, Owner};
use crate::path::is_json;
use crate::profiles::{Profiles, Shared, error_too_large};
use crate::tree::File;

/// Whose layers an effective profile has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layers(Vec<Owner>);

impl Layers {
    /// The layers of `owners`, which are put in their order: organization, teams as they are given,
    /// user.
    ///
    /// # Errors
    /// [`Error::TooMany`] for more than [`TEAMS_MAX`] teams, or two organizations or users.
    pub fn new(mut owners: Vec<Owner>) -> Result<Self, Error> {
        owners.sort_by_key(Owner::layer);
        for (layer, what, limit) in [
            (Layer::Organization, "organizations", 1),
            (Layer::Team, "teams", TEAMS_MAX),
            (Layer::User, "users", 1),
        ] {
            if owners.iter().filter(|owner| owner.layer() == layer).count() > limit {
                return Err(Error::TooMany { what, limit });
            }
        }
        Ok(Self(owners))
    }

    /// The owners, the outermost first.
    #[must_use]
    pub fn owners(&self) -> &[Owner] {
        &self.0
    }

    /// The innermost owner, and those around it.
    pub(crate) fn split(&self) -> Option<(&Owner, &[Owner])> {
        self.0.split_last()
    }
}

/// Where a part comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whose profile.
    pub owner: Owner,
    /// Which version of it.
    pub version: String,
}

/// A part of the effective `CLAUDE.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it comes from.
    pub origin: Origin,
    /// Its first line, counted from 1.
    pub first_line: usize,
    /// Its last line.
    pub last_line: usize,
}

/// One file of an effective profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveFile {
    /// The file.
    pub file: File,
    /// Where it comes from; more than one where layers were put together, the outermost first.
    pub origins: Vec<Origin>,
}

/// The text that applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Changes whenever a layer does; for an `ETag`.
    pub version: String,
    /// `CLAUDE.md`.
    pub content: String,
    /// Where its parts come from.
    pub parts: Vec<Part>,
}

impl Effective {
    /// Whether the organization's content is in `content`.
    #[must_use]
    pub fn org_applied(&self) -> bool {
        self.applied(Layer::Organization)
    }

    /// Whether a team's content is in `content`.
    #[must_use]
    pub fn team_applied(&self) -> bool {
        self.applied(Layer::Team)
    }

    /// Whether the person's own content is in `content`.
    #[must_use]
    pub fn user_applied(&self) -> bool {
        self.applied(Layer::User)
    }

    fn applied(&self, layer: Layer) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| part.origin.owner.layer() == layer)
    }
}

impl Profiles {
    /// The text of these layers. No other file is looked at.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it is past the bound of a file; when a repository cannot be read.
    pub async fn effective(&self, layers: &Layers) -> Result<Effective, Error> {
        let layers = layers.clone();
        let read = move |shared: &Shared| {
            let stack = shared.stack(layers.owners())?;
            let texts = stack.layers.iter().map(|(origin, it)| (origin, it.text()));
            if texts.clone().map(|(_, text)| text.len()).sum::<usize>() > FILE_MAX {
                return Err(error_too_large("CLAUDE.md of all layers", FILE_MAX));
            }
            let (content, parts) = concatenate(texts);
            Ok(Effective {
                version: stack.key,
                content,
                parts,
            })
        };
        self.read(read).await
    }

    /// Where the values of a JSON file that these layers are merged into come from: JSON pointers
    /// (RFC 6901), [`ORIGINS_MAX`](crate::limits::ORIGINS_MAX) at the most. Empty for any other
    /// file.
    ///
    /// # Errors
    /// When a repository cannot be read.
    pub async fn effective_keys(
        &self,
        layers: &Layers,
        path: &str,
    ) -> Result<Vec<(String, Origin)>, Error> {
        let (layers, path) = (layers.clone(), path.to_owned());
        let read = move |shared: &Shared| {
            let mut lays = shared.open(shared.stack(layers.owners())?)?;
            let holders = by_path(&paths_of(&lays)).remove(path.as_str());
            let holders = holders.filter(|it| it.len() > 1 && is_json(&path));
            let holders = holders.unwrap_or_default();
            let texts = texts_of(&mut lays, &holders)?;
            let keys = merge::origins(&texts).unwrap_or_default().into_iter();
            let origin = |layer: usize| {
                let (lay, _) = holders.get(layer)?;
                lays.get(*lay).map(|lay| lay.origin.clone())
            };
            let told = keys.filter_map(|(key, layer)| Some((key, origin(layer)?)));
            Ok(told.collect())
        };
        self.read(read).await
    }
}
