//! Writing into the workspace: below directories that are none of links, one file at a time, each
//! the old or the new one at every moment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::There;
use crate::manifest::What;
use crate::path::RelPath;

/// The name under which a file is written before it has its own. Git and we leave it out.
const TEMP: &str = ".wharf-pull";

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
