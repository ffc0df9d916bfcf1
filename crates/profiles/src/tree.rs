//! The files of a profile: the manifest of a version.

use std::fmt;
use std::sync::Arc;

use sha2_11::{Digest as _, Sha256 as Hasher};
use wharf_model::Timestamp;

use crate::git::commits::Author;
use crate::path::ProfilePath;

/// The file that the single-file interface reads and writes.
pub const CONTENT_PATH: &str = "CLAUDE.md";

/// The SHA-256 of a content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The hash of `content`.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self(Hasher::digest(content).into())
    }

    /// The hash whose bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            let value = digit(0)? * 16 + digit(1)?;
            *byte = u8::try_from(value).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One file of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: ProfilePath,
    /// The hash of its content.
    pub sha256: Sha256,
    /// The size of its content, in bytes.
    pub size: u64,
    /// Whether it may be run.
    pub executable: bool,
}

/// All files of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The id of the commit; empty where nothing was ever saved.
    pub version: String,
    /// When it was saved.
    pub updated_at: Option<Timestamp>,
    /// Who made it.
    pub author: Option<Author>,
    /// The files, sorted by path.
    pub files: Arc<[File]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let hash = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(Sha256::parse(text), Some(hash));
        assert_eq!(Sha256::parse(&text.to_uppercase()), Some(hash));
        for wrong in ["", "ba78", &text.replace('b', "g"), &format!("{text}0")] {
            assert_eq!(Sha256::parse(wrong), None);
        }
    }
}
