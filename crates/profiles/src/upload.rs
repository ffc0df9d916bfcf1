//! A new version on its way in: every bound is checked before the bytes that would break it are
//! read.

use std::collections::HashMap;

use bytes::Bytes;

use crate::error::{Error, Problem, Problems};
use crate::limits::{CONTENT_MAX, FILE_MAX, FILES_MAX, TREE_MAX};
use crate::path::{Names, ProfilePath};
use crate::profiles::{check_content, error_too_large};
use crate::tree::{CONTENT_PATH, Sha256};

/// One file as it is to be.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) path: ProfilePath,
    pub(crate) sha256: Sha256,
    pub(crate) executable: bool,
}

/// What somebody sends to become the new version: all files by path and hash, and the contents
/// that are not here already.
#[derive(Debug, Default)]
pub struct Upload {
    pub(crate) files: Vec<Wanted>,
    pub(crate) contents: HashMap<Sha256, Bytes>,
    bytes: usize,
    count: usize,
    problems: Problems,
}

impl Upload {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one file of the manifest. A bad path is remembered, so that all of them are told of
    /// together.
    ///
    /// # Errors
    /// [`Error::TooMany`] at the first file past [`FILES_MAX`].
    pub fn file(&mut self, path: &str, sha256: &str, executable: bool) -> Result<(), Error> {
        self.count += 1;
        if self.count > FILES_MAX {
            let (what, limit) = ("files", FILES_MAX);
            return Err(Error::TooMany { what, limit });
        }
        let path = match ProfilePath::parse(path) {
            Ok(path) => path,
            Err(reason) => {
                self.problems.add(Problem::new(path, reason));
                return Ok(());
            }
        };
        let Some(sha256) = Sha256::parse(sha256) else {
            let reason = "its hash is not a SHA-256 of 64 hexadecimal digits";
            self.problems.add(Problem::new(path.as_str(), reason));
            return Ok(());
        };
        self.files.push(Wanted {
            path,
            sha256,
            executable,
        });
        Ok(())
    }

    /// Says that a content of `size` bytes comes. To be asked before it is read.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the content or all of them together would be past a bound.
    pub fn admit(&mut self, size: u64) -> Result<(), Error> {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > FILE_MAX {
            return Err(error_too_large("a file", FILE_MAX));
        }
        if self.contents.len() >= FILES_MAX {
            let (what, limit) = ("contents", FILES_MAX);
            return Err(Error::TooMany { what, limit });
        }
        if self.bytes.saturating_add(size) > TREE_MAX {
            return Err(error_too_large("the configuration", TREE_MAX));
        }
        Ok(())
    }

    /// Takes one content, which must be what was `announced`.
    ///
    /// # Errors
    /// [`Error::Mismatch`], and as for [`Upload::admit`].
    pub fn content(&mut self, announced: Sha256, content: Bytes) -> Result<(), Error> {
        self.admit(content.len() as u64)?;
        let found = Sha256::of(&content);
        if found != announced {
            return Err(Error::Mismatch { announced, found });
        }
        let size = content.len();
        if self.contents.insert(found, content).is_none() {
            self.bytes = self.bytes.saturating_add(size);
        }
        Ok(())
    }

    /// The manifest, checked by its names alone.
    ///
    /// # Errors
    /// [`Error::Refused`] with all that was found.
    pub(crate) fn named(&mut self) -> Result<(), Error> {
        let mut problems = std::mem::take(&mut self.problems);
        let mut names = Names::default();
        for file in &self.files {
            names.take(&file.path, &mut problems);
        }
        problems.refuse()
    }

    /// The manifest, checked with what is in the contents that came along.
    ///
    /// # Errors
    /// [`Error::Refused`] with all that was found.
    pub(crate) fn checked(&mut self) -> Result<(), Error> {
        let mut problems = std::mem::take(&mut self.problems);
        for file in &self.files {
            let Some(content) = self.contents.get(&file.sha256) else {
                continue;
            };
            let path = file.path.as_str();
            check_content(path, content, &mut problems);
            if path == CONTENT_PATH {
                check_text(content, &mut problems);
            }
        }
        problems.refuse()
    }
}

/// What holds of `CLAUDE.md` alone, because it also travels as text in JSON.
pub(crate) fn check_text(content: &[u8], problems: &mut Problems) {
    if content.len() > CONTENT_MAX {
        problems.add(Problem::new(CONTENT_PATH, "it is larger than 1 MiB"));
    }
    check_utf8(content, problems);
}

/// The second half of [`check_text`].
pub(crate) fn check_utf8(content: &[u8], problems: &mut Problems) {
    if let Err(error) = std::str::from_utf8(content) {
        let before = content.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        problems.add(Problem::new(CONTENT_PATH, "it is not UTF-8").at_line(line));
    }
}
