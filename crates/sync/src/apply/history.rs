//! Operations that are complete: listed, undone, and at last forgotten.

use std::fs;
use std::io;
use std::path::Path;

use super::disk::{Disk, Move, remove_if_there};
use super::error::Error;
use super::journal::{self, Act, Item, Journal};
use super::{Change, Outcome, To, Workplace, locate};
use crate::member;
use crate::profile::{Digest, ProfilePath};

/// The most operations that can be undone.
pub const KEPT_OPERATIONS_MAX: usize = 50;
/// The most bytes of old contents that are kept; the newest operation is kept whatever its size.
pub const KEPT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How the directory of an operation begins while it is being removed.
const GONE: &str = "gone-";

/// An operation that can be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub number: u64,
    /// When it was, in seconds since 1970.
    pub at: i64,
    /// The operation that it undid.
    pub undoes: Option<u64>,
    /// What it touched, in the order of the plan.
    pub touched: Vec<Touched>,
}

/// One file of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// Its path.
    pub path: ProfilePath,
    /// What was done.
    pub kind: TouchedKind,
}

/// What an operation did to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchedKind {
    /// It is new.
    Created,
    /// It has other content.
    Changed,
    /// It has another mode.
    Mode,
    /// It is gone.
    Deleted,
}

/// What was forgotten to make room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many operations.
    pub operations: usize,
    /// How many bytes of old contents.
    pub bytes: u64,
}

impl<D: Disk> Workplace<D> {
    /// The operations that can be undone, newest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn operations(&self) -> Result<Vec<Operation>, Error> {
        let state = self.ground.state.as_path();
        let mut operations = Vec::new();
        for number in journal::numbers(state)?.into_iter().rev() {
            let Some(record) = Journal::record(state, number)? else {
                continue;
            };
            let skipped = journal::skipped(state, number)?;
            let items = record.items.iter().enumerate();
            let touched = items.filter(|(index, _)| !skipped.contains(index));
            operations.push(Operation {
                number,
                at: record.at,
                undoes: record.undoes,
                touched: touched.filter_map(|(_, item)| touched_by(item)).collect(),
            });
        }
        Ok(operations)
    }

    /// What a file held before an operation; nothing when it was not there, or was not touched.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn before(&self, number: u64, path: &ProfilePath) -> Result<Option<Vec<u8>>, Error> {
        let record = self.record(number)?;
        let found = record.items.iter().position(|item| item.path == *path);
        match found {
            Some(index) => self.kept(number, index),
            None => Ok(None),
        }
    }

    /// Makes the files that an operation touched what they were before it. This is an operation
    /// itself and can be undone. The base stays: what was undone counts as an edit of this side,
    /// so that the next sync does not do it again, and a push offers it.
    ///
    /// A file that was changed since is left alone and told in [`Outcome::skipped`], unless `force`.
    ///
    /// # Errors
    /// As [`Workplace::apply`], and when there is no such operation.
    pub fn undo(&mut self, number: u64, force: bool, at: i64) -> Result<Outcome, Error> {
        let record = self.record(number)?;
        let skipped = journal::skipped(&self.ground.state, number)?;
        let mut changes = Vec::new();
        let mut left = Vec::new();
        for (index, item) in record.items.iter().enumerate() {
            if skipped.contains(&index) {
                continue;
            }
            match self.undone(number, index, item, force)? {
                Ok(change) => changes.extend(change),
                Err(path) => left.push(path),
            }
        }
        let mut outcome = self.operate(&changes, self.base.clone(), at, Some(number))?;
        self.base = super::Base::load(&self.ground.state)?;
        outcome.skipped.extend(left);
        Ok(outcome)
    }

    fn record(&self, number: u64) -> Result<Journal, Error> {
        let record = Journal::record(&self.ground.state, number)?;
        record.ok_or(Error::NoOperation(number))
    }

    pub(super) fn kept(&self, number: u64, index: usize) -> Result<Option<Vec<u8>>, Error> {
        let path = journal::backup(&self.ground.state, number, index);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if locate::is_absent(&error) => Ok(None),
            Err(error) => Err(Error::io("reading", &path)(error)),
        }
    }

    /// The change that makes one file what it was, or the path that is left alone.
    fn undone(
        &self,
        number: u64,
        index: usize,
        item: &Item,
        force: bool,
    ) -> Result<Result<Option<Change>, ProfilePath>, Error> {
        let (file, member) = self.place(&item.path);
        let location = self.bounds.locate(&item.path, &file)?;
        let found = match locate::find(&location.file) {
            Ok(found) => found,
            // The operation put a directory in its place, whose files go with it.
            Err(_) if location.file.is_dir() && item.is.is_none() => None,
            Err(_) if location.file.is_dir() => return Ok(Err(item.path.clone())),
            Err(error) => return Err(Error::io("reading", &location.file)(error)),
        };
        let now = match (&member, &found) {
            (Some(member), Some(found)) => {
                let text = String::from_utf8_lossy(&found.bytes);
                let content = member::read(&text, member).ok().flatten();
                content.map(|content| Digest::of(content.as_bytes()))
            }
            (None, Some(found)) => Some(found.sha256),
            (_, None) => None,
        };
        if now != item.is && !force {
            return Ok(Err(item.path.clone()));
        }
        let expect = self.now(
            &item.path,
            found.as_ref(),
            member.as_deref(),
            &location.file,
        )?;
        let content = |bytes: Vec<u8>| {
            let mode = item.old.map(|old| old.mode);
            To::Content {
                bytes: bytes.into(),
                executable: mode.is_some_and(|mode| mode & 0o100 != 0),
                mode,
            }
        };
        let to = match (item.act(), item.was, found) {
            (Some(Act::Mode(..)), _, Some(found)) => content(found.bytes),
            (Some(Act::Mode(..)), _, None) => return Ok(Err(item.path.clone())),
            (_, None, _) if expect.is_none() => return Ok(Ok(None)),
            (_, None, _) => To::Nothing,
            (_, Some(_), _) => match self.kept(number, index)? {
                Some(bytes) => content(bytes),
                None => return Ok(Err(item.path.clone())),
            },
        };
        Ok(Ok(Some(Change {
            path: item.path.clone(),
            expect,
            to,
        })))
    }

    /// Forgets the oldest operations over the bounds.
    pub(super) fn prune(&self) -> Result<Pruned, Error> {
        self.prune_to(KEPT_OPERATIONS_MAX, KEPT_BYTES_MAX)
    }

    fn prune_to(&self, count_max: usize, bytes_max: u64) -> Result<Pruned, Error> {
        let state = self.ground.state.as_path();
        let mut pruned = Pruned::default();
        let (mut count, mut bytes) = (0, 0_u64);
        for number in journal::numbers(state)?.into_iter().rev() {
            let dir = journal::dir_of(state, number);
            let size = size_of(&dir).map_err(Error::io("reading", &dir))?;
            bytes = bytes.saturating_add(size);
            count += 1;
            if count == 1 || (count <= count_max && bytes <= bytes_max) {
                continue;
            }
            // Without its record it would be taken for one that was never complete, at each step.
            let gone = journal::operations(state).join(format!("{GONE}{number:08}"));
            let moved = self.disk.rename(&dir, &gone, Move::Over);
            moved.map_err(Error::io("forgetting", &dir))?;
            self.remove_tree(&gone)?;
            pruned.operations += 1;
            pruned.bytes = pruned.bytes.saturating_add(size);
        }
        Ok(pruned)
    }

    /// Removes what operations left that were taken back or were being forgotten. Only while none
    /// is under way.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        let state = self.ground.state.as_path();
        let dir = journal::operations(state);
        for number in journal::numbers(state)? {
            if !journal::record_file(state, number).exists() {
                self.remove_tree(&journal::dir_of(state, number))?;
            }
        }
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if locate::is_absent(&error) => return Ok(()),
            Err(error) => return Err(Error::io("reading", &dir)(error)),
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(GONE) {
                self.remove_tree(&entry.path())?;
            }
        }
        Ok(())
    }

    fn remove_tree(&self, dir: &Path) -> Result<(), Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::io("removing", &path)(source)
        };
        let entries = fs::read_dir(dir).map_err(failed(dir))?;
        for entry in entries {
            let path = entry.map_err(failed(dir))?.path();
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                self.remove_tree(&path)?;
            } else {
                remove_if_there(&self.disk, &path).map_err(failed(&path))?;
            }
        }
        self.disk.remove_dir(dir).map_err(failed(dir))
    }
}

