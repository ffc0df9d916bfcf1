//! Bare git repositories: made, read, and written so that a crash leaves the version before or the
//! version after, never anything between.
//!
//! Reading and the formats of objects are gitoxide's. Writing is ours, because nothing in its
//! object database flushes to the disk: an object is flushed before it has its name, and the branch
//! is flushed before it points to it. There is one writer at a time, across processes too.

pub(crate) mod commits;
pub(crate) mod files;
pub(crate) mod objects;
pub(crate) mod pack;
pub(crate) mod refs;
pub(crate) mod trees;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{self, Error};
use crate::limits::{LOCK_POLL, LOCK_WAIT};
use crate::owner::Owner;
use crate::profiles::damaged;

pub(crate) use gix_hash::ObjectId;

/// Files of a profile are their owner's and the server's alone.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// The branch that a profile is.
pub(crate) const BRANCH: &str = "refs/heads/main";

/// What a repository is told of itself. Branches stay files (`gc.packRefs`), and nothing is
/// collected behind our back. Objects are flushed by git's own commands as well.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n\
                      \tfsync = all\n[gc]\n\tauto = 0\n\tpackRefs = false\n\
                      [receive]\n\tdenyNonFastForwards = true\n\tfsckObjects = true\n";

/// The place of one profile's repository, which may not be there yet.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    directory: PathBuf,
    lock: PathBuf,
}

impl Repository {
    /// The repository of `owner` below `root`.
    pub(crate) fn of(root: &Path, owner: &Owner) -> Self {
        let layer = root.join(owner.layer().as_str());
        Self {
            directory: layer.join(format!("{}.git", owner.id())),
            lock: layer.join(format!("{}.lock", owner.id())),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.directory.join("objects")
    }

    /// The id of the newest version; none where nothing was saved.
    pub(crate) fn head(&self) -> Result<Option<ObjectId>, Error> {
        refs::read(&self.directory, BRANCH)
    }

    /// Waits until no other process writes here, and makes the repository where there is none.
    pub(crate) fn lock(&self) -> Result<Locked<'_>, Error> {
        self.lock_within(LOCK_WAIT)
    }

    /// The same, for no longer than `wait`.
    pub(crate) fn lock_within(&self, wait: Duration) -> Result<Locked<'_>, Error> {
        let layer = self.directory.parent().unwrap_or(&self.directory);
        make_directory(layer)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.mode(FILE_MODE).open(&self.lock);
        let file = file.map_err(error::io("open the lock of a profile"))?;
        let since = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if since.elapsed() < wait => {
                    std::thread::sleep(LOCK_POLL);
                }
                Err(Errno::WOULDBLOCK) => return Err(Error::Busy),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(error::io("lock a profile")(errno.into())),
            }
        }
        let locked = Locked {
            repository: self,
            _file: file,
        };
        locked.make()?;
        Ok(locked)
    }
}

/// The proof that nobody else writes to the repository. Ends when it is dropped, and with the
/// process.
#[derive(Debug)]
pub(crate) struct Locked<'a> {
    repository: &'a Repository,
    _file: File,
}

impl Locked<'_> {
    pub(crate) fn repository(&self) -> &Repository {
        self.repository
    }

    /// Makes the branch point to `new`, if it points to `old` now.
    ///
    /// Everything that `new` leads to must be flushed already.
    pub(crate) fn advance(&self, old: Option<ObjectId>, new: ObjectId) -> Result<(), Error> {
        refs::compare_and_swap(&self.repository.directory, BRANCH, old, new)
    }

    /// Makes a repository beside its place and moves it there in one step.
    fn make(&self) -> Result<(), Error> {
        let place = &self.repository.directory;
        let step = || error::io("make the repository of a profile");
        if place.join("HEAD").try_exists().map_err(step())? {
            return Ok(());
        }
        // It comes to its place whole, so that no crash leaves this. Whatever did, or does not see
        // all of it now, there may be a history in it.
        if place.try_exists().map_err(step())? {
            return Err(damaged("open the repository of a profile"));
        }
        let new = place.with_extension("new");
        // What a crash has left of an earlier try; the lock says that nobody else is at it.
        match std::fs::remove_dir_all(&new) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(step()(error)),
        }
        lay_out(&new)?;
        std::fs::rename(&new, place).map_err(step())?;
        let layer = place.parent().unwrap_or(place);
        files::flush_directory(layer).map_err(step())
    }
}

/// Makes an empty repository at `place`, on the disk but for its own name.
pub(crate) fn lay_out(place: &Path) -> Result<(), Error> {
    let step = || error::io("make the repository of a profile");
    let folders = [
        "",
        "objects",
        "objects/pack",
        "objects/info",
        "refs",
        "refs/heads",
    ];
    for below in folders {
        make_directory(&place.join(below))?;
    }
    files::write_new(&place.join("config"), CONFIG.as_bytes()).map_err(step())?;
    let head = format!("ref: {BRANCH}\n");
    files::write_new(&place.join("HEAD"), head.as_bytes()).map_err(step())?;
    for below in ["refs", "objects", ""] {
        files::flush_directory(&place.join(below)).map_err(step())?;
    }
    Ok(())
}

/// Makes a directory and those above it, and flushes their names.
pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let step = || error::io("make a directory of profiles");
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(DIRECTORY_MODE);
    builder.create(path).map_err(step())?;
    for above in path.ancestors().skip(1).take(2) {
        files::flush_directory(above).map_err(step())?;
    }
    Ok(())
}
