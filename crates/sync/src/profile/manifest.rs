//! All files of a profile with their digests: what two sides compare instead of contents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::path::{InvalidPath, ProfilePath};

/// The most files of a profile.
pub const FILES_MAX: usize = 10_000;
/// The most bytes of one file.
pub const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The most bytes of all files together.
pub const TREE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The type bits of a mode, and those of a regular file.
const TYPE_BITS: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;

/// One file: its content by digest, and whether it is a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The content.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the owner may execute it; no other bit of a mode travels.
    #[serde(default, rename = "x", skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

impl Entry {
    /// The entry of a file with this content.
    #[must_use]
    pub fn of(content: &[u8], executable: bool) -> Self {
        Self {
            sha256: Digest::of(content),
            size: content.len() as u64,
            executable,
        }
    }
}

/// One file as another side lists it, unchecked.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its path.
    pub path: String,
    /// The digest of its content, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its mode: permissions, with or without the bits of a regular file.
    pub mode: u32,
}

/// A profile's files, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    files: BTreeMap<ProfilePath, Entry>,
}

/// A list of files that is no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// A path that a profile cannot have.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// A digest that is none.
    #[error("`{path}`: its digest is not a SHA-256")]
    Digest {
        /// Which file.
        path: ProfilePath,
    },
    /// A link, a directory or a device.
    #[error(
        "`{path}`: mode {mode:o} is not that of a regular file; links and devices do not travel"
    )]
    NotAFile {
        /// Which file.
        path: ProfilePath,
        /// Its mode.
        mode: u32,
    },
    /// The same path again.
    #[error("`{path}` is listed twice")]
    Twice {
        /// Which file.
        path: ProfilePath,
    },
    /// A file where another path needs a directory.
    #[error("`{path}` is a file, and `{below}` needs it to be a directory")]
    FileAndDirectory {
        /// The file.
        path: ProfilePath,
        /// What is below it.
        below: ProfilePath,
    },
    /// A file over [`FILE_BYTES_MAX`].
    #[error("`{path}` has {size} bytes; {FILE_BYTES_MAX} at most")]
    FileTooLarge {
        /// Which file.
        path: ProfilePath,
        /// Its size.
        size: u64,
    },
    /// More than [`FILES_MAX`].
    #[error("there are more than {FILES_MAX} files (`{path}` is one too many)")]
    TooMany {
        /// The first that is too many.
        path: ProfilePath,
    },
    /// All together over [`TREE_BYTES_MAX`].
    #[error("the files have more than {TREE_BYTES_MAX} bytes together (`{path}` is over)")]
    TreeTooLarge {
        /// The first that is too much.
        path: ProfilePath,
    },
    /// A line of the text form that is none.
    #[error("line {line} is not a line of a manifest")]
    Line {
        /// Its number, from 1.
        line: usize,
    },
}

impl Manifest {
    /// Checks what another side lists.
    ///
    /// # Errors
    /// At the first file that a profile cannot have: nothing of such a list is used.
    pub fn from_listed(listed: impl IntoIterator<Item = Listed>) -> Result<Self, InvalidManifest> {
        let entries = listed.into_iter().map(|file| {
            let path = ProfilePath::parse(&file.path)?;
            let Ok(sha256) = Digest::parse(&file.sha256) else {
                return Err(InvalidManifest::Digest { path });
            };
            if !matches!(file.mode & TYPE_BITS, 0 | REGULAR) {
                let mode = file.mode;
                return Err(InvalidManifest::NotAFile { path, mode });
            }
            let entry = Entry {
                sha256,
                size: file.size,
                executable: file.mode & 0o111 != 0,
            };
            Ok((path, entry))
        });
        Self::collect(entries)
    }

    /// The manifest of these files.
    ///
    /// # Errors
    /// When they are over a bound or contradict each other.
    pub fn from_entries(
        entries: impl IntoIterator<Item = (ProfilePath, Entry)>,
    ) -> Result<Self, InvalidManifest> {
        Self::collect(entries.into_iter().map(Ok))
    }

    fn collect(
        entries: impl Iterator<Item = Result<(ProfilePath, Entry), InvalidManifest>>,
    ) -> Result<Self, InvalidManifest> {
        let mut files = BTreeMap::new();
        let mut total = 0_u64;
        for entry in entries {
            let (path, entry) = entry?;
            if entry.size > FILE_BYTES_MAX {
                let size = entry.size;
                return Err(InvalidManifest::FileTooLarge { path, size });
            }
            total = total.saturating_add(entry.size);
            if total > TREE_BYTES_MAX {
                return Err(InvalidManifest::TreeTooLarge { path });
            }
            if files.len() == FILES_MAX {
                return Err(InvalidManifest::TooMany { path });
            }
            if files.insert(path.clone(), entry).is_some() {
                return Err(InvalidManifest::Twice { path });
            }
        }
        let manifest = Self { files };
        match manifest.file_and_directory() {
            Some((path, below)) => Err(InvalidManifest::FileAndDirectory { path, below }),
            None => Ok(manifest),
        }
    }

    fn file_and_directory(&self) -> Option<(ProfilePath, ProfilePath)> {
        let names: BTreeSet<&str> = self.files.keys().map(ProfilePath::as_str).collect();
        self.files.keys().find_map(|below| {
            let file = below
                .ancestors()
                .find(|ancestor| names.contains(ancestor))?;
            Some((ProfilePath::parse(file).ok()?, below.clone()))
        })
    }

