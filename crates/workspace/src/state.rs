//! What this side keeps of a workspace and a sandbox: what both agreed on last.
//!
//! One file: the agreement's name, which the far side keeps as well, the manifest, and what had
//! changed there by then without having been taken. Whoever loses it, or comes to a sandbox with
//! another one, loses nothing but knowledge: sizes and times are compared instead.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::far::{Far, FarEntry, FarKind, FarView};
use crate::manifest::{self, Entry, Hash, Manifest};
use crate::path::RelPath;

const MAGIC: &[u8; 8] = b"wharfag1";

/// What both sides agreed on last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    token: String,
    manifest: Manifest,
    pending: FarView,
}

impl Agreement {
    /// What is kept in `file`. None that is whole is none at all.
    #[must_use]
    pub fn load(file: &Path) -> Self {
        std::fs::read(file)
            .ok()
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default()
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, file: &Path) -> Result<(), Error> {
        manifest::replace(file, &encode(self)).map_err(Error::write(file))
    }

    /// The next one: this manifest, these changes that are not taken. `nonce` tells it from all
    /// others, also from an equal one of another time.
    #[must_use]
    pub fn next(manifest: Manifest, pending: FarView, nonce: i64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&nonce.to_le_bytes());
        hasher.update(&manifest.encode());
        let token = Hash::from_bytes(hasher.finalize().into()).to_string();
        let token = token.chars().take(32).collect();
        Self {
            token,
            manifest,
            pending,
        }
    }

    /// What counts of it beside a far side: nothing, if that knows another or none. It may have been
    /// made anew, set back, or changed by somebody else, and what this side remembers is then no
    /// reason to leave something out, to overwrite or to delete.
    #[must_use]
    pub fn known_to(&self, far: &Far) -> Self {
        if far.is_strange {
            Self::default()
        } else {
            self.clone()
        }
    }

    pub(crate) fn named(token: &str, manifest: Manifest, pending: FarView) -> Self {
        Self {
            token: token.to_owned(),
            manifest,
            pending,
        }
    }

    /// Its name: 32 hex digits; empty before the first.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What both had.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What had changed there by then, and was not taken.
    #[must_use]
    pub const fn pending(&self) -> &FarView {
        &self.pending
    }

    /// The same with another manifest and other changes, under the same name: for what this side
    /// alone has learnt.
    #[must_use]
    pub fn with(&self, manifest: Manifest, pending: FarView) -> Self {
        let token = self.token.clone();
        Self {
            token,
            manifest,
            pending,
        }
    }
}

fn encode(agreement: &Agreement) -> Vec<u8> {
    let mut body = Vec::new();
    manifest::put_bytes(&mut body, agreement.token.as_bytes());
    manifest::put_bytes(&mut body, &agreement.manifest.encode());
    for (path, entry) in agreement.pending.changes() {
        manifest::put_bytes(&mut body, path.as_bytes());
        match entry {
            None => body.push(0),
            Some(entry) => {
                body.push(match entry.kind {
                    FarKind::Dir => 1,
                    FarKind::File => 2,
                    FarKind::Link => 3,
                    FarKind::Special => 4,
                });
                manifest::put(&mut body, u64::from(entry.mode));
                manifest::put(&mut body, entry.size);
                body.extend_from_slice(&entry.mtime.to_le_bytes());
                manifest::put_bytes(&mut body, &entry.stamp);
            }
        }
    }
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(blake3::hash(&body).as_bytes());
    out.append(&mut body);
    out
}

