//! Files and directories that only their owner can read: made so, kept so, replaced in one step.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Mode of every directory of ours.
pub const DIR_MODE: u32 = 0o700;
/// Mode of every file of ours.
pub const FILE_MODE: u32 = 0o600;
/// The largest file that is read whole.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A mode that was wider than it may be, and has been set right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The file or directory.
    pub path: PathBuf,
    /// The mode it had.
    pub was: u32,
    /// The mode it has now.
    pub now: u32,
}

impl std::fmt::Display for Repaired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, was, now } = self;
        write!(
            f,
            "{} could be used by others (mode {was:03o}); it is {now:03o} now",
            path.display()
        )
    }
}

/// Makes `dir` and its parents. A directory that was there is made private, and that is reported.
///
/// # Errors
/// When it cannot be made, is no directory, or belongs to somebody else.
pub fn make_dir(dir: &Path) -> Result<Option<Repaired>, Error> {
    let made = DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir);
    made.map_err(|source| Error::MakeDir {
        path: dir.to_owned(),
        source,
    })?;
    protect(dir, DIR_MODE)
}

/// Sets the mode of a file or directory of ours right, and says whether that was needed.
///
/// # Errors
/// When it is absent or belongs to somebody else.
pub fn protect(path: &Path, mode: u32) -> Result<Option<Repaired>, Error> {
    let found = fs::metadata(path).map_err(Error::protect(path))?;
    // Root may look after anybody's files: `sudo wharf doctor` is not an attack.
    let me = rustix::process::geteuid();
    if found.uid() != me.as_raw() && !me.is_root() {
        return Err(Error::Foreign {
            path: path.to_owned(),
            owner: found.uid(),
        });
    }
    let was = found.mode() & 0o777;
    if was & !mode == 0 {
        return Ok(None);
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::protect(path))?;
    Ok(Some(Repaired {
        path: path.to_owned(),
        was,
        now: mode,
    }))
}

/// Reads a file of ours, if it is there.
///
/// # Errors
/// When it cannot be read, is larger than [`FILE_BYTES_MAX`], or is not text.
pub fn read(path: &Path) -> Result<Option<String>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::read(path)(error)),
    };
    let mut bytes = Vec::new();
    let mut limited = file.take(FILE_BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).map_err(Error::read(path))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit: FILE_BYTES_MAX,
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(Error::Damaged {
            path: path.to_owned(),
            reason: "it is not UTF-8".into(),
        }),
    }
}

/// Replaces a file: whoever reads it sees the old or the new text, also after a power cut.
/// The directory must be there. A symbolic link is followed, so that a configuration that is kept
/// elsewhere stays a link.
///
/// # Errors
/// When a step fails; the old file is untouched then.
pub fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = real.parent().unwrap_or(Path::new("/"));
    let step = || {
        let file = private_temp(dir, text)?;
        file.persist(&real).map_err(|error| error.error)?;
        sync_dir(dir)
    };
    step().map_err(Error::write(path))
}

/// Writes a file that must not be there yet; nobody ever sees half of it. False when it is there:
/// then nothing is written.
///
/// # Errors
/// When a step fails; nothing is left behind then.
pub fn create(path: &Path, text: &[u8]) -> Result<bool, Error> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let step = || {
        let file = private_temp(dir, text)?;
        match file.persist_noclobber(path) {
            Ok(_) => sync_dir(dir).map(|()| true),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(failed) => Err(failed.error),
        }
    };
    step().map_err(Error::write(path))
}

/// A file without a name of its own yet, which is removed unless it gets one.
fn private_temp(dir: &Path, text: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".wharf-")
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(dir)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A new name is on the disk only when its directory is.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_directory_is_made_private_with_its_parents() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("a/b");

        assert_eq!(make_dir(&dir).unwrap(), None);

        assert_eq!((mode(&dir), mode(dir.parent().unwrap())), (0o700, 0o700));
    }

    #[test]
    fn a_directory_that_others_can_read_is_repaired_and_reported() {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), Permissions::from_mode(0o755)).unwrap();

        let repaired = make_dir(temp.path()).unwrap().unwrap();

        assert_eq!(
            (repaired.was, repaired.now, mode(temp.path())),
            (0o755, 0o700, 0o700)
        );
        assert_eq!(make_dir(temp.path()).unwrap(), None, "once is enough");
    }

    #[test]
    fn a_stricter_mode_is_left_alone() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        fs::set_permissions(temp.path(), Permissions::from_mode(0o400)).unwrap();
        assert_eq!(protect(temp.path(), FILE_MODE).unwrap(), None);
        assert_eq!(mode(temp.path()), 0o400);
    }

    #[test]
    fn writing_replaces_the_text_and_leaves_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("x");

        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();

        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }

    #[test]
    fn writing_through_a_link_keeps_the_link() {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("real"), temp.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();

        write(&link, b"new").unwrap();

        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn a_file_is_created_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("x");

        assert!(create(&path, b"mine").unwrap());
        assert!(!create(&path, b"yours").unwrap());

        assert_eq!(read(&path).unwrap().as_deref(), Some("mine"));
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn reading_has_a_bound_and_knows_absence() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("x");
        assert_eq!(read(&path).unwrap(), None);
        let bound = usize::try_from(FILE_BYTES_MAX).unwrap();
        fs::write(&path, vec![b'x'; bound]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().len(), bound);
        fs::write(&path, vec![b'x'; bound + 1]).unwrap();
        assert!(matches!(read(&path), Err(Error::TooLarge { .. })));
    }
}
