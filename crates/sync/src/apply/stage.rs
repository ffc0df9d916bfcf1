//! The first half of an operation: look at everything, write the journal, stage what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, Writing, write_new};
use super::error::Error;
use super::journal::{self, Clear, Item, Journal, Phase, Version};
use super::locate::{self, Found, Location};
use super::{Base, Change, To, Workplace};
use crate::member;
use crate::profile::{Digest, Entry, ProfilePath, TEMP_PREFIX};

/// Mode of a new file, of which only its owner can tell what it holds.
const NEW_FILE: u32 = 0o600;
/// Mode of our directories, and of new ones in the profile.
const NEW_DIR: u32 = 0o700;
/// All rights to execute.
const EXECUTE: u32 = 0o111;

/// An operation that has been looked at and not begun.
pub(super) struct Prepared {
    journal: Journal,
    contents: Vec<Contents>,
    next: Base,
    doubled: Vec<(ProfilePath, ProfilePath)>,
}

/// What is written for one item.
#[derive(Default)]
struct Contents {
    staged: Option<Arc<[u8]>>,
    backup: Option<Vec<u8>>,
}

impl<D: Disk> Workplace<D> {
    /// Looks at every file; nothing is written.
    pub(super) fn prepare(
        &self,
        changes: &[Change],
        next: Base,
        at: i64,
        undoes: Option<u64>,
    ) -> Result<Prepared, Error> {
        let last = journal::numbers(&self.ground.state)?.last().copied();
        let number = last.unwrap_or(0) + 1;
        let mut prepared = Prepared {
            journal: Journal::new(number, at, undoes),
            contents: Vec::new(),
            next,
            doubled: Vec::new(),
        };
        let leaving: BTreeMap<String, &ProfilePath> = changes
            .iter()
            .filter(|change| matches!(change.to, To::Nothing))
            .map(|change| (change.path.folded(), &change.path))
            .collect();
        let mut changed = Vec::new();
        let mut made = BTreeSet::new();
        let mut places = Vec::new();
        let mut files: BTreeMap<PathBuf, Vec<&Change>> = BTreeMap::new();
        for change in changes {
            let (file, member) = self.place(&change.path);
            let location = self.bounds.locate(&change.path, &file)?;
            files.entry(location.file.clone()).or_default().push(change);
            places.push((change, location, member));
        }
        for (change, location, member) in places {
            let same = files
                .get(&location.file)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let first = same.first().copied().unwrap_or(change);
            let renamed = leaving.get(&change.path.folded());
            let absent = change.expect.is_none();
            let found = if absent && renamed.is_some_and(|other| **other != change.path) {
                // The same file under another case, which goes first.
                None
            } else {
                self.find(change, &location, absent)?
            };
            let now = self.now(
                &change.path,
                found.as_ref(),
                member.as_deref(),
                &location.file,
            )?;
            if now != change.expect {
                changed.push(change.path.clone());
                continue;
            }
            if same.iter().any(|other| other.to != first.to) {
                let agreed = self.base.manifest.get(&change.path).copied();
                prepared.next.manifest.set(change.path.clone(), agreed);
                if first.path != change.path {
                    let pair = (change.path.clone(), first.path.clone());
                    prepared.doubled.push(pair);
                }
                continue;
            }
            // Written once, it is both.
            if first.path != change.path {
                continue;
            }
            made.extend(location.missing.iter().cloned());
            prepared.add(self, change, location, member, found)?;
        }
        if !changed.is_empty() {
            return Err(Error::Changed(changed));
        }
        prepared.journal.make = made.into_iter().collect();
        self.clear(&mut prepared)?;
        let dirs = &mut prepared.next.dirs;
        dirs.retain(|dir| dir.is_dir());
        dirs.extend(prepared.journal.make.iter().cloned());
        prepared.journal.rebases = prepared.next != self.base;
        Ok(prepared)
    }

    /// Where a path is, before links, and of which member.
    pub(super) fn place(&self, path: &ProfilePath) -> (PathBuf, Option<String>) {
        let place = self.ground.members.iter().find(|place| place.path == *path);
        match place {
            Some(place) => (place.file.clone(), Some(place.member.clone())),
            None => (self.ground.root.join(path.as_str()), None),
        }
    }