fn decode(bytes: &[u8]) -> Option<Agreement> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (digest, mut body) = rest.split_first_chunk::<32>()?;
    if blake3::hash(body).as_bytes() != digest {
        return None;
    }
    let body = &mut body;
    let token = String::from_utf8(manifest::take_bytes(body)?.to_vec()).ok()?;
    let manifest = Manifest::decode(manifest::take_bytes(body)?)?;
    let mut changes = Vec::new();
    while !body.is_empty() {
        let path = RelPath::parse(manifest::take_bytes(body)?).ok()?;
        let [kind] = manifest::array(body)?;
        let kind = match kind {
            0 => {
                changes.push((path, None));
                continue;
            }
            1 => FarKind::Dir,
            2 => FarKind::File,
            3 => FarKind::Link,
            _ => FarKind::Special,
        };
        let mode = u32::try_from(manifest::take(body)?).ok()?;
        let size = manifest::take(body)?;
        let mtime = i64::from_le_bytes(manifest::array(body)?);
        let stamp = manifest::take_bytes(body)?.into();
        changes.push((
            path,
            Some(FarEntry {
                kind,
                mode,
                size,
                mtime,
                stamp,
            }),
        ));
    }
    Some(Agreement {
        token,
        manifest,
        pending: FarView::from_changes(changes),
    })
}

/// Where the files of one workspace are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// In this directory, which is private and there.
    #[must_use]
    pub const fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The digests of files.
    #[must_use]
    pub fn digests(&self) -> PathBuf {
        self.dir.join("digests")
    }

    /// The agreement with a sandbox. Its name has to be one of a file.
    #[must_use]
    pub fn agreement(&self, sandbox: &str) -> PathBuf {
        self.of_sandbox("agreed", sandbox)
    }

    /// What is sent to a sandbox though it would be held back.
    #[must_use]
    pub fn released(&self, sandbox: &str) -> PathBuf {
        self.of_sandbox("released", sandbox)
    }

    fn of_sandbox(&self, what: &str, sandbox: &str) -> PathBuf {
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let name: String = sandbox.chars().map(safe).collect();
        self.dir.join(format!("{what}-{name}"))
    }

    /// The agreements with all sandboxes: what any of them needs is kept.
    #[must_use]
    pub fn agreements(&self) -> Vec<Agreement> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let is_one = |path: &PathBuf| {
            let name = path.file_name().and_then(std::ffi::OsStr::to_str);
            name.is_some_and(|name| name.starts_with("agreed-")) && path.extension().is_none()
        };
        let files = entries.map(|entry| entry.path()).filter(is_one);
        files.map(|file| Agreement::load(&file)).collect()
    }

    /// What a push was sending when it was last heard of.
    #[must_use]
    pub fn attempt(&self, sandbox: &str) -> PathBuf {
        self.agreement(sandbox).with_extension("attempt")
    }

    /// The pieces of large files.
    #[must_use]
    pub fn chunks(&self) -> PathBuf {
        self.dir.join("chunks")
    }

    /// What was left out here until rules of there were taken.
    #[must_use]
    pub fn uncovered(&self) -> PathBuf {
        self.dir.join("uncovered")
    }

    /// The contents that both agreed on, of files that are merged.
    #[must_use]
    pub fn bases(&self) -> PathBuf {
        self.dir.join("bases")
    }
}

pub(crate) fn index(manifest: &Manifest) -> std::collections::BTreeMap<RelPath, Entry> {
    let entries = manifest.entries().iter();
    entries
        .map(|entry| (entry.path.clone(), entry.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_and_read_again_or_not_at_all() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("agreed");
        assert_eq!(Agreement::load(&file), Agreement::default());
        let path = |text: &str| RelPath::parse(text.as_bytes()).unwrap();
        let entry = FarEntry {
            kind: FarKind::Link,
            mode: 0o644,
            size: 7,
            mtime: -3,
            stamp: b"1 2 3".as_slice().into(),
        };
        let pending = FarView::from_changes([(path("a"), Some(entry)), (path("b"), None)]);
        let agreement = Agreement::next(Manifest::default(), pending, 1);
        agreement.save(&file).unwrap();
        assert_eq!(Agreement::load(&file), agreement);
        assert_ne!(
            agreement.token(),
            Agreement::next(Manifest::default(), FarView::default(), 2).token()
        );
        let mut bytes = std::fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(Agreement::load(&file), Agreement::default());
    }
}
