//! The way back: from any phase to how everything was before.

use std::collections::BTreeSet;
use std::io;

use super::disk::{Disk, Move, remove_if_there, write_new};
use super::error::Error;
use super::journal::{self, Act, Item, Journal, Phase, Version};
use super::locate::digest;
use super::{Base, Workplace};
use crate::member;

impl<D: Disk> Workplace<D> {
    /// Takes an operation back after `error`, and says how that went: the error itself when
    /// everything is as it was.
    pub(super) fn take_back(&self, error: Error) -> Error {
        match self.try_back() {
            Ok(true) => error,
            Ok(false) | Err(_) => Error::Unfinished {
                source: Box::new(error),
            },
        }
    }

    /// False when the new base holds already, so that only the end is left to be reached.
    fn try_back(&self) -> Result<bool, Error> {
        let state = self.ground.state.as_path();
        match Journal::pending(state)? {
            None => {}
            Some((Phase::Moving, Some(journal))) => {
                if journal.rebases && !Base::is_staged(state) {
                    return Ok(false);
                }
                self.turn(Phase::Moving, Phase::Undoing)?;
                self.go_back(Phase::Undoing, Some(&journal))?;
            }
            Some((phase, journal)) => self.go_back(phase, journal.as_ref())?,
        }
        self.sweep()?;
        Ok(true)
    }

    /// Makes everything as it was, and forgets the operation. Where somebody has changed a file
    /// since, theirs stays, and the operation is kept for what it has of the old content.
    pub(super) fn go_back(&self, phase: Phase, journal: Option<&Journal>) -> Result<(), Error> {
        let state = self.ground.state.as_path();
        let path = phase.file(state);
        Base::drop_staged(state, &self.disk)?;
        let mut left = BTreeSet::new();
        match (phase, journal) {
            (_, None) => {}
            // What is beside a file is ours, complete or not.
            (Phase::Staging, Some(journal)) => {
                for item in &journal.items {
                    let gone = remove_if_there(&self.disk, &item.temp);
                    gone.map_err(Error::io("removing", &item.temp))?;
                }
            }
            (_, Some(journal)) => {
                left = self.left_by(journal)?;
                self.backward(journal)?;
                left.append(&mut self.left_by(journal)?);
                for (index, item) in journal.items.iter().enumerate() {
                    let expected = item.new.or(item.old);
                    self.discard(journal, index, item, expected)?;
                }
            }
        }
        let step = || match journal.filter(|_| !left.is_empty()) {
            None => {
                remove_if_there(&self.disk, &path)?;
                self.disk.sync_dir(state)
            }
            Some(journal) => {
                let record = journal::record_file(state, journal.number);
                self.disk.rename(&path, &record, Move::Over)?;
                self.disk
                    .sync_dir(&journal::dir_of(state, journal.number))?;
                self.disk.sync_dir(state)
            }
        };
        if let Some(journal) = journal.filter(|_| !left.is_empty()) {
            let all = 0..journal.items.len();
            let restored = all.filter(|index| !left.contains(index)).collect();
            self.note_skipped(journal, &restored)?;
        }
        step().map_err(Error::io("removing", &path))
    }

    /// The items whose old content is neither in its place nor on the way back to it, because
    /// somebody wrote to the file after we had.
    fn left_by(&self, journal: &Journal) -> Result<BTreeSet<usize>, Error> {
        let mut left = BTreeSet::new();
        for (index, item) in journal.items.iter().enumerate() {
            let (beside, here) = (digest(&item.temp)?, digest(&item.file)?);
            let gone = match item.act() {
                Some(Act::Replace(old, new)) => {
                    beside != Some(new.sha256)
                        && here != Some(old.sha256)
                        && here != Some(new.sha256)
                }
                Some(Act::Remove(_)) => beside.is_some() && here.is_some(),
                Some(Act::Create(_) | Act::Mode(..)) | None => false,
            };
            if gone {
                left.insert(index);
            }
        }
        Ok(left)
    }