fn touched_by(item: &Item) -> Option<Touched> {
    let kind = match (item.act()?, item.was, item.is) {
        (Act::Mode(..), ..) => TouchedKind::Mode,
        (_, None, _) => TouchedKind::Created,
        (_, Some(_), Some(_)) => TouchedKind::Changed,
        (_, Some(_), None) => TouchedKind::Deleted,
    };
    Some(Touched {
        path: item.path.clone(),
        kind,
    })
}

fn size_of(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() {
            size_of(&entry.path())?
        } else {
            found.len()
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{Base, Ground};

    fn workplace(dir: &Path) -> Workplace {
        let ground = Ground {
            root: dir.join("root"),
            state: dir.join("state"),
            lock: dir.join("lock"),
            within: Vec::new(),
            members: Vec::new(),
            nonce: 7,
        };
        Workplace::open(ground).unwrap()
    }

    #[test]
    fn the_oldest_go_first_and_the_newest_stays() {
        let temp = tempfile::tempdir().unwrap();
        let mut place = workplace(temp.path());
        let path = ProfilePath::parse("agents/a").unwrap();
        let mut expect = None;
        for n in 0..5_u8 {
            let bytes = vec![n; 1000];
            let change = Change {
                path: path.clone(),
                expect,
                to: To::Content {
                    bytes: bytes.clone().into(),
                    executable: false,
                    mode: None,
                },
            };
            expect = Some(crate::profile::Entry::of(&bytes, false));
            place.apply(&[change], Base::default(), 0).unwrap();
        }
        let numbers = |place: &Workplace| -> Vec<u64> {
            place
                .operations()
                .unwrap()
                .iter()
                .map(|operation| operation.number)
                .collect()
        };
        assert_eq!(numbers(&place), [5, 4, 3, 2, 1]);
        assert_eq!(place.prune_to(4, u64::MAX).unwrap().operations, 1);
        assert_eq!(numbers(&place), [5, 4, 3, 2]);
        let pruned = place.prune_to(50, 1).unwrap();
        assert_eq!(pruned.operations, 3);
        assert!(pruned.bytes > 3000, "{pruned:?}");
        assert_eq!(numbers(&place), [5]);
    }
}
