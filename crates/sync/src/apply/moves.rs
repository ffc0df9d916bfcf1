//! The second half of an operation: from staged to complete. Every step can be repeated, so that
//! the next start goes on where this one ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::disk::{Disk, Move, remove_if_there, write_new};
use super::error::Error;
use super::journal::{self, Act, Item, Journal, Phase, Version};
use super::locate::{digest, is_absent};
use super::{Base, Outcome, Recovered, Workplace};

/// Whether a file was moved or left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Moved,
    /// Somebody changed it meanwhile.
    Skipped,
}

impl<D: Disk> Workplace<D> {
    /// Goes on with what an earlier run left.
    pub(super) fn recover(&mut self) -> Result<Option<Recovered>, Error> {
        let state = self.ground.state.clone();
        let recovered = match Journal::pending(&state)? {
            None => None,
            Some((Phase::Moving, Some(journal))) => match self.finish(&journal) {
                Ok(outcome) => Some(Recovered::Completed(outcome)),
                Err(unfinished @ Error::Unfinished { .. }) => return Err(unfinished),
                // What stands in the way now was not there then.
                Err(_) => Some(Recovered::TakenBack),
            },
            Some((phase, journal)) => {
                self.go_back(phase, journal.as_ref())?;
                Some(Recovered::TakenBack)
            }
        };
        self.sweep()?;
        Ok(recovered)
    }

    /// Moves everything, and completes the operation.
    pub(super) fn finish(&mut self, journal: &Journal) -> Result<Outcome, Error> {
        let state = self.ground.state.as_path();
        let moved = if journal.rebases && !Base::is_staged(state) {
            // The new base holds, so that every move was made; people may have gone on since.
            journal::skipped(state, journal.number)
        } else {
            self.forward(journal).and_then(|skipped| {
                self.settle_base(journal, &skipped)?;
                Ok(skipped)
            })
        };
        let skipped = match moved {
            Ok(skipped) => skipped,
            Err(error) => return Err(self.take_back(error)),
        };
        let unfinished = |source| Error::Unfinished {
            source: Box::new(source),
        };
        self.commit(journal, &skipped).map_err(unfinished)?;
        let mut outcome = Outcome {
            operation: Some(journal.number),
            ..Outcome::default()
        };
        for (index, item) in journal.items.iter().enumerate() {
            let list = match item.is {
                _ if skipped.contains(&index) => &mut outcome.skipped,
                None => &mut outcome.deleted,
                Some(_) => &mut outcome.written,
            };
            list.push(item.path.clone());
        }
        // What is kept too long harms nobody until the next operation.
        outcome.pruned = self.prune().unwrap_or_default();
        Ok(outcome)
    }

    /// Gives the journal the name of another phase.
    pub(super) fn turn(&self, from: Phase, to: Phase) -> Result<(), Error> {
        let state = self.ground.state.as_path();
        let (from, to) = (from.file(state), to.file(state));
        let step = || {
            self.disk.rename(&from, &to, Move::Over)?;
            self.disk.sync_dir(state)
        };
        step().map_err(Error::io("writing", &to))
    }

