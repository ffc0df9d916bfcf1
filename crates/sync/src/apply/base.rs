//! What both sides agreed on last, kept in the client's state directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{Disk, Move, remove_if_there, write_new};
use super::error::Error;
use super::{Ground, locate};
use crate::profile::{Digest, Manifest, ProfilePath};

const FILE: &str = "base.json";
/// The next base, staged. It becomes [`FILE`] by a rename, which needs no room.
const NEXT: &str = "base.next";
const MODE: u32 = 0o600;

/// What both sides agreed on last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The server's name of that version, such as a commit.
    #[serde(default)]
    pub version: String,
    /// The files.
    pub manifest: Manifest,
    /// Files that are written here in another form than they have there: the digest of the form
    /// here. A member of a JSON file is printed in our form, whatever the form there.
    #[serde(default)]
    pub forms: BTreeMap<ProfilePath, Digest>,
    /// Directories that we made, which go when they are empty.
    #[serde(default)]
    pub dirs: BTreeSet<PathBuf>,
}

impl Base {
    /// What is here, told in the words of the base: a file whose form is the one that we wrote for
    /// an agreed content counts as that content.
    #[must_use]
    pub fn seen(&self, local: &Manifest) -> Manifest {
        let mut seen = local.clone();
        for (path, form) in &self.forms {
            if let (Some(here), Some(agreed)) = (local.get(path), self.manifest.get(path))
                && here.sha256 == *form
            {
                seen.set(path.clone(), Some(*agreed));
            }
        }
        seen
    }

    /// The next base after an apply or a push: another version and manifest. A form was that of one
    /// agreed content and says nothing about another.
    #[must_use]
    pub fn next(&self, version: &str, manifest: Manifest) -> Self {
        let mut forms = self.forms.clone();
        forms.retain(|path, _| self.manifest.get(path) == manifest.get(path));
        Self {
            version: version.to_owned(),
            manifest,
            forms,
            dirs: self.dirs.clone(),
        }
    }

    /// What a state directory has, without its lock: to be shown, and not to be planned from.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn peek(state: &Path) -> Result<Self, Error> {
        Self::load(state)
    }

    pub(super) fn load(state: &Path) -> Result<Self, Error> {
        Self::read(state.join(FILE))
    }

    pub(super) fn load_staged(state: &Path) -> Result<Self, Error> {
        Self::read(state.join(NEXT))
    }

    fn read(path: PathBuf) -> Result<Self, Error> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if locate::is_absent(&error) => return Ok(Self::default()),
            Err(error) => return Err(Error::io("reading", &path)(error)),
        };
        serde_json::from_slice(&text).map_err(|error| Error::damaged(&path, error))
    }

    /// Writes `next` beside the base.
    pub(super) fn stage(state: &Path, disk: &impl Disk, next: &Self) -> Result<(), Error> {
        let path = state.join(NEXT);
        let text = serde_json::to_vec(next).map_err(|error| Error::damaged(&path, error))?;
        let step = || {
            remove_if_there(disk, &path)?;
            write_new(disk, &path, MODE, &text)
        };
        step().map_err(Error::io("writing", &path))
    }

    pub(super) fn is_staged(state: &Path) -> bool {
        state.join(NEXT).exists()
    }

    /// Makes the staged base the base.
    pub(super) fn take(state: &Path, disk: &impl Disk) -> Result<(), Error> {
        let (next, path) = (state.join(NEXT), state.join(FILE));
        let moved = disk.rename(&next, &path, Move::Over);
        moved.map_err(Error::io("writing", &path))
    }

    pub(super) fn drop_staged(state: &Path, disk: &impl Disk) -> Result<(), Error> {
        let path = state.join(NEXT);
        remove_if_there(disk, &path).map_err(Error::io("removing", &path))
    }

    pub(super) fn save(&self, ground: &Ground, disk: &impl Disk, next: &Self) -> Result<(), Error> {
        Self::stage(&ground.state, disk, next)?;
        Self::take(&ground.state, disk)?;
        disk.sync_dir(&ground.state)
            .map_err(Error::io("writing", &ground.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Entry;

    #[test]
    fn a_form_goes_with_the_content_that_it_was_of() {
        let path = ProfilePath::parse("mcp.json").unwrap();
        let (there, here) = (Entry::of(b"{ }", false), Entry::of(b"{}", false));
        let agreed = |entry| Manifest::from_entries([(path.clone(), entry)]).unwrap();
        let base = Base {
            manifest: agreed(there),
            forms: BTreeMap::from([(path.clone(), here.sha256)]),
            ..Base::default()
        };
        assert_eq!(base.seen(&agreed(here)), agreed(there));
        let same = base.next("2", agreed(there));
        assert_eq!(same.seen(&agreed(here)), agreed(there));
        // Sent in another form since: the one from before is an edit again.
        let sent = base.next("3", agreed(Entry::of(b"{1}", false)));
        assert_eq!(sent.seen(&agreed(here)), agreed(here));
    }
}
