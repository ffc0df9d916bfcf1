//! A path inside the workspace, as bytes: names of files need not be text.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The longest path that is taken, in bytes: what Linux takes in one system call.
pub const PATH_BYTES_MAX: usize = 4095;
/// The longest name between two slashes.
pub const NAME_BYTES_MAX: usize = 255;

/// A path below the workspace's directory. It has no empty part, no `.` or `..` and no NUL, so
/// that joining it to a directory cannot lead out of there, links excepted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Box<[u8]>);

/// Why something is no path of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Nothing, or nothing between two slashes.
    #[error("it has an empty part")]
    Empty,
    /// It is absolute, which is an empty part at the front, or leads upwards.
    #[error("it leads out of the directory")]
    Outside,
    /// It has a NUL.
    #[error("it has a zero byte")]
    Nul,
    /// It is longer than the system takes.
    #[error("it is too long")]
    Long,
}

impl RelPath {
    /// The path, if it is one.
    ///
    /// # Errors
    /// When it could lead elsewhere, or cannot be a path.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadPath> {
        if bytes.first() == Some(&b'/') {
            return Err(BadPath::Outside);
        }
        if bytes.len() > PATH_BYTES_MAX {
            return Err(BadPath::Long);
        }
        for part in bytes.split(|byte| *byte == b'/') {
            match part {
                b"" => return Err(BadPath::Empty),
                b"." | b".." => return Err(BadPath::Outside),
                part if part.contains(&0) => return Err(BadPath::Nul),
                part if part.len() > NAME_BYTES_MAX => return Err(BadPath::Long),
                _ => {}
            }
        }
        Ok(Self(bytes.into()))
    }

    /// A path of parts that the file system itself has named.
    pub(crate) fn of_parts(bytes: Vec<u8>) -> Self {
        Self(bytes.into_boxed_slice())
    }

    /// Its bytes, with `/` between the parts.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a path relative to the workspace.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The directory that it is in; none for what is in the workspace itself.
    #[must_use]
    pub fn parent(&self) -> Option<&[u8]> {
        parent(&self.0)
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        name(&self.0)
    }

    /// Whether it is this directory or below it.
    #[must_use]
    pub fn is_within(&self, directory: &[u8]) -> bool {
        is_within(&self.0, directory)
    }

    /// The directories above it, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::successors(self.parent(), |path| parent(path))
    }
}

pub(crate) fn parent(path: &[u8]) -> Option<&[u8]> {
    let at = path.iter().rposition(|byte| *byte == b'/')?;
    path.get(..at)
}

pub(crate) fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

pub(crate) fn is_within(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    if !directory.is_empty() {
        path.extend_from_slice(directory);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

impl std::borrow::Borrow<[u8]> for RelPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// For people: bytes that are no text and characters that would move a terminal's cursor are
/// shown as escapes.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    write!(f, "{c}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_is_no_path() {
        for (text, why) in [
            ("", BadPath::Empty),
            ("/etc/passwd", BadPath::Outside),
            ("a//b", BadPath::Empty),
            ("a/", BadPath::Empty),
            ("../a", BadPath::Outside),
            ("a/../b", BadPath::Outside),
            ("a/./b", BadPath::Outside),
            ("a\0b", BadPath::Nul),
        ] {
            assert_eq!(RelPath::parse(text.as_bytes()), Err(why), "{text:?}");
        }
        let parts = |count: usize| vec!["a".repeat(255); count].join("/");
        assert!(RelPath::parse(parts(15).as_bytes()).is_ok());
        assert_eq!(
            RelPath::parse("a".repeat(256).as_bytes()),
            Err(BadPath::Long)
        );
        let longest = format!("{}/{}", parts(15), "b".repeat(PATH_BYTES_MAX - 15 * 256));
        assert!(RelPath::parse(longest.as_bytes()).is_ok());
        assert_eq!(
            RelPath::parse(format!("{longest}b").as_bytes()),
            Err(BadPath::Long)
        );
    }

    #[test]
    fn parts_are_told_apart_and_shown_without_harm() {
        let path = RelPath::parse(b"a/b\n\x1b[2J\xff/c").unwrap();
        assert_eq!(path.to_string(), r"a/b\n\u{1b}[2J\xff/c");
        assert_eq!(path.name(), b"c");
        assert_eq!(path.ancestors().count(), 2);
        assert!(path.is_within(b"a") && !path.is_within(b"a/"));
        assert!(!RelPath::parse(b"ab").unwrap().is_within(b"a"));
    }
}