    fn backward(&self, journal: &Journal) -> Result<(), Error> {
        let items = || journal.items.iter().enumerate().rev();
        for (index, item) in items().filter(|(_, item)| item.new.is_some()) {
            self.one_back(journal, index, item)?;
        }
        for dir in journal.make.iter().rev() {
            match self.disk.remove_dir(dir) {
                // Somebody put something there meanwhile, or it was not made yet.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound
                            | io::ErrorKind::DirectoryNotEmpty
                            | io::ErrorKind::NotADirectory
                    ) => {}
                done => done.map_err(Error::io("removing", dir))?,
            }
        }
        for clear in journal.clear.iter().rev() {
            match self.disk.make_dir(&clear.dir, clear.mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("making", &clear.dir)(error)),
                Ok(()) => {
                    let set = self.disk.set_mode(&clear.dir, clear.mode);
                    set.map_err(Error::io("making", &clear.dir))?;
                }
            }
        }
        for (index, item) in items().filter(|(_, item)| item.new.is_none()) {
            self.one_back(journal, index, item)?;
        }
        let dirs = journal.items.iter().filter_map(|item| item.file.parent());
        let dirs: BTreeSet<_> = dirs.filter(|dir| dir.is_dir()).collect();
        for dir in dirs {
            self.disk.sync_dir(dir).map_err(Error::io("writing", dir))?;
        }
        Ok(())
    }

    fn one_back(&self, journal: &Journal, index: usize, item: &Item) -> Result<(), Error> {
        let failed = |source| Error::io("restoring", &item.file)(source);
        match item.act() {
            Some(Act::Create(new)) => self.uncreate(item, new),
            Some(Act::Replace(old, new)) => self.unreplace(journal, index, item, old, new),
            Some(Act::Remove(_)) => {
                if digest(&item.temp)?.is_none() {
                    return Ok(());
                }
                match self.disk.rename(&item.temp, &item.file, Move::New) {
                    // Somebody made it anew meanwhile; the old one stays in the backup.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    done => done.map_err(failed),
                }
            }
            Some(Act::Mode(old, new)) => {
                if digest(&item.file)? == Some(new.sha256) {
                    self.disk.set_mode(&item.file, old.mode).map_err(failed)?;
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A new file that nobody has changed since goes.
    fn uncreate(&self, item: &Item, new: Version) -> Result<(), Error> {
        let failed = |source| Error::io("restoring", &item.file)(source);
        if digest(&item.temp)?.is_some() || digest(&item.file)? != Some(new.sha256) {
            return Ok(());
        }
        // Its directory may be a new one that has to go, so it goes to where it was staged.
        let moved = self.disk.rename(&item.file, &item.temp, Move::New);
        moved.map_err(failed)?;
        if digest(&item.temp)? != Some(new.sha256) {
            let back = self.disk.rename(&item.temp, &item.file, Move::New);
            back.map_err(failed)?;
        }
        Ok(())
    }

    fn unreplace(
        &self,
        journal: &Journal,
        index: usize,
        item: &Item,
        old: Version,
        new: Version,
    ) -> Result<(), Error> {
        let failed = |source| Error::io("restoring", &item.file)(source);
        let beside = digest(&item.temp)?;
        let here = digest(&item.file)?;
        if here != Some(new.sha256) || beside == Some(new.sha256) {
            // Never moved, or changed by somebody since.
            return Ok(());
        }
        if beside.is_none() {
            let bytes = self.old_content(journal, index, item)?;
            let step = || {
                write_new(&self.disk, &item.temp, old.mode, &bytes)?;
                self.disk.rename(&item.temp, &item.file, Move::Over)
            };
            return step().map_err(failed);
        }
        match self.disk.rename(&item.temp, &item.file, Move::Swap) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let moved = self.disk.rename(&item.temp, &item.file, Move::Over);
                moved.map_err(failed)
            }
            done => done.map_err(failed),
        }
    }

    /// The old content of a file that could not be exchanged: it is in the backup alone, and of a
    /// member the member alone, which goes back into the file that holds it.
    fn old_content(&self, journal: &Journal, index: usize, item: &Item) -> Result<Vec<u8>, Error> {
        let kept = self.kept(journal.number, index)?;
        let Some(member) = &item.member else {
            let what = "the old content is gone";
            return kept.ok_or_else(|| Error::damaged(&item.file, what));
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = kept.and_then(|kept| member::value(&text(&kept), member));
        let here = std::fs::read(&item.file).map_err(Error::io("reading", &item.file))?;
        let old = member::write(&text(&here), member, value.as_deref());
        old.map(String::into_bytes).map_err(|source| Error::Member {
            file: item.file.clone(),
            source,
        })
    }
}
