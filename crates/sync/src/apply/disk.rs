//! Every call by which an apply changes a disk, so that a test can fail or end each of them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// How a file is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Over whatever is there.
    Over,
    /// Only to where nothing is.
    New,
    /// The two change places.
    Swap,
}

/// What changes a disk. Reading is done with the standard library.
pub trait Disk {
    /// Makes a file that must not be there yet, with exactly this mode.
    ///
    /// # Errors
    /// Those of the system; so for all of these.
    fn create(&self, path: &Path, mode: u32) -> io::Result<File>;
    /// Writes all bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Waits until the file's content is on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// [`Disk::sync`] for many files, in any order.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_many(&self, files: &[File]) -> io::Result<()> {
        files.iter().try_for_each(|file| self.sync(file))
    }
    /// Moves a file. `Unsupported` where the file system cannot do it in this way.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &Path, to: &Path, how: Move) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory.
    ///
    /// # Errors
    /// Those of the system.
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of the system.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Sets a file's mode.
    ///
    /// # Errors
    /// Those of the system.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Waits until the names in a directory are on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// [`Disk::sync_dir`] for many directories, in any order.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_dirs(&self, paths: &[&Path]) -> io::Result<()> {
        paths.iter().try_for_each(|path| self.sync_dir(path))
    }
}

/// How many threads wait for the disk at once. A disk writes what many wait for in one go: one
/// after the other, 500 files take seconds.
const WAITING_MAX: usize = 16;

/// Does something for each item, several at once; the first failure in the order of the items.
fn at_once<T: Sync>(items: &[T], each: impl Fn(&T) -> io::Result<()> + Sync) -> io::Result<()> {
    let share = items.len().div_ceil(WAITING_MAX).max(1);
    if items.len() <= 1 {
        return items.iter().try_for_each(each);
    }
    let each = &each;
    std::thread::scope(|scope| {
        let threads = items.chunks(share).map(|items| {
            let work = move || items.iter().try_for_each(each);
            std::thread::Builder::new().spawn_scoped(scope, work)
        });
        let threads: Vec<_> = threads.collect();
        let mut result = Ok(());
        for thread in threads {
            let done = match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread ended"))),
                Err(error) => Err(error),
            };
            result = result.and(done);
        }
        result
    })
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(path)?;
        // The umask takes bits away that the file is to have.
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(file)
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path, how: Move) -> io::Result<()> {
        let flags = match how {
            Move::Over => return fs::rename(from, to),
            Move::New => RenameFlags::NOREPLACE,
            Move::Swap => RenameFlags::EXCHANGE,
        };
        match renameat_with(CWD, from, CWD, to, flags) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) if how == Move::New => {
                // A hard link is never made over something, either.
                fs::hard_link(from, to)?;
                fs::remove_file(from)
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            done => Ok(done?),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().mode(mode).create(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_many(&self, files: &[File]) -> io::Result<()> {
        at_once(files, File::sync_all)
    }

    fn sync_dirs(&self, paths: &[&Path]) -> io::Result<()> {
        at_once(paths, |path| self.sync_dir(path))
    }
}

impl<D: Disk> Disk for &D {
    fn create(&self, path: &Path, mode: u32) -> io::Result<File> {
        (**self).create(path, mode)
    }
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        (**self).write(file, bytes)
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        (**self).sync(file)
    }
    fn rename(&self, from: &Path, to: &Path, how: Move) -> io::Result<()> {
        (**self).rename(from, to, how)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        (**self).remove(path)
    }
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        (**self).make_dir(path, mode)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        (**self).remove_dir(path)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        (**self).set_mode(path, mode)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        (**self).sync_dir(path)
    }
    fn sync_many(&self, files: &[File]) -> io::Result<()> {
        (**self).sync_many(files)
    }
    fn sync_dirs(&self, paths: &[&Path]) -> io::Result<()> {
        (**self).sync_dirs(paths)
    }
}

/// A whole file that was not there, on the disk when this returns; its name is once its directory
/// is synced.
pub(super) fn write_new(disk: &impl Disk, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(path, mode)?;
    disk.write(&mut file, bytes)?;
    disk.sync(&file)
}

/// The most files that are open at once while they wait for the disk.
const OPEN_MAX: usize = 64;

/// Whole files that were not there, on the disk once [`Writing::finish`] returns.
pub(super) struct Writing<'a, D> {
    disk: &'a D,
    open: Vec<File>,
}

impl<'a, D: Disk> Writing<'a, D> {
    pub(super) fn new(disk: &'a D) -> Self {
        let open = Vec::with_capacity(OPEN_MAX);
        Self { disk, open }
    }

    pub(super) fn add(&mut self, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.disk.create(path, mode)?;
        self.disk.write(&mut file, bytes)?;
        self.open.push(file);
        if self.open.len() < OPEN_MAX {
            return Ok(());
        }
        self.finish()
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.disk.sync_many(&self.open)?;
        self.open.clear();
        Ok(())
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove_if_there(disk: &impl Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