    fn find(
        &self,
        change: &Change,
        location: &Location,
        absent: bool,
    ) -> Result<Option<Found>, Error> {
        match locate::find(&location.file) {
            Ok(found) => Ok(found),
            // A directory whose files all go makes room for a file; whether they do is looked at
            // when all changes are known.
            Err(_) if absent && location.file.is_dir() => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(Error::NotAFile {
                path: change.path.clone(),
                real: location.file.clone(),
            }),
            Err(error) => Err(Error::io("reading", &location.file)(error)),
        }
    }

    /// What a path is now, as the plan sees it.
    pub(super) fn now(
        &self,
        path: &ProfilePath,
        found: Option<&Found>,
        member: Option<&str>,
        file: &Path,
    ) -> Result<Option<Entry>, Error> {
        let Some(found) = found else {
            return Ok(None);
        };
        let entry = match member {
            None => Entry::of(&found.bytes, found.mode & 0o100 != 0),
            Some(member) => match read_member(file, &found.bytes, member)? {
                Some(content) => Entry::of(content.as_bytes(), false),
                None => return Ok(None),
            },
        };
        if self.base.forms.get(path) == Some(&entry.sha256) {
            return Ok(self.base.manifest.get(path).copied());
        }
        Ok(Some(entry))
    }

    /// Directories that go: those that a file replaces, and those of ours that become empty.
    fn clear(&self, prepared: &mut Prepared) -> Result<(), Error> {
        let journal = &prepared.journal;
        let going: BTreeSet<&Path> = journal
            .items
            .iter()
            .filter(|item| item.new.is_none())
            .map(|item| item.file.as_path())
            .collect();
        let mut clear: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for item in &journal.items {
            if item.old.is_none() && item.file.is_dir() {
                empties(&item.path, &item.file, &going, &mut clear)?;
            }
            if item.new.is_none() {
                let above = item.file.ancestors().skip(1);
                let ours = above.take_while(|dir| self.base.dirs.contains(*dir));
                let is_empty = |dir: &&Path| {
                    let mut staying = journal.items.iter().filter(|item| item.new.is_some());
                    !staying.any(|item| item.file.starts_with(dir))
                };
                for dir in ours.take_while(is_empty) {
                    clear.entry(dir.to_owned()).or_default();
                }
            }
        }
        for dir in &journal.make {
            let there = fs::symlink_metadata(dir).is_ok();
            if there && !dir.is_dir() && !going.contains(dir.as_path()) {
                let below = journal.items.iter().find(|item| item.file.starts_with(dir));
                if let Some(item) = below {
                    let (path, real) = (item.path.clone(), dir.clone());
                    return Err(Error::NotAFile { path, real });
                }
            }
        }
        // What is displaced may not keep its directory from going.
        for item in &mut prepared.journal.items {
            let above = item.temp.ancestors().skip(1);
            let stays = above.into_iter().find(|dir| !clear.contains_key(*dir));
            if let (Some(dir), Some(name)) = (stays, item.temp.file_name()) {
                item.temp = dir.join(name);
            }
        }
        // The order of paths is outermost first.
        let innermost_first = clear.into_iter().rev();
        let clear = innermost_first.map(|(dir, needed)| {
            let found = fs::metadata(&dir).map_err(Error::io("looking at", &dir))?;
            let mode = found.permissions().mode() & 0o7777;
            Ok(Clear { dir, mode, needed })
        });
        prepared.journal.clear = clear.collect::<Result<_, Error>>()?;
        Ok(())
    }

