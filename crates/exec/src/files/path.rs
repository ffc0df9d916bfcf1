//! Paths that can be used, and names for files that are not whole yet.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use wharf_model::Entropy;

use super::{FilesError, Partial};

/// What Linux takes, the zero at the end included.
const MAX_PATH_BYTES: usize = 4095;
/// What nearly every file system takes.
const MAX_NAME_BYTES: usize = 255;
/// Links that are followed from one path, as Linux does.
pub(super) const MAX_LINKS: usize = 40;

/// Where a path begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// At the root.
    Root(PathBuf),
    /// In the account's home directory, with what follows `~/`.
    Home(PathBuf),
}

impl Place {
    pub(super) fn of(path: &Path) -> Result<Self, FilesError> {
        let bytes = path.as_os_str().as_bytes();
        let wrong = |why| FilesError::Path {
            path: path.to_owned(),
            why,
        };
        if bytes.contains(&0) {
            return Err(wrong("a path cannot have a zero byte"));
        }
        if bytes.len() > MAX_PATH_BYTES {
            return Err(wrong("the path is too long"));
        }
        match bytes {
            [b'/', ..] => Ok(Self::Root(path.to_owned())),
            b"~" => Ok(Self::Home(PathBuf::new())),
            [b'~', b'/', rest @ ..] => {
                // Another slash would make it absolute.
                let rest = rest.iter().skip_while(|byte| **byte == b'/');
                Ok(Self::Home(
                    OsString::from_vec(rest.copied().collect()).into(),
                ))
            }
            _ => Err(wrong("the path is not absolute and does not begin with ~/")),
        }
    }

    /// With that home directory.
    pub(super) fn at(self, home: &Path) -> PathBuf {
        match self {
            Self::Root(path) => path,
            Self::Home(rest) if rest.as_os_str().is_empty() => home.to_owned(),
            Self::Home(rest) => home.join(rest),
        }
    }
}

/// The directory and the name of a file to be written.
pub(super) fn split(path: &Path) -> Result<(PathBuf, OsString), FilesError> {
    let bytes = path.as_os_str().as_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let (directory, name) = bytes.split_at(at);
    let name = name.strip_prefix(b"/").unwrap_or(name);
    if name.is_empty() || name == b"." || name == b".." {
        return Err(FilesError::IsDirectory {
            path: path.to_owned(),
        });
    }
    let directory = if directory.is_empty() {
        b"/".as_slice()
    } else {
        directory
    };
    Ok((
        PathBuf::from(OsStr::from_bytes(directory)),
        OsStr::from_bytes(name).to_owned(),
    ))
}

/// Where a link at `path` leads.
pub(super) fn linked(path: &Path, to: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) => parent.join(to),
        None => to.to_owned(),
    }
}

/// The name of the file that is written first.
pub(super) fn temporary(
    path: &Path,
    partial: Option<&Partial>,
    entropy: &dyn Entropy,
) -> Result<OsString, FilesError> {
    let Some(partial) = partial else {
        return Ok(format!(".wharf-{}.part", letters(entropy)).into());
    };
    let bytes = partial.name.as_bytes();
    let is_name = !bytes.is_empty() && bytes != b"." && bytes != b".." && !bytes.contains(&b'/');
    if !is_name || bytes.contains(&0) || bytes.len() > MAX_NAME_BYTES {
        return Err(FilesError::Path {
            path: path.to_owned(),
            why: "the name of the partial file is no name",
        });
    }
    if path.file_name() == Some(&partial.name) {
        return Err(FilesError::Path {
            path: path.to_owned(),
            why: "the partial file cannot be the file itself",
        });
    }
    Ok(partial.name.clone())
}

/// Letters and digits that nobody can guess.
pub(super) fn letters(entropy: &dyn Entropy) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    let mut bytes = [0; 20];
    entropy.fill(&mut bytes);
    let letter = |byte: u8| {
        ALPHABET
            .get(usize::from(byte % 32))
            .copied()
            .unwrap_or(b'a')
    };
    bytes
        .into_iter()
        .map(|byte| char::from(letter(byte)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_root_or_at_home() {
        let at = |path: &str| Place::of(Path::new(path)).map(|place| place.at(Path::new("/h")));
        for (path, absolute) in [
            ("/a/b", "/a/b"),
            ("~", "/h"),
            ("~/", "/h"),
            ("~/a b", "/h/a b"),
            ("~//etc/passwd", "/h/etc/passwd"),
            ("/", "/"),
        ] {
            assert_eq!(at(path).unwrap(), Path::new(absolute), "{path}");
        }
        for wrong in ["", "a", "./a", "~user/a", "/a\0b", &"/a".repeat(2048)] {
            assert!(matches!(at(wrong), Err(FilesError::Path { .. })), "{wrong}");
        }
        assert!(at(&format!("/{}", "a".repeat(MAX_PATH_BYTES - 1))).is_ok());
    }

    #[test]
    fn a_file_has_a_directory_and_a_name() {
        let parts = |path: &str| split(Path::new(path));
        assert_eq!(parts("/a/b").unwrap(), ("/a".into(), "b".into()));
        assert_eq!(parts("/b").unwrap(), ("/".into(), "b".into()));
        for wrong in ["/", "/a/", "/a/.", "/a/.."] {
            assert!(
                matches!(parts(wrong), Err(FilesError::IsDirectory { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_partial_file_is_beside_its_target() {
        struct Same;
        impl Entropy for Same {
            fn fill(&self, buffer: &mut [u8]) {
                buffer.fill(7);
            }
        }
        let name = |name: &str| {
            let partial = Partial {
                name: name.into(),
                from: None,
            };
            temporary(Path::new("/d/file"), Some(&partial), &Same)
        };
        assert_eq!(name("file.part").unwrap(), "file.part");
        for wrong in ["", ".", "..", "a/b", "/a", "file", "a\0", &"a".repeat(256)] {
            assert!(
                matches!(name(wrong), Err(FilesError::Path { .. })),
                "{wrong}"
            );
        }
        let made = temporary(Path::new("/d/file"), None, &Same).unwrap();
        assert_eq!(made, format!(".wharf-{}.part", "h".repeat(20)).as_str());
    }
}
