//! Locks between processes, by `flock`: gone with the process that held them, however it ended.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::Error;
use crate::private::FILE_MODE;

/// A lock that is held until this is dropped or the process ends. The file itself stays: removing
/// it would let two processes hold two files of the same name.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, or returns `None` at once when somebody else has it.
    ///
    /// # Errors
    /// When the file cannot be opened or the file system has no locks.
    pub fn try_take(path: &Path) -> Result<Option<Self>, Error> {
        let file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed(path, error.into())),
        }
    }

    /// Waits until the lock is free, and takes it. Only for locks that are held for a bounded time.
    ///
    /// # Errors
    /// When the file cannot be opened or the file system has no locks.
    pub fn wait(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed(path, error.into())),
            }
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    // Standard library files are close-on-exec, so that no child inherits the lock.
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE);
    options.open(path).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Lock {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");

        let first = FileLock::try_take(&path).unwrap();
        assert!(first.is_some());
        assert!(FileLock::try_take(&path).unwrap().is_none());

        drop(first);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }

    #[test]
    fn a_waiter_gets_it_when_it_is_free() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let held = FileLock::wait(&path).unwrap();
        let waiter = std::thread::spawn(move || FileLock::wait(&path).is_ok());
        drop(held);
        assert!(waiter.join().unwrap());
    }
}