    /// Writes the journal, then the old contents, then the new ones beside their places.
    pub(super) fn stage(&self, prepared: Prepared) -> Result<Journal, Error> {
        let Prepared {
            journal,
            contents,
            next,
            doubled: _,
        } = prepared;
        let state = self.ground.state.as_path();
        let disk = &self.disk;
        let path = Phase::Staging.file(state);
        let text = journal.text(&path)?;
        let begin = || {
            write_new(disk, &path, 0o600, &text)?;
            disk.sync_dir(state)
        };
        begin().map_err(Error::io("writing", &path))?;

        let old = journal::backups(state, journal.number);
        let dirs = [
            journal::operations(state),
            journal::dir_of(state, journal.number),
            old,
        ];
        for dir in &dirs {
            match disk.make_dir(dir, NEW_DIR) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                made => made.map_err(Error::io("making", dir))?,
            }
        }
        let mut names: BTreeSet<&Path> = BTreeSet::new();
        let mut writing = Writing::new(disk);
        for (index, (item, contents)) in journal.items.iter().zip(&contents).enumerate() {
            if let Some(bytes) = &contents.backup {
                let path = journal::backup(state, journal.number, index);
                let kept = writing.add(&path, 0o600, bytes);
                kept.map_err(Error::io("keeping", &path))?;
            }
            if let (Some(bytes), Some(new)) = (&contents.staged, item.new) {
                let written = writing.add(&item.temp, new.mode, bytes);
                written.map_err(Error::io("writing", &item.temp))?;
                names.extend(item.temp.parent());
            }
        }
        let written = writing.finish();
        written.map_err(Error::io("writing files for", &self.ground.root))?;
        if journal.rebases {
            Base::stage(state, disk, &next)?;
        }
        let ours = dirs.iter().rev().map(PathBuf::as_path);
        let all: Vec<&Path> = names.into_iter().chain(ours).collect();
        let synced = disk.sync_dirs(&all);
        synced.map_err(Error::io("writing the directories of", &self.ground.root))?;
        Ok(journal)
    }
}

impl Prepared {
    /// Whether every file is what it is to be.
    pub(super) fn is_empty(&self) -> bool {
        self.journal.items.is_empty()
    }

    /// The paths that are one file and are left alone.
    pub(super) fn doubled(&mut self) -> Vec<(ProfilePath, ProfilePath)> {
        std::mem::take(&mut self.doubled)
    }

    /// The base that holds afterwards.
    pub(super) fn next(self) -> Base {
        self.next
    }

    fn add<D>(
        &mut self,
        workplace: &Workplace<D>,
        change: &Change,
        location: Location,
        member: Option<String>,
        found: Option<Found>,
    ) -> Result<(), Error> {
        let file = location.file;
        let index = self.journal.items.len();
        let name = format!("{TEMP_PREFIX}{:016x}-{index}", workplace.ground.nonce);
        let old_member = match (&member, &found) {
            (Some(member), Some(found)) => read_member(&file, &found.bytes, member)?,
            _ => None,
        };
        let old = found.as_ref().map(|found| Version {
            sha256: found.sha256,
            mode: found.mode,
        });
        let mode = old.map_or(NEW_FILE, |old| old.mode);
        let old_bytes = found.map(|found| found.bytes);
        let (staged, mode): (Option<Arc<[u8]>>, u32) = match (&change.to, &member) {
            (To::Nothing, None) => (None, mode),
            (To::Nothing, Some(member)) => {
                let text = spliced(&file, old_bytes.as_deref(), member, None)?;
                (Some(text.into_bytes().into()), mode)
            }
            (
                To::Content {
                    bytes,
                    executable,
                    mode: exact,
                },
                None,
            ) => {
                let mode = exact.unwrap_or_else(|| with_execution(mode, *executable));
                (Some(Arc::clone(bytes)), mode)
            }
            (To::Content { bytes, .. }, Some(member)) => {
                let value = member_value(&change.path, bytes, member)?;
                let text = spliced(&file, old_bytes.as_deref(), member, Some(&value))?;
                let content = read_member(&file, text.as_bytes(), member)?;
                let form = content.map(|content| Digest::of(content.as_bytes()));
                self.set_form(&change.path, Digest::of(bytes), form);
                (Some(text.into_bytes().into()), mode)
            }
            (To::Mode { executable }, None) => {
                let bytes = old_bytes.as_deref().unwrap_or_default();
                (Some(bytes.into()), with_execution(mode, *executable))
            }
            // A member has no mode of its own.
            (To::Mode { .. }, Some(_)) => return Ok(()),
        };
        let new = staged.as_ref().map(|bytes| Version {
            sha256: Digest::of(bytes),
            mode,
        });
        if old == new {
            return Ok(());
        }
        let is = match (&member, &staged) {
            (Some(member), Some(bytes)) => {
                read_member(&file, bytes, member)?.map(|content| Digest::of(content.as_bytes()))
            }
            _ => new.map(|new| new.sha256),
        };
        let was = match &member {
            Some(_) => old_member
                .as_ref()
                .map(|content| Digest::of(content.as_bytes())),
            None => old.map(|old| old.sha256),
        };
        let item = Item {
            path: change.path.clone(),
            temp: location.ground.join(name),
            file,
            member,
            old,
            new,
            was,
            is,
        };
        let kept = match (&item.member, old_member) {
            (Some(_), Some(content)) => Some(content.into_bytes()),
            (Some(_), None) => None,
            (None, _) => old_bytes,
        };
        self.contents.push(Contents {
            staged: staged.filter(|_| item.is_staged()),
            backup: kept.filter(|_| item.has_backup()),
        });
        self.journal.items.push(item);
        Ok(())
    }

