//! Changes to files, all of them or none, whatever happens on the way.
//!
//! An **operation** is one apply. Its journal is written before anything is touched and names every
//! file, what it was and what it becomes; what is replaced or deleted is copied beside the record
//! first. The new contents are staged in files beside their places. Only then are they exchanged
//! with what is there, each in one step of the kernel's. Which phase an operation is in is told by
//! the journal's name, since a rename needs no room on a full disk:
//!
//! | journal | what the next start does |
//! |---|---|
//! | `journal.staging` | takes the staged files away: nothing had been touched |
//! | `journal.moving` | goes on to the end |
//! | `journal.undoing` | goes back to the beginning: something could not be moved |
//! | `operations/N/record.json` | nothing, the operation is complete |
//!
//! A file that is not what the plan saw is left alone. This is looked at when the operation begins
//! and, since the exchange keeps what it displaces, once more after it: what was written in between
//! goes back to its place.
//!
//! Start reading at [`Workplace`]; [`stage`](self) prepares, `moves` goes forward, `back` goes
//! back, `history` keeps and undoes.

mod back;
mod base;
mod disk;
mod error;
mod history;
mod journal;
mod locate;
mod moves;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use base::Base;
pub use disk::{Disk, Move, RealDisk};
pub use error::Error;
pub use history::{KEPT_BYTES_MAX, KEPT_OPERATIONS_MAX, Operation, Pruned, Touched, TouchedKind};
pub use locate::Bounds;

pub(crate) use locate::read_file;

use journal::Phase;
use wharf_localstate::FileLock;

use crate::profile::{Entry, Manifest, ProfilePath};

/// Where an apply works, in absolute paths. All of it comes from the caller: nothing here reads the
/// environment, the clock or randomness.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The directory that holds the profile here, such as `~/.claude`. It is made when needed.
    pub root: PathBuf,
    /// The client's own directory for this server, profile and target: base, journal, backups.
    pub state: PathBuf,
    /// The lock of this root, in a directory that is there. Two states that write to one root have
    /// to share it.
    pub lock: PathBuf,
    /// Directories besides the root that symbolic links may lead into, such as the home directory.
    pub within: Vec<PathBuf>,
    /// Paths that are one member of a JSON file elsewhere: `mcp.json` is `mcpServers` of
    /// `~/.claude.json`.
    pub members: Vec<MemberPlace>,
    /// A random number, new for each start: staged files are named by it, so that two programs
    /// never take each other's files for their own.
    pub nonce: u64,
}

/// A path of the profile that is one member of the outermost object of a JSON file.
#[derive(Debug, Clone)]
pub struct MemberPlace {
    /// The path in the profile.
    pub path: ProfilePath,
    /// The JSON file.
    pub file: PathBuf,
    /// The member's name.
    pub member: String,
}

/// One file to change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its path.
    pub path: ProfilePath,
    /// What it has to be now; nothing when it has to be absent.
    pub expect: Option<Entry>,
    /// What it becomes.
    pub to: To,
}

/// What a file becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// This content.
    Content {
        /// All of it.
        bytes: Arc<[u8]>,
        /// Whether its owner may execute it.
        executable: bool,
        /// All bits of its mode, where they are known. Otherwise a file keeps its own, and a new
        /// one is 0600 or 0700.
        mode: Option<u32>,
    },
    /// The content it has, with or without the right to execute it.
    Mode {
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// Nothing: it goes into the backup.
    Nothing,
}

/// What an apply did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its number, by which it is undone; nothing when there was nothing to do.
    pub operation: Option<u64>,
    /// Files that were written or had their mode set.
    pub written: Vec<ProfilePath>,
    /// Files that are in the backup now.
    pub deleted: Vec<ProfilePath>,
    /// Files that were left alone, because somebody changed them meanwhile. What was agreed before
    /// still holds for them, so that the next plan finds the conflict.
    pub skipped: Vec<ProfilePath>,
    /// Paths that a link makes one file here, and that were to become different things: a path, and
    /// the one before it. Both were left alone, and what was agreed before still holds for them.
    pub doubled: Vec<(ProfilePath, ProfilePath)>,
    /// Older operations that were forgotten to make room.
    pub pruned: Pruned,
}

/// What the start found of an operation that had not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// It was completed.
    Completed(Outcome),
    /// It was taken back: every file is as it was before.
    TakenBack,
}

