//! The journal of an operation, which becomes its record.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::locate;
use crate::profile::{Digest, ProfilePath};

/// The format of journals; another one is not guessed at.
const FORMAT: u32 = 1;
const OPERATIONS: &str = "operations";
const RECORD: &str = "record.json";
const SKIPPED: &str = "skipped.json";

/// How far an operation is, told by the name of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Staging,
    Moving,
    Undoing,
}

impl Phase {
    pub(super) const ALL: [Self; 3] = [Self::Staging, Self::Moving, Self::Undoing];

    pub(super) fn file(self, state: &Path) -> PathBuf {
        state.join(match self {
            Self::Staging => "journal.staging",
            Self::Moving => "journal.moving",
            Self::Undoing => "journal.undoing",
        })
    }
}

/// An operation: all that is needed to go on with it, to take it back, and to undo it later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) format: u32,
    pub(super) number: u64,
    /// Seconds since 1970.
    pub(super) at: i64,
    /// The operation that this one undoes.
    pub(super) undoes: Option<u64>,
    /// Whether another base is staged with it.
    pub(super) rebases: bool,
    pub(super) items: Vec<Item>,
    /// Directories to make, outermost first.
    pub(super) make: Vec<PathBuf>,
    /// Directories to remove once the files are gone, innermost first.
    pub(super) clear: Vec<Clear>,
}

/// A directory that goes when it is empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Clear {
    pub(super) dir: PathBuf,
    pub(super) mode: u32,
    /// A file takes its place.
    pub(super) needed: bool,
}

/// One file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) path: ProfilePath,
    /// The file, behind all links.
    pub(super) file: PathBuf,
    /// Where its new content is staged, and its old one is afterwards.
    pub(super) temp: PathBuf,
    /// The member, if the path is one of a JSON file.
    pub(super) member: Option<String>,
    pub(super) old: Option<Version>,
    pub(super) new: Option<Version>,
    /// The content as the profile knows it, before and after: of a member the member's.
    pub(super) was: Option<Digest>,
    pub(super) is: Option<Digest>,
}

/// A file's content and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) sha256: Digest,
    pub(super) mode: u32,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Create(Version),
    Replace(Version, Version),
    Remove(Version),
    Mode(Version, Version),
}

impl Item {
    pub(super) fn act(&self) -> Option<Act> {
        match (self.old, self.new) {
            (None, Some(new)) => Some(Act::Create(new)),
            (Some(old), Some(new)) if old.sha256 == new.sha256 => Some(Act::Mode(old, new)),
            (Some(old), Some(new)) => Some(Act::Replace(old, new)),
            (Some(old), None) => Some(Act::Remove(old)),
            (None, None) => None,
        }
    }

    /// Whether something is staged beside the file before the move.
    pub(super) fn is_staged(&self) -> bool {
        matches!(self.act(), Some(Act::Create(_) | Act::Replace(..)))
    }

    /// Whether the old content is kept: always, when there is one and it goes.
    pub(super) fn has_backup(&self) -> bool {
        matches!(self.act(), Some(Act::Replace(..) | Act::Remove(_))) && self.was.is_some()
    }
}

impl Journal {
    pub(super) fn new(number: u64, at: i64, undoes: Option<u64>) -> Self {
        Self {
            format: FORMAT,
            number,
            at,
            undoes,
            rebases: false,
            items: Vec::new(),
            make: Vec::new(),
            clear: Vec::new(),
        }
    }

    pub(super) fn text(&self, path: &Path) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self).map_err(|error| Error::damaged(path, error))
    }

    fn read(path: &Path) -> Result<Option<Self>, Error> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if locate::is_absent(&error) => return Ok(None),
            Err(error) => return Err(Error::io("reading", path)(error)),
        };
        let journal: Self =
            serde_json::from_slice(&text).map_err(|error| Error::damaged(path, error))?;
        if journal.format == FORMAT {
            return Ok(Some(journal));
        }
        let what = format!(
            "it is of format {}, which this version does not know",
            journal.format
        );
        Err(Error::damaged(path, what))
    }

    /// The operation that has not come to its end, if any. A journal that was not written to its
    /// end, so that nothing was staged by it, is a phase without a journal.
    pub(super) fn pending(state: &Path) -> Result<Option<(Phase, Option<Self>)>, Error> {
        for phase in Phase::ALL {
            match Self::read(&phase.file(state)) {
                Ok(None) => {}
                Ok(journal) => return Ok(Some((phase, journal))),
                Err(Error::Damaged { .. }) if phase == Phase::Staging => {
                    return Ok(Some((phase, None)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The record of an operation that is complete.
    pub(super) fn record(state: &Path, number: u64) -> Result<Option<Self>, Error> {
        Self::read(&dir_of(state, number).join(RECORD))
    }
}

/// The directory of all operations.
pub(super) fn operations(state: &Path) -> PathBuf {
    state.join(OPERATIONS)
}

/// The directory of one operation.
pub(super) fn dir_of(state: &Path, number: u64) -> PathBuf {
    operations(state).join(format!("{number:08}"))
}

/// Where the old contents of an operation are.
pub(super) fn backups(state: &Path, number: u64) -> PathBuf {
    dir_of(state, number).join("old")
}

/// The old content of the item at `index`.
pub(super) fn backup(state: &Path, number: u64, index: usize) -> PathBuf {
    backups(state, number).join(index.to_string())
}

pub(super) fn record_file(state: &Path, number: u64) -> PathBuf {
    dir_of(state, number).join(RECORD)
}

pub(super) fn skipped_file(state: &Path, number: u64) -> PathBuf {
    dir_of(state, number).join(SKIPPED)
}

/// The items of an operation that were left alone, by index.
pub(super) fn skipped(state: &Path, number: u64) -> Result<BTreeSet<usize>, Error> {
    let path = skipped_file(state, number);
    match fs::read(&path) {
        // Half a file was never relied on: what it would say is found again.
        Ok(text) => Ok(serde_json::from_slice(&text).unwrap_or_default()),
        Err(error) if locate::is_absent(&error) => Ok(BTreeSet::new()),
        Err(error) => Err(Error::io("reading", &path)(error)),
    }
}

/// The numbers of all operations that have a directory, in order.
pub(super) fn numbers(state: &Path) -> Result<Vec<u64>, Error> {
    let dir = operations(state);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if locate::is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("reading", &dir)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("reading", &dir))?;
        numbers.extend(
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok()),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}
