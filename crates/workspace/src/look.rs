//! What somebody should be asked about before it leaves the machine: secrets, private keys, files
//! that are named for what they hold, and large ones.
//!
//! Files are looked at while their digests are made, so that none is read for this alone; the cache
//! keeps that there was something, and only such files are read again to say what and where.
//!
//! Limits: what is behind the first [`LOOK_BYTES_MAX`] of a file, or is no text, is not looked at.
//! A secret without a shape of its own is not found.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use wharf_secrets::{SecretKind, begins_private_key, in_line};

use crate::manifest::{Manifest, What};
use crate::path::{RelPath, parent};
use crate::scan::{self, Scanned};

/// How much of a file is looked at. Secrets are in settings, not in data.
pub const LOOK_BYTES_MAX: usize = 1024 * 1024;
/// The longest line that is looked at: no person wrote a longer one.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// From this size on a file is asked about, if nothing else is configured.
pub const LARGE_BYTES: u64 = 50 * 1024 * 1024;

/// Something to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: RelPath,
    /// What is with it.
    pub reason: Reason,
}

/// Why a file is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A line that looks like a secret.
    Secret {
        /// The line, from 1.
        line: usize,
        /// What it looks like.
        kind: SecretKind,
    },
    /// Files of this name hold logins or keys.
    Name,
    /// It was left out here until rules were taken from the far side: whoever wrote them there may
    /// have wanted just this.
    Uncovered,
    /// It has so many bytes.
    Large(u64),
}

/// What is held back until somebody says yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    paths: BTreeSet<RelPath>,
}

impl Held {
    /// All that was found.
    #[must_use]
    pub fn all(findings: &[Finding]) -> Self {
        Self {
            paths: findings
                .iter()
                .map(|finding| finding.path.clone())
                .collect(),
        }
    }

    /// Somebody said yes to this one. Whether it is one that was asked about.
    pub fn release(&mut self, path: &[u8]) -> bool {
        self.paths.remove(path)
    }

    /// Whether it is held back, or a directory above it is.
    #[must_use]
    pub fn has(&self, path: &[u8]) -> bool {
        let above = std::iter::successors(Some(path), |path| parent(path));
        !self.paths.is_empty() && above.into_iter().any(|path| self.paths.contains(path))
    }

    /// The files.
    pub fn paths(&self) -> impl Iterator<Item = &RelPath> {
        self.paths.iter()
    }
}

/// What is to be asked about, in the order of paths; of each file the gravest reason. `large` is the
/// size from which on a file is.
#[must_use]
pub fn look(root: &Path, scanned: &Scanned, large: u64) -> Vec<Finding> {
    let mut findings = by_manifest(&scanned.manifest, large);
    for path in &scanned.suspects {
        // One that has changed meanwhile is as suspect as it was.
        let reason = first(root, path).unwrap_or(Reason::Name);
        let path = path.clone();
        findings.push(Finding { path, reason });
    }
    gravest(findings)
}

/// In the order of paths, of each the gravest reason: who says yes to a large file has not said yes
/// to the secret in it.
pub(crate) fn gravest(mut findings: Vec<Finding>) -> Vec<Finding> {
    let rank = |reason: &Reason| match reason {
        Reason::Secret { .. } => 0,
        Reason::Name => 1,
        Reason::Uncovered => 2,
        Reason::Large(_) => 3,
    };
    findings.sort_by(|a, b| {
        let by_path = a.path.cmp(&b.path);
        by_path.then_with(|| rank(&a.reason).cmp(&rank(&b.reason)))
    });
    findings.dedup_by(|later, kept| later.path == kept.path);
    findings
}

fn by_manifest(manifest: &Manifest, large: u64) -> Vec<Finding> {
    let files = manifest.entries().iter().filter_map(|entry| {
        let What::File { size, .. } = entry.what else {
            return None;
        };
        let reason = if is_named_for_secrets(entry.path.as_bytes()) && size > 0 {
            Reason::Name
        } else if size >= large {
            Reason::Large(size)
        } else {
            return None;
        };
        Some(Finding {
            path: entry.path.clone(),
            reason,
        })
    });
    files.collect()
}

fn first(root: &Path, path: &RelPath) -> Option<Reason> {
    let file = scan::open(&root.join(path.as_path())).ok()?;
    let mut bytes = Vec::new();
    file.take(LOOK_BYTES_MAX as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    lines.find_map(|(at, line)| {
        Some(Reason::Secret {
            line: at + 1,
            kind: kind(line)?,
        })
    })
}

/// Names of files that hold logins or keys whatever is in them.
fn is_named_for_secrets(path: &[u8]) -> bool {
    const NAMES: [&[u8]; 13] = [
        b".env",
        b".netrc",
        b"_netrc",
        b".pgpass",
        b".git-credentials",
        b".htpasswd",
        b".vault-token",
        b"id_rsa",
        b"id_dsa",
        b"id_ecdsa",
        b"id_ed25519",
        b"credentials.json",
        b"kubeconfig",
    ];
    const PLACES: [&[u8]; 4] = [
        b".aws/credentials",
        b".docker/config.json",
        b".kube/config",
        b".config/gh/hosts.yml",
    ];
    const EXAMPLES: [&[u8]; 5] = [b"example", b"sample", b"template", b"dist", b"defaults"];
    const ENDS: [&[u8]; 6] = [b".p12", b".pfx", b".jks", b".keystore", b".kdbx", b".ppk"];
    let name = crate::path::name(path);
    if let Some(more) = name.strip_prefix(b".env.") {
        return !EXAMPLES.contains(&more);
    }
    NAMES.contains(&name)
        || ENDS.iter().any(|end| name.ends_with(end))
        || PLACES.iter().any(|place| {
            path.strip_suffix(*place)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(b"/"))
        })
}

