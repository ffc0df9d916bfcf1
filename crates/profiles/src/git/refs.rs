//! Where a branch points to.
//!
//! A branch is a file of 41 bytes that is replaced in one step. Reading it each time is what makes
//! a change by another process seen at once; it is in the kernel's memory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{ObjectId, files};
use crate::error::{self, Error};

/// Largest file of packed names that is read, in bytes.
const PACKED_MAX: u64 = 1024 * 1024;

/// The commit that `name` points to in the repository at `directory`; none where there is none.
pub(crate) fn read(directory: &Path, name: &str) -> Result<Option<ObjectId>, Error> {
    match fs::read(directory.join(name)) {
        Ok(text) => parse(&text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => packed(directory, name),
        Err(error) => Err(error::io("read the version of a profile")(error)),
    }
}

/// Makes `name` point to `new` if it points to `old`, and flushes it.
///
/// The caller holds the lock of the profile. Git's own lock, a file beside the branch, is taken as
/// well, so that somebody who works here with git's commands is not overtaken.
pub(crate) fn compare_and_swap(
    directory: &Path,
    name: &str,
    old: Option<ObjectId>,
    new: ObjectId,
) -> Result<(), Error> {
    let step = || error::io("move a profile to its new version");
    let place = directory.join(name);
    let parent = place.parent().unwrap_or(directory);
    if !parent.is_dir() {
        super::make_directory(parent)?;
    }
    let gits_lock = place.with_extension("lock");
    let draft = directory.join("wharf-ref");
    if draft.exists() {
        // A crash came between. If git's lock is another name of our draft, it is our own.
        release_stale(&gits_lock).map_err(step())?;
        files::remove(&draft).map_err(step())?;
    }
    files::write_new(&draft, format!("{new}\n").as_bytes()).map_err(step())?;
    match fs::hard_link(&draft, &gits_lock) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            files::remove(&draft).map_err(step())?;
            return Err(Error::Busy);
        }
        Err(error) => return Err(step()(error)),
    }
    let current = read(directory, name);
    if !matches!(&current, Ok(current) if *current == old) {
        files::remove(&gits_lock).map_err(step())?;
        files::remove(&draft).map_err(step())?;
        let current = current?.map(|id| id.to_string()).unwrap_or_default();
        return Err(Error::Stale { current });
    }
    fs::rename(&gits_lock, &place).map_err(step())?;
    files::flush_directory(parent).map_err(step())?;
    files::remove(&draft).map_err(step())
}

/// Removes git's lock where it is ours: ours has two names until it becomes the branch, and one
/// of git's own has one.
fn release_stale(gits_lock: &Path) -> io::Result<()> {
    match fs::symlink_metadata(gits_lock) {
        Ok(found) if found.nlink() > 1 => files::remove(gits_lock),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Names that git has packed into one file.
fn packed(directory: &Path, name: &str) -> Result<Option<ObjectId>, Error> {
    let step = || error::io("read the packed versions of a profile");
    let path = directory.join("packed-refs");
    match fs::metadata(&path) {
        Ok(found) if found.len() <= PACKED_MAX => {}
        Ok(_) => return Err(step()(io::ErrorKind::FileTooLarge.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(step()(error)),
    }
    let text = fs::read_to_string(&path).map_err(step())?;
    let line = text.lines().find_map(|line| {
        let (id, packed) = line.split_once(' ')?;
        (packed == name).then_some(id)
    });
    line.map(|id| parse(id.as_bytes())).transpose()
}

fn parse(text: &[u8]) -> Result<ObjectId, Error> {
    ObjectId::from_hex(text.trim_ascii_end()).map_err(error::git("read the version of a profile"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "refs/heads/main";

    fn id(digit: u8) -> ObjectId {
        ObjectId::from_hex(&[digit; 40]).unwrap()
    }

    #[test]
    fn the_branch_moves_from_what_was_expected_only() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path();
        assert_eq!(read(at, NAME).unwrap(), None);
        compare_and_swap(at, NAME, None, id(b'a')).unwrap();
        let wrong = compare_and_swap(at, NAME, None, id(b'b'));
        assert!(matches!(wrong, Err(Error::Stale { current }) if current == "a".repeat(40)));
        compare_and_swap(at, NAME, Some(id(b'a')), id(b'b')).unwrap();
        assert_eq!(read(at, NAME).unwrap(), Some(id(b'b')));
        assert_eq!(fs::read_dir(at).unwrap().count(), 1, "only refs is left");
        assert_eq!(fs::read_dir(at.join("refs/heads")).unwrap().count(), 1);
    }

    #[test]
    fn a_lock_of_git_is_respected_and_one_of_a_crash_is_not() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path();
        compare_and_swap(at, NAME, None, id(b'a')).unwrap();
        let lock = at.join("refs/heads/main.lock");
        fs::write(&lock, "").unwrap();
        let busy = compare_and_swap(at, NAME, Some(id(b'a')), id(b'b'));
        assert!(matches!(busy, Err(Error::Busy)));
        fs::remove_file(&lock).unwrap();

        let draft = at.join("wharf-ref");
        fs::write(&draft, "half").unwrap();
        fs::hard_link(&draft, &lock).unwrap();
        compare_and_swap(at, NAME, Some(id(b'a')), id(b'b')).unwrap();
        assert_eq!(read(at, NAME).unwrap(), Some(id(b'b')));
    }

    #[test]
    fn packed_names_are_read() {
        let temp = tempfile::tempdir().unwrap();
        let text = format!("# pack-refs with: peeled\n{} {NAME}\n", id(b'c'));
        fs::write(temp.path().join("packed-refs"), text).unwrap();
        assert_eq!(read(temp.path(), NAME).unwrap(), Some(id(b'c')));
    }
}
