//! Removing a tree that somebody hostile has made: however deep it is, three descriptors and no
//! recursion.

use std::ffi::CStr;
use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Removes a directory with all that is in it; one that is gone already is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match is_gone(CWD, path)? {
        Gone::Yes => return Ok(()),
        Gone::Full => {}
    }
    let top = open(CWD, path)?;
    let mut next = 0_u64;
    loop {
        let mut empty = true;
        for entry in Dir::read_from(&top)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_self(name) {
                continue;
            }
            empty = false;
            if let Gone::Full = is_gone(top.as_fd(), name)? {
                flatten(top.as_fd(), name, &mut next)?;
            }
        }
        if empty {
            break;
        }
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

enum Gone {
    Yes,
    /// It is a directory that is not empty.
    Full,
}

/// Removes one name unless it is a directory with something in it.
fn is_gone<P: Arg + Copy>(at: BorrowedFd<'_>, name: P) -> io::Result<Gone> {
    match unlinkat(at, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(Gone::Yes),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    match unlinkat(at, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Gone::Yes),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Gone::Full),
        Err(error) => Err(error.into()),
    }
}

/// Empties a directory of `top`: directories with something in them are moved up beside it.
fn flatten(top: BorrowedFd<'_>, name: &CStr, next: &mut u64) -> io::Result<()> {
    let directory = open(top, name)?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let child = entry.file_name();
        if is_self(child) {
            continue;
        }
        let gone = match is_gone(directory.as_fd(), child) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                reopen(&directory)?;
                is_gone(directory.as_fd(), child)?
            }
            other => other?,
        };
        if let Gone::Full = gone {
            move_up(top, &directory, child, next)?;
        }
    }
    Ok(())
}

fn move_up(top: BorrowedFd<'_>, from: &OwnedFd, child: &CStr, next: &mut u64) -> io::Result<()> {
    let mut opened = false;
    loop {
        *next += 1;
        match renameat(from, child, top, format!("{next}")) {
            Ok(()) => return Ok(()),
            // Somebody has called theirs so.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            // A directory that is moved is written to.
            Err(Errno::ACCESS) if !opened => {
                opened = true;
                reopen(&place(from.as_fd(), child)?)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Opens a directory, also one that whoever worked inside has closed to themselves, an overlay's
/// own among them.
fn open<P: Arg + Copy>(at: BorrowedFd<'_>, name: P) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(at, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            reopen(&place(at, name)?)?;
            Ok(openat(at, name, flags, Mode::empty())?)
        }
        other => Ok(other?),
    }
}

fn place<P: Arg>(at: BorrowedFd<'_>, name: P) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

/// Opens a directory to its owner. By its descriptor: a name might be a link by now.
fn reopen(directory: &OwnedFd) -> io::Result<()> {
    let itself = format!("/proc/self/fd/{}", directory.as_raw_fd());
    std::fs::set_permissions(itself, Permissions::from_mode(0o700))
}

fn is_self(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_tree_is_removed_whatever_its_directories_are_called() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        // Names that removing would use, as a file and as a directory.
        std::fs::write(tree.join("1"), "").unwrap();
        std::fs::create_dir_all(tree.join("2/x")).unwrap();
        let mut at = openat(CWD, &tree, OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..5000 {
            rustix::fs::mkdirat(&at, "d", Mode::from_raw_mode(0o500)).unwrap();
            at = openat(&at, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        drop(at);
        let outside = place.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("kept"), "").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("link")).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.join("kept").exists());
        remove(&tree).unwrap();
    }
}
