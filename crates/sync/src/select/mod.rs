//! What of an agent's directory is the profile.
//!
//! Everything else stays where it is and is named with the reason, so that nobody wonders. Files
//! are read without waiting and without following links out of the allowed directories; a file
//! that cannot be read is told as unreadable and never taken for deleted. A file whose size, times
//! and inode are those of the last run is not read ([`Cache`]).

mod cache;
mod table;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

pub use cache::Cache;
pub use table::{belongs, is_secret};

use crate::apply::{Bounds, MemberPlace};
use crate::profile::{Digest, InvalidManifest, Manifest, ProfilePath, Reason};

/// The most files and directories that are looked at.
pub const LOOKED_AT_MAX: usize = 100_000;

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The agent's directory, such as `~/.claude`.
    pub root: &'a Path,
    /// Paths that are members of JSON files elsewhere.
    pub members: &'a [MemberPlace],
    /// Directories besides the root that links may lead into.
    pub within: &'a [PathBuf],
    /// The time, in nanoseconds since 1970.
    pub now_ns: i128,
}

/// What is the profile here.
#[derive(Debug, Default)]
pub struct Selection {
    /// Its files.
    pub manifest: Manifest,
    /// What is beside it, by path.
    pub left_out: Vec<LeftOut>,
    /// Files and directories that may be part of it and could not be read; see
    /// [`Selection::unreadable`] for what a plan needs.
    pub unreadable: BTreeSet<String>,
    /// Whether the file system takes `A` and `a` for one file.
    pub ignores_case: bool,
    /// How many files had to be read.
    pub read: usize,
    /// Links that lead to nothing.
    dangling: BTreeSet<String>,
    places: BTreeMap<ProfilePath, Place>,
}

/// Where a file's content is.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Member(String),
}

/// Something that does not travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path below the agent's directory, shown harmlessly.
    pub path: String,
    /// Why.
    pub why: Why,
}

/// Why something does not travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Logins and keys.
    #[error("it holds credentials")]
    Credentials,
    /// What was said and done.
    #[error("it is history of this machine")]
    History,
    /// What is made again when it is gone.
    #[error("it is a cache")]
    Cache,
    /// Logs.
    #[error("it is a log")]
    Log,
    /// What holds for this machine only.
    #[error("it is for this machine only")]
    ThisMachine,
    /// What a package tool put there.
    #[error("it is installed by other tools")]
    Installed,
    /// The inside of a repository.
    #[error("it belongs to version control")]
    Repository,
    /// An editor's own file.
    #[error("it belongs to an editor")]
    Editor,
    /// Nothing that a profile has.
    #[error("it is not part of a profile")]
    Foreign,
    /// A directory with the name of a profile's file, or a file with that of a directory.
    #[error("a profile has a file of that name where this is a directory, or the reverse")]
    OtherKind,
    /// A link that leads to itself, or to a directory that it is in.
    #[error("the link leads in a circle")]
    Circle,
    /// A link to nothing.
    #[error("the link leads to nothing")]
    Dangling,
    /// A link out of the allowed directories.
    #[error("the link leads outside of what is synced")]
    Outside,
    /// A pipe, a socket, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// It cannot be opened.
    #[error("it cannot be read ({0})")]
    Unreadable(io::ErrorKind),
    /// The JSON file that it is a member of is none, from this line on.
    #[error("the file that holds it is no JSON (line {0})")]
    NotJson(usize),
    /// Larger than a profile's file may be.
    #[error("it is larger than {} bytes", crate::profile::FILE_BYTES_MAX)]
    TooLarge,
    /// A name that a profile cannot have.
    #[error("{0}")]
    Name(Reason),
}

impl Why {
    /// Whether it may be part of the profile, so that somebody should know.
    #[must_use]
    pub fn is_trouble(self) -> bool {
        matches!(
            self,
            Self::Circle
                | Self::Dangling
                | Self::OtherKind
                | Self::Outside
                | Self::NotAFile
                | Self::Unreadable(_)
                | Self::NotJson(_)
                | Self::TooLarge
                | Self::Name(_)
        )
    }
}

/// Why a directory cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("reading {}: {source}", .path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that was selected is another by now.
    #[error("`{path}` changed while it was looked at")]
    Changed {
        /// Which file.
        path: ProfilePath,
    },
    /// More than [`LOOKED_AT_MAX`].
    #[error("{} has more than {LOOKED_AT_MAX} files", .path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
    /// Over a bound of profiles.
    #[error(transparent)]
    Manifest(#[from] InvalidManifest),
    /// The allowed directories cannot be looked at.
    #[error(transparent)]
    Bounds(#[from] crate::apply::Error),
}

/// Looks at an agent's directory. One that is not there is an empty profile.
///
/// # Errors
/// When the directory itself cannot be read, or holds more than a profile may.
pub fn select(source: Source<'_>, cache: &mut Cache) -> Result<Selection, Error> {
    let bounds = Bounds::of(source.root, source.within)?;
    let mut walk = walk::Walk::new(source, &bounds, cache);
    walk.top()?;
    walk.members();
    walk.finish()
}

impl Selection {
    /// What cannot be told to be deleted, for [`crate::plan::Options::unreadable`]: what could not be
    /// read, and links that lead to nothing where something of the base was. A disk that is not
    /// mounted leaves such a link, and so does a directory of dotfiles that is being replaced.
    #[must_use]
    pub fn unreadable(&self, base: &Manifest) -> BTreeSet<String> {
        let had = |link: &&String| base.iter().any(|(path, _)| path.is_under(link));
        let dangling = self.dangling.iter().filter(had).cloned();
        dangling.chain(self.unreadable.iter().cloned()).collect()
    }

    /// The content of a selected file.
    ///
    /// # Errors
    /// When it is not what was selected any more.
    pub fn content(&self, path: &ProfilePath) -> Result<Vec<u8>, Error> {
        let changed = || Error::Changed { path: path.clone() };
        let bytes = match self.places.get(path).ok_or_else(changed)? {
            Place::Member(content) => content.clone().into_bytes(),
            Place::File(file) => {
                let found = crate::apply::read_file(file).map_err(|source| Error::Read {
                    path: file.clone(),
                    source,
                })?;
                found.ok_or_else(changed)?
            }
        };
        let entry = self.manifest.get(path).ok_or_else(changed)?;
        if Digest::of(&bytes) == entry.sha256 {
            return Ok(bytes);
        }
        Err(changed())
    }
}

#[cfg(test)]
mod tests;
