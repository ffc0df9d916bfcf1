//! Writing into the workspace: below directories that are none of links, one file at a time, each
//! the old or the new one at every moment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::{There, hash_of};
use crate::manifest::{Entry, What};
use crate::path::RelPath;

/// The name under which a file is written before it has its own. A walk leaves it out: a run that
/// was ended may have left one.
pub(crate) const TEMP: &str = ".wharf-pull";

/// A workspace that is written.
#[derive(Debug)]
pub(super) struct Ground {
    root: OwnedFd,
}

impl Ground {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: rustix::fs::openat(CWD, root, flags, Mode::empty())?,
        })
    }

    /// The directory of a path, opened part by part. Those that are missing are made if wanted.
    fn parent(&self, path: &RelPath, make: bool) -> io::Result<OwnedFd> {
        let mut at = self.root.try_clone()?;
        let parts = path
            .parent()
            .into_iter()
            .flat_map(|parent| parent.split(|byte| *byte == b'/'));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        for part in parts {
            if make {
                match rustix::fs::mkdirat(&at, part, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            at = rustix::fs::openat(&at, part, flags, Mode::empty())?;
        }
        Ok(at)
    }

    /// Whether what is at a path is what was looked at: the same kind, content and permissions;
    /// nothing, where there was nothing.
    pub(super) fn is_as(&self, path: &RelPath, looked_at: Option<&Entry>) -> bool {
        let found = self.parent(path, false).and_then(|parent| {
            let name = path.name();
            let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok((parent, stat.st_mode))
        });
        let Some(entry) = looked_at else {
            // A directory above it that is none is in the way of whatever is put there.
            return found.is_err();
        };
        let Ok((parent, mode)) = found else {
            return false;
        };
        let kind = rustix::fs::FileType::from_raw_mode(mode);
        match &entry.what {
            What::Dir => kind.is_dir(),
            What::Link { target } => rustix::fs::readlinkat(&parent, path.name(), Vec::new())
                .is_ok_and(|found| found.as_bytes() == &**target),
            What::File { hash, .. } => {
                kind.is_file()
                    && mode & 0o777 == entry.mode
                    && open(&parent, path.name())
                        .and_then(|file| hash_of(&file))
                        .is_ok_and(|(_, found)| found == *hash)
            }
        }
    }

    /// What is in a file, which is no link and not below one, and at most so long.
    pub(super) fn read(&self, path: &RelPath, most: u64) -> io::Result<Vec<u8>> {
        let file = open(&self.parent(path, false)?, path.name())?;
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other("it is longer than is read"));
        }
        Ok(bytes)
    }

    /// Puts something at a path. A file that is there is replaced; a directory is not.
    pub(super) fn put(&self, path: &RelPath, there: &There, content: &[u8]) -> io::Result<()> {
        let parent = self.parent(path, true)?;
        let name = path.name();
        if there.what == What::Dir {
            return match rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o777)) {
                Err(Errno::EXIST) if is_dir(&parent, name) => Ok(()),
                other => other.map_err(io::Error::from),
            };
        }
        if is_dir(&parent, name) {
            return Err(Errno::ISDIR.into());
        }
        // What an earlier run may have left.
        let _none = rustix::fs::unlinkat(&parent, TEMP, AtFlags::empty());
        let made = match &there.what {
            What::Link { target } => {
                rustix::fs::symlinkat(OsStr::from_bytes(target), &parent, TEMP).map_err(Into::into)
            }
            _ => write(&parent, there.mode, content),
        };
        made.and_then(|()| Ok(rustix::fs::renameat(&parent, TEMP, &parent, name)?))
            .inspect_err(|_| {
                let _none = rustix::fs::unlinkat(&parent, TEMP, AtFlags::empty());
            })
    }

    /// Takes something away. A directory goes only if it is empty.
    pub(super) fn remove(&self, path: &RelPath) -> io::Result<()> {
        let parent = self.parent(path, false)?;
        let flags = match is_dir(&parent, path.name()) {
            true => AtFlags::REMOVEDIR,
            false => AtFlags::empty(),
        };
        Ok(rustix::fs::unlinkat(&parent, path.name(), flags)?)
    }
}

/// Opens a file of a directory: no link, and nothing that would wait.
fn open(parent: &OwnedFd, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    Ok(file)
}

fn is_dir(parent: &OwnedFd, name: &[u8]) -> bool {
    let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| rustix::fs::FileType::from_raw_mode(found.st_mode).is_dir())
}

fn write(parent: &OwnedFd, mode: u32, content: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(parent, TEMP, flags, Mode::from_raw_mode(0o600))?;
    let mut file = File::from(file);
    file.write_all(content)?;
    // For others as for the owner there, and never more: no setuid.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
    Ok(())
}