    /// Remembers the form in which an agreed content is here, where it is another.
    fn set_form(&mut self, path: &ProfilePath, content: Digest, form: Option<Digest>) {
        let agreed = self.next.manifest.get(path).map(|entry| entry.sha256);
        match form {
            Some(form) if agreed == Some(content) && form != content => {
                self.next.forms.insert(path.clone(), form);
            }
            _ => drop(self.next.forms.remove(path)),
        }
    }
}

/// Whoever may read may execute, or nobody.
fn with_execution(mode: u32, executable: bool) -> u32 {
    if !executable {
        return mode & !EXECUTE;
    }
    if mode & 0o100 != 0 {
        return mode;
    }
    mode | ((mode & 0o444) >> 2) | 0o100
}

fn read_member(file: &Path, bytes: &[u8], member: &str) -> Result<Option<String>, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| Error::damaged(file, error))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    member::read(text, member).map_err(|source| Error::Member {
        file: file.to_owned(),
        source,
    })
}

fn member_value(path: &ProfilePath, bytes: &[u8], member: &str) -> Result<String, Error> {
    let text = std::str::from_utf8(bytes).ok();
    let value = text.and_then(|text| member::value(text, member));
    value.ok_or_else(|| Error::MemberContent {
        path: path.clone(),
        member: member.to_owned(),
    })
}

fn spliced(
    file: &Path,
    old: Option<&[u8]>,
    member: &str,
    value: Option<&str>,
) -> Result<String, Error> {
    let old = std::str::from_utf8(old.unwrap_or_default());
    let old = old.map_err(|error| Error::damaged(file, error))?;
    member::write(old, member, value).map_err(|source| Error::Member {
        file: file.to_owned(),
        source,
    })
}

/// Checks that nothing stays in a directory that a file replaces, and notes it with those in it.
fn empties(
    path: &ProfilePath,
    dir: &Path,
    going: &BTreeSet<&Path>,
    clear: &mut BTreeMap<PathBuf, bool>,
) -> Result<(), Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("reading", dir))?;
    for entry in entries {
        let entry = entry.map_err(Error::io("reading", dir))?.path();
        let is_dir = fs::symlink_metadata(&entry).is_ok_and(|found| found.is_dir());
        if is_dir {
            empties(path, &entry, going, clear)?;
        } else if !going.contains(entry.as_path()) {
            let (path, real) = (path.clone(), dir.to_owned());
            return Err(Error::NotAFile { path, real });
        }
    }
    clear.insert(dir.to_owned(), true);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_execute_follows_the_right_to_read() {
        for (mode, executable, wanted) in [
            (0o600, true, 0o700),
            (0o644, true, 0o755),
            (0o640, true, 0o750),
            (0o755, false, 0o644),
            (0o700, true, 0o700),
            (0o744, true, 0o744),
            (0o600, false, 0o600),
        ] {
            assert_eq!(with_execution(mode, executable), wanted, "{mode:o}");
        }
    }
}