    /// What goes first makes room for directories, and those for files.
    fn forward(&self, journal: &Journal) -> Result<BTreeSet<usize>, Error> {
        let mut skipped = journal::skipped(&self.ground.state, journal.number)?;
        let going = |item: &&Item| item.new.is_none();
        let mut each = |wanted: &dyn Fn(&&Item) -> bool| -> Result<(), Error> {
            for (index, item) in journal.items.iter().enumerate() {
                if wanted(&item) && !skipped.contains(&index) && self.one(item)? == Done::Skipped {
                    skipped.insert(index);
                }
            }
            Ok(())
        };
        each(&going)?;
        for clear in &journal.clear {
            match self.disk.remove_dir(&clear.dir) {
                Err(error) if may_stay(&error, clear.needed) => {}
                done => done.map_err(Error::io("removing", &clear.dir))?,
            }
        }
        for dir in &journal.make {
            match self.disk.make_dir(dir, 0o700) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                made => made.map_err(Error::io("making", dir))?,
            }
        }
        each(&|item| !going(item))?;
        Ok(skipped)
    }

    fn one(&self, item: &Item) -> Result<Done, Error> {
        let failed = |source| Error::io("writing", &item.file)(source);
        match item.act() {
            Some(Act::Create(new)) => self.create(item, new),
            Some(Act::Replace(old, new)) => self.replace(item, old, new),
            Some(Act::Remove(old)) => self.set_aside(item, old),
            Some(Act::Mode(old, new)) => {
                if digest(&item.file)? != Some(old.sha256) {
                    return Ok(Done::Skipped);
                }
                self.disk.set_mode(&item.file, new.mode).map_err(failed)?;
                Ok(Done::Moved)
            }
            None => Ok(Done::Moved),
        }
    }

    fn create(&self, item: &Item, new: Version) -> Result<Done, Error> {
        // A staged file that is gone was moved already.
        if std::fs::symlink_metadata(&item.temp).is_err_and(|error| is_absent(&error)) {
            return Ok(Done::Moved);
        }
        match self.disk.rename(&item.temp, &item.file, Move::New) {
            Ok(()) => Ok(Done::Moved),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // The same from elsewhere, or from before a power cut that left both names.
                let same = digest(&item.file)? == Some(new.sha256);
                Ok(if same { Done::Moved } else { Done::Skipped })
            }
            Err(error) => Err(Error::io("writing", &item.file)(error)),
        }
    }

    fn replace(&self, item: &Item, old: Version, new: Version) -> Result<Done, Error> {
        let failed = |source| Error::io("writing", &item.file)(source);
        match digest(&item.temp)? {
            // Moved already, and the old content is gone or beside it.
            None => return Ok(Done::Moved),
            Some(staged) if staged == old.sha256 => return Ok(Done::Moved),
            Some(staged) if staged == new.sha256 => {
                if digest(&item.file)? != Some(old.sha256) {
                    return Ok(Done::Skipped);
                }
                match self.disk.rename(&item.temp, &item.file, Move::Swap) {
                    Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                        // No exchange on this file system: the look above has to do.
                        let moved = self.disk.rename(&item.temp, &item.file, Move::Over);
                        return moved.map(|()| Done::Moved).map_err(failed);
                    }
                    // It has gone since the look.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Ok(Done::Skipped);
                    }
                    done => done.map_err(failed)?,
                }
            }
            // Exchanged, and what was displaced is neither.
            Some(_) => {}
        }
        if digest(&item.temp)? == Some(old.sha256) {
            return Ok(Done::Moved);
        }
        // Somebody wrote between the look and the exchange: theirs goes back.
        self.disk
            .rename(&item.temp, &item.file, Move::Swap)
            .map_err(failed)?;
        Ok(Done::Skipped)
    }

    fn set_aside(&self, item: &Item, old: Version) -> Result<Done, Error> {
        let failed = |source| Error::io("removing", &item.file)(source);
        if digest(&item.temp)?.is_none() {
            match digest(&item.file)? {
                None => return Ok(Done::Moved),
                Some(found) if found != old.sha256 => return Ok(Done::Skipped),
                Some(_) => {}
            }
            let moved = self.disk.rename(&item.file, &item.temp, Move::New);
            moved.map_err(failed)?;
        }
        if digest(&item.temp)? == Some(old.sha256) {
            return Ok(Done::Moved);
        }
        let back = self.disk.rename(&item.temp, &item.file, Move::New);
        back.map_err(failed)?;
        Ok(Done::Skipped)
    }

    /// Makes the staged base the base; for what was left alone, what was agreed before holds.
    fn settle_base(&self, journal: &Journal, skipped: &BTreeSet<usize>) -> Result<(), Error> {
        let state = self.ground.state.as_path();
        let disk = &self.disk;
        let touched = journal
            .items
            .iter()
            .flat_map(|item| [item.file.parent(), item.temp.parent()]);
        let made = journal.make.iter().map(|dir| dir.parent());
        let cleared = journal.clear.iter().map(|clear| clear.dir.parent());
        let dirs: BTreeSet<&Path> = touched.chain(made).chain(cleared).flatten().collect();
        // Where a file came to is on the disk before where it came from, innermost first. A
        // directory may be gone with its last file; its parent is in the list then.
        let mut levels: BTreeMap<usize, Vec<&Path>> = BTreeMap::new();
        for dir in dirs.into_iter().filter(|dir| dir.is_dir()) {
            levels
                .entry(dir.components().count())
                .or_default()
                .push(dir);
        }
        for level in levels.values().rev() {
            let synced = disk.sync_dirs(level);
            synced.map_err(Error::io("writing the directories of", &self.ground.root))?;
        }
        if !Base::is_staged(state) {
            return self.note_skipped(journal, skipped);
        }
        if !skipped.is_empty() {
            self.note_skipped(journal, skipped)?;
            let mut next = Base::load_staged(state)?;
            for item in skipped.iter().filter_map(|index| journal.items.get(*index)) {
                let before = self.base.manifest.get(&item.path).copied();
                next.manifest.set(item.path.clone(), before);
                match self.base.forms.get(&item.path) {
                    Some(form) => next.forms.insert(item.path.clone(), *form),
                    None => next.forms.remove(&item.path),
                };
            }
            Base::stage(state, disk, &next)?;
        }
        Base::take(state, disk)
    }

    pub(super) fn note_skipped(
        &self,
        journal: &Journal,
        skipped: &BTreeSet<usize>,
    ) -> Result<(), Error> {
        let state = self.ground.state.as_path();
        let path = journal::skipped_file(state, journal.number);
        if skipped.is_empty() || journal::skipped(state, journal.number)? == *skipped {
            return Ok(());
        }
        let text = serde_json::to_vec(skipped).map_err(|error| Error::damaged(&path, error))?;
        let step = || {
            remove_if_there(&self.disk, &path)?;
            write_new(&self.disk, &path, 0o600, &text)?;
            self.disk.sync_dir(&journal::dir_of(state, journal.number))
        };
        step().map_err(Error::io("writing", &path))
    }

    /// Takes what was displaced away, and makes the journal the record.
    pub(super) fn commit(&self, journal: &Journal, skipped: &BTreeSet<usize>) -> Result<(), Error> {
        let state = self.ground.state.as_path();
        let dir = journal::dir_of(state, journal.number);
        for (index, item) in journal.items.iter().enumerate() {
            let expected = if skipped.contains(&index) {
                item.new
            } else {
                item.old
            };
            self.discard(journal, index, item, expected)?;
        }
        let (from, to) = (
            Phase::Moving.file(state),
            journal::record_file(state, journal.number),
        );
        let step = || {
            self.disk.sync_dir(state)?;
            self.disk.rename(&from, &to, Move::Over)?;
            self.disk.sync_dir(&dir)?;
            self.disk.sync_dir(state)
        };
        step().map_err(Error::io("writing", &to))
    }

    /// Removes what is beside a file. If it is not what it is known to be, a program has written
    /// to it that still had it open: it is kept with the operation.
    pub(super) fn discard(
        &self,
        journal: &Journal,
        index: usize,
        item: &Item,
        expected: Option<Version>,
    ) -> Result<(), Error> {
        let found = super::locate::find(&item.temp).map_err(Error::io("reading", &item.temp))?;
        let Some(found) = found else {
            return Ok(());
        };
        if expected.is_none_or(|expected| expected.sha256 != found.sha256) {
            let kept = journal::backup(&self.ground.state, journal.number, index);
            let kept = kept.with_extension("late");
            let step = || {
                remove_if_there(&self.disk, &kept)?;
                write_new(&self.disk, &kept, 0o600, &found.bytes)
            };
            step().map_err(Error::io("keeping", &kept))?;
        }
        remove_if_there(&self.disk, &item.temp).map_err(Error::io("removing", &item.temp))
    }
}

/// A directory that is gone, or is still in use and need not go.
fn may_stay(error: &io::Error, needed: bool) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound => true,
        io::ErrorKind::DirectoryNotEmpty => !needed,
        // A file is there already, on a second run.
        io::ErrorKind::NotADirectory => true,
        _ => false,
    }
}
