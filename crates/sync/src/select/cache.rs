//! Digests of files that have not changed since they were read, so that nothing is read twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::profile::{Digest, FILES_MAX};

/// A file that was touched this short before it was read may be touched again without its times
/// showing it, as far as the coarsest clocks of file systems go: nanoseconds.
const RACY_NS: i128 = 2_000_000_000;
const HEAD: &str = "wharf-digests 1";

/// What is known of files, by their path in the profile.
#[derive(Debug, Default)]
pub struct Cache {
    known: BTreeMap<String, Known>,
    changed: bool,
}

/// What a file was when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    stamp: Stamp,
    /// When it was read, in nanoseconds since 1970.
    read_ns: i128,
    sha256: Digest,
}

/// All that changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    mtime_ns: i128,
    ctime_ns: i128,
    inode: u64,
    device: u64,
}

impl Stamp {
    pub(super) fn of(found: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            size: found.size(),
            mtime_ns: ns(found.mtime(), found.mtime_nsec()),
            ctime_ns: ns(found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            device: found.dev(),
        }
    }
}

impl Cache {
    /// What an earlier run kept. A file that is absent or is not ours is an empty cache: it costs
    /// time and nothing else.
    #[must_use]
    pub fn load(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut lines = text.lines();
        let known = match lines.next() {
            Some(HEAD) => lines.take(FILES_MAX).map_while(line).collect(),
            _ => BTreeMap::new(),
        };
        Self {
            known,
            changed: false,
        }
    }

    /// Keeps it, if anything is new.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&mut self, file: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let mut text = format!("{HEAD}\n");
        for (path, known) in &self.known {
            let Known {
                stamp,
                read_ns,
                sha256,
            } = known;
            let Stamp {
                size,
                mtime_ns,
                ctime_ns,
                inode,
                device,
            } = stamp;
            let _ = writeln!(
                text,
                "{sha256} {size} {mtime_ns} {ctime_ns} {inode} {device} {read_ns} {path}"
            );
        }
        // Whoever reads sees one or the other; after a power cut it may be empty, which is no harm.
        let temp = file.with_extension("new");
        fs::write(&temp, text)?;
        fs::rename(&temp, file)?;
        self.changed = false;
        Ok(())
    }

    /// The digest of a file that is as it was, if it was old enough then to be sure.
    pub(super) fn get(&self, path: &str, stamp: Stamp) -> Option<Digest> {
        let known = self.known.get(path).filter(|known| known.stamp == stamp)?;
        let touched = stamp.mtime_ns.max(stamp.ctime_ns);
        (touched + RACY_NS <= known.read_ns).then_some(known.sha256)
    }

    pub(super) fn put(&mut self, path: &str, stamp: Stamp, read_ns: i128, sha256: Digest) {
        let known = Known {
            stamp,
            read_ns,
            sha256,
        };
        self.known.insert(path.to_owned(), known);
        self.changed = true;
    }

    /// Forgets all files but these.
    pub(super) fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        let before = self.known.len();
        self.known.retain(|path, _| is_there(path));
        self.changed |= self.known.len() != before;
    }
}

fn line(text: &str) -> Option<(String, Known)> {
    let mut fields = text.splitn(8, ' ');
    let sha256 = Digest::parse(fields.next()?).ok()?;
    let stamp = Stamp {
        size: fields.next()?.parse().ok()?,
        mtime_ns: fields.next()?.parse().ok()?,
        ctime_ns: fields.next()?.parse().ok()?,
        inode: fields.next()?.parse().ok()?,
        device: fields.next()?.parse().ok()?,
    };
    let read_ns = fields.next()?.parse().ok()?;
    let path = fields.next()?.to_owned();
    Some((
        path,
        Known {
            stamp,
            read_ns,
            sha256,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(touched_ns: i128) -> Stamp {
        Stamp {
            size: 1,
            mtime_ns: 0,
            ctime_ns: touched_ns,
            inode: 2,
            device: 3,
        }
    }

    #[test]
    fn a_file_that_was_just_touched_is_read_again() {
        let mut cache = Cache::default();
        let digest = Digest::of(b"x");
        cache.put("a", stamp(100), 100 + RACY_NS - 1, digest);
        assert_eq!(cache.get("a", stamp(100)), None);
        cache.put("a", stamp(100), 100 + RACY_NS, digest);
        assert_eq!(cache.get("a", stamp(100)), Some(digest));
        assert_eq!(cache.get("a", stamp(101)), None);
        assert_eq!(cache.get("b", stamp(100)), None);
    }

    #[test]
    fn kept_and_read_again() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("digests");
        let mut cache = Cache::load(&file);
        cache.put("skills/a b.md", stamp(5), RACY_NS * 2, Digest::of(b"x"));
        cache.put("gone", stamp(5), RACY_NS * 2, Digest::of(b"x"));
        cache.keep(|path| path != "gone");
        cache.save(&file).unwrap();
        let again = Cache::load(&file);
        assert_eq!(again.known, cache.known);
        assert_eq!(again.known.len(), 1);
        fs::write(&file, "nonsense").unwrap();
        assert!(Cache::load(&file).known.is_empty());
    }
}