/// What a line looks like.
fn kind(line: &[u8]) -> Option<SecretKind> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    if begins_private_key(&text) {
        return Some(SecretKind::PrivateKey);
    }
    in_line(&text).into_iter().next()
}

/// Finds what every secret has some of, at the speed of memory: most files have none of it, and no
/// line of theirs is looked at.
fn marks() -> Option<&'static AhoCorasick> {
    static MARKS: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    MARKS
        .get_or_init(|| AhoCorasick::new(wharf_secrets::marks()).ok())
        .as_ref()
}

/// Whether one of these whole lines is a secret.
fn has_secret(lines: &[u8]) -> bool {
    let Some(marks) = marks() else {
        return lines
            .split(|byte| *byte == b'\n')
            .any(|line| kind(line).is_some());
    };
    let mut at = 0;
    while let Some(rest) = lines.get(at..)
        && let Some(found) = marks.find(rest)
    {
        let (before, behind) = rest.split_at(found.start());
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', behind).map_or(rest.len(), |end| found.start() + end);
        if rest
            .get(start..end)
            .is_some_and(|line| kind(line).is_some())
        {
            return true;
        }
        at += end + 1;
    }
    false
}

/// A file that is being read, and looked at on the way.
#[derive(Debug)]
pub(crate) struct Looking {
    left: usize,
    /// The beginning of a line of which the end has not come.
    line: Vec<u8>,
    is_suspect: bool,
    is_over: bool,
}

impl Looking {
    pub(crate) fn new(name: &[u8]) -> Self {
        // Lists of dependencies are long, full of digests, and made by programs.
        const MADE: [&[u8]; 8] = [
            b"Cargo.lock",
            b"package-lock.json",
            b"yarn.lock",
            b"pnpm-lock.yaml",
            b"go.sum",
            b"poetry.lock",
            b"uv.lock",
            b"composer.lock",
        ];
        let is_over = MADE.contains(&name);
        Self {
            left: LOOK_BYTES_MAX,
            line: Vec::new(),
            is_suspect: false,
            is_over,
        }
    }

    pub(crate) fn take(&mut self, piece: &[u8]) {
        if self.is_over {
            return;
        }
        let piece = piece.get(..self.left).unwrap_or(piece);
        self.left -= piece.len();
        if piece.contains(&0) || self.left == 0 {
            // What has a zero byte is no text.
            self.is_over = true;
        }
        let first = memchr::memchr(b'\n', piece).map_or(piece.len(), |at| at + 1);
        let (first, rest) = piece.split_at(if self.line.is_empty() { 0 } else { first });
        self.extend(first);
        if first.ends_with(b"\n") {
            self.is_suspect = has_secret(&self.line);
            self.line.clear();
        }
        let whole = memchr::memrchr(b'\n', rest).map_or(0, |at| at + 1);
        let (lines, tail) = rest.split_at(whole);
        self.is_suspect |= has_secret(lines);
        self.extend(tail);
        self.is_over |= self.is_suspect;
    }

    /// A line that is longer than is looked at is kept one byte longer, to be known as that.
    fn extend(&mut self, part: &[u8]) {
        let room = (LINE_BYTES_MAX + 1).saturating_sub(self.line.len());
        self.line
            .extend_from_slice(part.get(..room).unwrap_or(part));
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect || has_secret(&self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"key: ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n";

    fn is_suspect(pieces: &[&[u8]]) -> bool {
        let mut looking = Looking::new(b"x");
        pieces.iter().for_each(|piece| looking.take(piece));
        looking.is_suspect()
    }

    #[test]
    fn a_secret_is_found_however_the_file_is_cut() {
        for at in 0..TOKEN.len() {
            assert!(
                is_suspect(&[b"one\n", &TOKEN[..at], &TOKEN[at..], b"two\n"]),
                "{at}"
            );
        }
        assert!(is_suspect(&[TOKEN.strip_suffix(b"\n").unwrap()]));
        assert!(is_suspect(&[b"-----BEGIN OPENSSH PRIVATE KEY-----\n"]));
        assert!(is_suspect(&[b"  -----BEGIN PRIVATE KEY-----\n"]));
        assert!(is_suspect(&[b"key = \"-----BEGIN RSA PRIVATE KEY-----\n"]));
        assert!(is_suspect(&[b"db = postgres://ada:s3cret@db/x\n"]));
        assert!(!is_suspect(&[b"nothing\nof\nthe_kind_but_a_long_name\n"]));
        assert!(!is_suspect(&[b"\0", TOKEN]));
    }

    #[test]
    fn so_much_is_looked_at() {
        let mut pad = vec![b'a'; LOOK_BYTES_MAX - TOKEN.len()];
        *pad.last_mut().unwrap() = b'\n';
        assert!(is_suspect(&[&pad, TOKEN]));
        pad.resize(LOOK_BYTES_MAX - 20, b'\n');
        assert!(!is_suspect(&[&pad, TOKEN]), "half of one is none");
    }

    #[test]
    fn names_tell() {
        for name in [
            ".env",
            "a/.env.local",
            "x/id_rsa",
            "ada/.aws/credentials",
            "cert.p12",
        ] {
            assert!(is_named_for_secrets(name.as_bytes()), "{name}");
        }
        for name in [
            ".env.example",
            "environment",
            "id_rsa.pub",
            "aws/credentials",
            "key.rs",
        ] {
            assert!(!is_named_for_secrets(name.as_bytes()), "{name}");
        }
    }
}