/// Whether an operation in this state directory has not come to its end, which opening its
/// [`Workplace`] brings it to.
#[must_use]
pub fn is_unfinished(state: &Path) -> bool {
    Phase::ALL.iter().any(|phase| phase.file(state).exists())
}

/// The right to change the files of one root, held until it is dropped.
#[derive(Debug)]
pub struct Workplace<D = RealDisk> {
    ground: Ground,
    disk: D,
    bounds: Bounds,
    base: Base,
    recovered: Option<Recovered>,
    _lock: FileLock,
}

impl Workplace<RealDisk> {
    /// Takes the lock, completes what an earlier run left, and reads what was agreed on.
    ///
    /// # Errors
    /// [`Error::Busy`] when another sync holds the lock; otherwise when the state cannot be read,
    /// or what was left cannot be completed.
    pub fn open(ground: Ground) -> Result<Self, Error> {
        Self::open_on(ground, RealDisk)
    }
}

impl Outcome {
    /// Whether something was left alone that was to be changed.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        !self.skipped.is_empty() || !self.doubled.is_empty()
    }
}

impl<D: Disk> Workplace<D> {
    /// [`Workplace::open`] on another disk, for tests of what a disk may do.
    ///
    /// # Errors
    /// As [`Workplace::open`].
    pub fn open_on(ground: Ground, disk: D) -> Result<Self, Error> {
        wharf_localstate::private::make_dir(&ground.state)?;
        let lock = FileLock::try_take(&ground.lock)?.ok_or(Error::Busy)?;
        let bounds = Bounds::of(&ground.root, &ground.within)?;
        let base = Base::load(&ground.state)?;
        let mut workplace = Self {
            ground,
            disk,
            bounds,
            base,
            recovered: None,
            _lock: lock,
        };
        workplace.recovered = workplace.recover()?;
        workplace.base = Base::load(&workplace.ground.state)?;
        Ok(workplace)
    }

    /// What was left by an earlier run, and what became of it.
    #[must_use]
    pub fn recovered(&self) -> Option<&Recovered> {
        self.recovered.as_ref()
    }

    /// What both sides agreed on last.
    #[must_use]
    pub fn base(&self) -> &Base {
        &self.base
    }

    /// Makes the changes, all of them or none, and records `agreed` as the new base. Where nothing
    /// is to be changed only the base is recorded, and nothing at all when it is the same.
    ///
    /// # Errors
    /// [`Error::Changed`] when a file is not what its change expects: nothing was written then.
    /// [`Error::Unfinished`] when the disk failed so that neither the end nor the beginning could
    /// be reached: the next start does. After any other error every file is as it was before.
    pub fn apply(&mut self, changes: &[Change], agreed: Base, at: i64) -> Result<Outcome, Error> {
        let outcome = self.operate(changes, agreed, at, None);
        // Whatever happened, what is on the disk is what holds.
        self.base = Base::load(&self.ground.state)?;
        outcome
    }

    /// Records what both sides agree on, as after a push.
    ///
    /// # Errors
    /// When it cannot be written; the base is the old one then.
    pub fn agree(&mut self, agreed: Base) -> Result<(), Error> {
        if agreed != self.base {
            self.base.save(&self.ground, &self.disk, &agreed)?;
            self.base = agreed;
        }
        Ok(())
    }

    fn operate(
        &mut self,
        changes: &[Change],
        agreed: Base,
        at: i64,
        undoes: Option<u64>,
    ) -> Result<Outcome, Error> {
        if changes.is_empty() {
            self.agree(agreed)?;
            return Ok(Outcome::default());
        }
        let mut prepared = self.prepare(changes, agreed, at, undoes)?;
        let doubled = prepared.doubled();
        if prepared.is_empty() {
            self.agree(prepared.next())?;
            return Ok(Outcome {
                doubled,
                ..Outcome::default()
            });
        }
        let journal = match self.stage(prepared) {
            Ok(journal) => journal,
            Err(error) => return Err(self.take_back(error)),
        };
        if let Err(error) = self.turn(Phase::Staging, Phase::Moving) {
            return Err(self.take_back(error));
        }
        let outcome = self.finish(&journal)?;
        Ok(Outcome { doubled, ..outcome })
    }

    /// The manifest that a plan starts from: [`Base::manifest`].
    #[must_use]
    pub fn agreed(&self) -> &Manifest {
        &self.base.manifest
    }
}
