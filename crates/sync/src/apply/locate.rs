//! From a path in the profile to the file on this machine, through the links that lead there.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::error::Error;
use crate::profile::{Digest, ProfilePath};

/// The directories that a write may end in, links resolved.
#[derive(Debug, Clone)]
pub struct Bounds {
    allowed: Vec<PathBuf>,
}

/// Where a path's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The file itself, behind all links.
    pub(super) file: PathBuf,
    /// The innermost directory above it that is there.
    pub(super) ground: PathBuf,
    /// The directories between, outermost first, that are not there yet.
    pub(super) missing: Vec<PathBuf>,
}

/// What a file is now.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) sha256: Digest,
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

impl Bounds {
    /// The root and the directories that links may lead into. Those that are not there yet count
    /// as what they will be.
    ///
    /// # Errors
    /// When a directory cannot be looked at.
    pub fn of(root: &Path, within: &[PathBuf]) -> Result<Self, Error> {
        let real = |dir: &Path| resolve(dir).map(|location| location.file);
        let dirs = std::iter::once(root).chain(within.iter().map(PathBuf::as_path));
        let allowed = dirs.map(|dir| real(dir).map_err(Error::io("looking at", dir)));
        let allowed = allowed.collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }

    /// Whether a file behind all links may be read and written.
    #[must_use]
    pub fn hold(&self, real: &Path) -> bool {
        self.allowed.iter().any(|dir| real.starts_with(dir))
    }

    pub(super) fn locate(&self, path: &ProfilePath, file: &Path) -> Result<Location, Error> {
        let location = match resolve(file) {
            Ok(location) => location,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                let (path, real) = (path.clone(), file.to_owned());
                return Err(Error::NotAFile { path, real });
            }
            Err(error) => return Err(Error::io("looking at", file)(error)),
        };
        if self.hold(&location.file) {
            return Ok(location);
        }
        let (path, real) = (path.clone(), location.file);
        Err(Error::Outside { path, real })
    }
}

/// Follows links to where `path` is, or would be made.
fn resolve(path: &Path) -> io::Result<Location> {
    match fs::canonicalize(path) {
        Ok(file) => {
            let ground = file.parent().unwrap_or(Path::new("/")).to_owned();
            let missing = Vec::new();
            Ok(Location {
                file,
                ground,
                missing,
            })
        }
        Err(error) if is_absent(&error) => beside_absent(path),
        Err(error) => Err(error),
    }
}

fn beside_absent(path: &Path) -> io::Result<Location> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
        // A link to what is not there yet is written through as well. One more link behind it
        // would be a chain of dangling ones: nobody's intention.
        let target = parent.join(fs::read_link(path)?);
        let is_link = fs::symlink_metadata(&target).is_ok_and(|found| found.is_symlink());
        if is_link {
            return Err(rustix::io::Errno::LOOP.into());
        }
        return resolve(&target);
    }
    let above = resolve(parent)?;
    let mut missing = above.missing;
    let is_dir = fs::metadata(&above.file).is_ok_and(|found| found.is_dir());
    let ground = if is_dir {
        above.file.clone()
    } else {
        missing.push(above.file.clone());
        above.ground
    };
    let file = above.file.join(name);
    Ok(Location {
        file,
        ground,
        missing,
    })
}

/// Nothing has this name. A file where a directory would be is the same: below it is nothing.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads a regular file whole; nothing when there is none.
///
/// Opening does not wait, whatever is there: a pipe without a writer would never let us go on.
pub(super) fn find(file: &Path) -> io::Result<Option<Found>> {
    let mut options = fs::OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let mut open = match options.read(true).custom_flags(flags).open(file) {
        Ok(open) => open,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = open.metadata()?;
    if !found.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes)?;
    Ok(Some(Found {
        sha256: Digest::of(&bytes),
        mode: found.mode() & 0o7777,
        bytes,
    }))
}

/// The content of a regular file that a link may lead to, without waiting; nothing when there is
/// none.
pub(crate) fn read_file(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::canonicalize(file) {
        Ok(real) => Ok(find(&real)?.map(|found| found.bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The digest of a file; nothing when there is none, or something that is no file.
pub(super) fn digest(file: &Path) -> Result<Option<Digest>, Error> {
    match find(file) {
        Ok(found) => Ok(found.map(|found| found.sha256)),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        Err(error) => Err(Error::io("reading", file)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_what_is_missing_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let home = fs::canonicalize(temp.path()).unwrap();
        let root = home.join(".claude");
        fs::create_dir_all(home.join("dotfiles/agents")).unwrap();
        fs::create_dir(&root).unwrap();
        symlink("../dotfiles/CLAUDE.md", root.join("CLAUDE.md")).unwrap();
        symlink(home.join("dotfiles/agents"), root.join("agents")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        fs::write(root.join("commands"), "").unwrap();

        let file = |name: &str| resolve(&root.join(name)).map(|found| found.file);
        assert_eq!(file("CLAUDE.md").unwrap(), home.join("dotfiles/CLAUDE.md"));
        assert_eq!(
            file("agents/a.md").unwrap(),
            home.join("dotfiles/agents/a.md")
        );
        assert!(file("loop").is_err());

        let found = resolve(&root.join("skills/x/SKILL.md")).unwrap();
        assert_eq!(found.ground, root);
        assert_eq!(found.missing, [root.join("skills"), root.join("skills/x")]);
        let found = resolve(&root.join("commands/x/y")).unwrap();
        assert_eq!(found.ground, root);
        assert_eq!(
            found.missing,
            [root.join("commands"), root.join("commands/x")]
        );

        let path = ProfilePath::parse("CLAUDE.md").unwrap();
        let narrow = Bounds::of(&root, &[]).unwrap();
        assert!(narrow.locate(&path, &root.join("CLAUDE.md")).is_err());
        let wide = Bounds::of(&root, std::slice::from_ref(&home)).unwrap();
        assert!(wide.locate(&path, &root.join("CLAUDE.md")).is_ok());
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let pipe = temp.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(find(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(digest(&pipe).unwrap(), None);
        assert!(find(&temp.path().join("none")).unwrap().is_none());
    }
}