    /// The file with this path.
    #[must_use]
    pub fn get(&self, path: &ProfilePath) -> Option<&Entry> {
        self.files.get(path)
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&ProfilePath, &Entry)> {
        self.files.iter()
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The bytes of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|entry| entry.size).sum()
    }

    /// Puts a file in or takes it out. Bounds are not checked again: callers combine manifests
    /// that were, and check what they send.
    pub fn set(&mut self, path: ProfilePath, entry: Option<Entry>) {
        match entry {
            Some(entry) => self.files.insert(path, entry),
            None => self.files.remove(&path),
        };
    }

    /// Pairs of files that a file system that ignores case takes for one.
    #[must_use]
    pub fn collisions(&self) -> Vec<(ProfilePath, ProfilePath)> {
        let mut seen: BTreeMap<String, &ProfilePath> = BTreeMap::new();
        let mut pairs = Vec::new();
        for path in self.files.keys() {
            match seen.get(&path.folded()) {
                Some(first) => pairs.push(((*first).clone(), path.clone())),
                None => drop(seen.insert(path.folded(), path)),
            }
        }
        pairs
    }

    /// The one text of this manifest: a line `DIGEST SIZE x|- PATH` for each file, by path.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (path, entry) in &self.files {
            let mark = if entry.executable { 'x' } else { '-' };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{} {} {mark} {path}", entry.sha256, entry.size);
        }
        text
    }

    /// Reads [`Manifest::to_text`].
    ///
    /// # Errors
    /// When a line is none, or the files are no profile.
    pub fn from_text(text: &str) -> Result<Self, InvalidManifest> {
        let entries = text.lines().enumerate().map(|(at, line)| {
            let wrong = InvalidManifest::Line { line: at + 1 };
            let mut fields = line.splitn(4, ' ');
            let mut next = || fields.next().ok_or_else(|| wrong.clone());
            let sha256 = Digest::parse(next()?).map_err(|_| wrong.clone())?;
            let size = next()?.parse().map_err(|_| wrong.clone())?;
            let executable = match next()? {
                "x" => true,
                "-" => false,
                _ => return Err(wrong.clone()),
            };
            let path = ProfilePath::parse(next()?)?;
            Ok((
                path,
                Entry {
                    sha256,
                    size,
                    executable,
                },
            ))
        });
        Self::collect(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: &str, size: u64, mode: u32) -> Listed {
        Listed {
            path: path.into(),
            sha256: Digest::of(path.as_bytes()).to_string(),
            size,
            mode,
        }
    }

    fn refusal(files: Vec<Listed>) -> String {
        Manifest::from_listed(files).unwrap_err().to_string()
    }

    #[test]
    fn text_and_back() {
        let manifest = Manifest::from_listed([
            listed("skills/a b/run.sh", 3, 0o755),
            listed("CLAUDE.md", 0, 0o100_644),
        ])
        .unwrap();
        let text = manifest.to_text();
        assert!(text.ends_with(" 3 x skills/a b/run.sh\n"), "{text}");
        assert_eq!(Manifest::from_text(&text), Ok(manifest));
        let wrong = Manifest::from_text("nonsense").unwrap_err();
        assert_eq!(wrong, InvalidManifest::Line { line: 1 });
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert_eq!(
            refusal(vec![listed("a", 1, 0), listed("a", 1, 0)]),
            "`a` is listed twice"
        );
        assert_eq!(
            refusal(vec![listed("a", 1, 0), listed("a/b", 1, 0)]),
            "`a` is a file, and `a/b` needs it to be a directory"
        );
        assert!(refusal(vec![listed("a", 1, 0o120_777)]).contains("links and devices"));
        let mut bad = listed("a", 1, 0);
        bad.sha256 = "0".into();
        assert_eq!(refusal(vec![bad]), "`a`: its digest is not a SHA-256");
        assert!(refusal(vec![listed("../a", 1, 0)]).starts_with("`../a`"));
    }

    #[test]
    fn sizes_and_counts_at_their_bounds() {
        assert!(Manifest::from_listed([listed("a", FILE_BYTES_MAX, 0)]).is_ok());
        assert!(refusal(vec![listed("a", FILE_BYTES_MAX + 1, 0)]).starts_with("`a` has 8388609"));
        let many = |count: usize| (0..count).map(|n| listed(&format!("agents/{n}"), 1, 0));
        assert!(Manifest::from_listed(many(FILES_MAX)).is_ok());
        assert!(refusal(many(FILES_MAX + 1).collect()).contains("`agents/10000` is one too many"));
        let full = |count: usize| (0..count).map(|n| listed(&format!("a{n}"), FILE_BYTES_MAX, 0));
        assert!(Manifest::from_listed(full(8)).is_ok());
        assert!(refusal(full(9).collect()).contains("together"));
    }

    #[test]
    fn files_that_differ_in_case_alone_are_found() {
        let manifest = Manifest::from_listed(
            ["agents/A", "agents/a", "agents/b"].map(|path| listed(path, 1, 0)),
        );
        let found = manifest.unwrap().collisions();
        let path = |text| ProfilePath::parse(text).unwrap();
        assert_eq!(found, [(path("agents/A"), path("agents/a"))]);
    }
}
