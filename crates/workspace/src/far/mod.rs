//! The far side: where the workspace is there, and what is known of it.
//!
//! Beside the workspace, not in it, the far side has a directory of state with
//!
//! - `token`: the name of what both agreed on last;
//! - `listing`: what `find` said of the workspace then, with times, sizes and numbers;
//! - `now.N`: what it said at the last look, which is the only one that is acted upon;
//! - `stage`: what a push that was cut has left;
//! - `lock`: the process that changes all this, as long as it does.
//!
//! A look at the far side lists the workspace and compares the two listings *there*, so that one
//! exchange of a few bytes says that nothing has changed.

mod ask;
mod listing;
mod words;

use std::collections::BTreeMap;

use crate::manifest::{Entry, What};
use crate::path::RelPath;

pub use ask::{Far, ask};
pub(crate) use ask::{Run, differences, finish, last, line, read_all, run};
pub(crate) use listing::parse;
pub(crate) use words::{APART, BUSY, END, GUARD, LIST, Spelt, head, spell};

/// Where the workspace is on the far side, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarPlace {
    /// The directory, absolute: `/home/user/workspace`.
    pub dir: String,
    /// The directory of state, absolute, on the same file system and not in `dir`.
    pub state: String,
    /// Who owns what arrives, if whoever connects may say so.
    pub owner: Option<Owner>,
    /// Directories that are not looked into, relative to `dir`: large, and nobody's work.
    pub unseen: Vec<RelPath>,
}

/// Who owns what arrives. Names count where the far side knows them, else numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub user: String,
    /// Its group.
    pub group: String,
    /// Its number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl FarPlace {
    /// The place that the contract of sandboxes names.
    #[must_use]
    pub fn sandbox() -> Self {
        Self {
            dir: "/home/user/workspace".to_owned(),
            state: "/home/user/.wharf-workspace".to_owned(),
            owner: Some(Owner {
                user: "user".to_owned(),
                group: "user".to_owned(),
                uid: 1000,
                gid: 1000,
            }),
            unseen: Vec::new(),
        }
    }
}

/// What kind of thing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarKind {
    /// A directory.
    Dir,
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Special,
}

/// Something on the far side, as its listing says. Nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarEntry {
    /// What.
    pub kind: FarKind,
    /// The nine bits of permissions.
    pub mode: u32,
    /// Bytes of a file or of a link's target.
    pub size: u64,
    /// When it was last changed, in seconds since 1970.
    pub mtime: i64,
    /// What changes when anything about it does.
    pub(crate) stamp: Box<[u8]>,
}

impl FarEntry {
    /// Whether it is, by kind, size, time and permissions, what is here. Times come along when
    /// something is sent, so that two files that differ have to agree in all of them by accident.
    #[must_use]
    pub fn looks_like(&self, entry: &Entry) -> bool {
        match &entry.what {
            What::Dir => self.kind == FarKind::Dir && self.mode == entry.mode,
            What::File { size, .. } => {
                self.kind == FarKind::File
                    && self.size == *size
                    && self.mtime == entry.mtime()
                    && self.mode == entry.mode
            }
            What::Link { target } => {
                self.kind == FarKind::Link
                    && self.size == target.len() as u64
                    && self.mtime == entry.mtime()
            }
        }
    }

    /// The same for what was just sent: not every `tar` sets the times of links.
    pub(crate) fn is_as_sent(&self, entry: &Entry) -> bool {
        match &entry.what {
            What::Link { target } => self.kind == FarKind::Link && self.size == target.len() as u64,
            What::Dir | What::File { .. } => self.looks_like(entry),
        }
    }
}

/// The far side beside what both agreed on: what changed there since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FarView {
    changes: BTreeMap<RelPath, Option<FarEntry>>,
}

impl FarView {
    /// Of changes: what is there now, or nothing where it is gone.
    #[must_use]
    pub fn from_changes(changes: impl IntoIterator<Item = (RelPath, Option<FarEntry>)>) -> Self {
        Self {
            changes: changes.into_iter().collect(),
        }
    }

    /// What became of a path: nothing, if it is as both agreed.
    #[must_use]
    pub fn change(&self, path: &[u8]) -> Option<Option<&FarEntry>> {
        self.changes.get(path).map(Option::as_ref)
    }

    /// All that changed, in the order of paths.
    pub fn changes(&self) -> impl Iterator<Item = (&RelPath, Option<&FarEntry>)> {
        self.changes
            .iter()
            .map(|(path, entry)| (path, entry.as_ref()))
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
