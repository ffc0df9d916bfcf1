//! What is in the workspace: entries in the order of their paths, and the file that keeps them.
//!
//! The file is binary, since it is read at each sync and may have some hundred thousand entries:
//! paths without what they share with the one before, numbers in as many bytes as they need, and a
//! digest over all of it. A file that is cut, altered or of another version is no file: it costs
//! time and nothing else.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use crate::path::RelPath;

/// The most entries of one workspace.
pub const ENTRIES_MAX: usize = 2_000_000;

const MAGIC: &[u8; 8] = b"wharfws1";
const DIGEST: usize = 32;
/// The shortest form of an entry: numbers of one byte, and two times.
const ENTRY_BYTES_MIN: usize = 22;

/// The BLAKE3 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; DIGEST]);

impl Hash {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).into())
    }

    pub(crate) const fn from_bytes(bytes: [u8; DIGEST]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; DIGEST] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Dir,
    /// A file.
    File {
        /// Its bytes.
        size: u64,
        /// Their digest.
        hash: Hash,
        /// It has holes on this side's disk.
        sparse: bool,
    },
    /// A symbolic link.
    Link {
        /// Where it points, as it says itself.
        target: Box<[u8]>,
    },
}

impl What {
    /// Whether it is the same content. Holes are not content.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dir, Self::Dir) => true,
            (Self::File { hash: a, .. }, Self::File { hash: b, .. }) => a == b,
            (Self::Link { target: a }, Self::Link { target: b }) => a == b,
            _ => false,
        }
    }

    /// The bytes of a file, else nothing.
    #[must_use]
    pub const fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Dir | Self::Link { .. } => 0,
        }
    }
}

/// Something at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: RelPath,
    /// What.
    pub what: What,
    /// The nine bits of permissions. Those of links mean nothing and are 0777.
    pub mode: u32,
    /// When it was last changed, in nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl Entry {
    /// Whether both are the same to whoever uses the workspace: content and permissions, not times.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.mode == other.mode && self.what.is_same(&other.what)
    }

    /// The time in whole seconds, as the archives carry it.
    pub(crate) const fn mtime(&self) -> i64 {
        self.mtime_ns.div_euclid(1_000_000_000)
    }
}

/// What shows that a file of this side has changed since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Time of the last change of anything about it, in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// Its number on its file system.
    pub inode: u64,
    /// What is known beside, in bits of whoever keeps it.
    pub flags: u8,
}

/// Entries in the order of the bytes of their paths, each path once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
}

impl Manifest {
    /// Of entries in any order. Of two with one path the later counts.
    #[must_use]
    pub fn from_entries(mut entries: Vec<Entry>) -> Self {
        if !entries.is_sorted_by(|a, b| a.path < b.path) {
            entries.reverse();
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            entries.dedup_by(|later, kept| later.path == kept.path);
        }
        Self { entries }
    }

    /// All entries in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry at a path.
    #[must_use]
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        let found = self
            .entries
            .binary_search_by(|entry| entry.path.as_bytes().cmp(path));
        self.entries.get(found.ok()?)
    }

    /// The bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.what.size()).sum()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The manifest in the form of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.entries.iter().map(|entry| (entry, Stamp::default())))
    }

    /// The manifest of such a form; none if it is not whole.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let entries = decode(bytes)?.into_iter().map(|(entry, _)| entry).collect();
        Some(Self { entries })
    }
}

/// Entries with their stamps, as a file keeps them. They have to be in order.
pub(crate) fn encode<'a>(entries: impl ExactSizeIterator<Item = (&'a Entry, Stamp)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(MAGIC.len() + DIGEST + 16 + entries.len() * 80);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0; DIGEST]);
    put(&mut out, entries.len() as u64);
    let mut before: &[u8] = &[];
    for (entry, stamp) in entries {
        let path = entry.path.as_bytes();
        let shared = before.iter().zip(path).take_while(|(a, b)| a == b).count();
        put(&mut out, shared as u64);
        put_bytes(&mut out, path.get(shared..).unwrap_or_default());
        before = path;
        let kind = match &entry.what {
            What::Dir => 0,
            What::File { sparse: false, .. } => 1,
            What::File { sparse: true, .. } => 2,
            What::Link { .. } => 3,
        };
        out.push(kind);
        out.push(stamp.flags);
        put(&mut out, u64::from(entry.mode));
        out.extend_from_slice(&entry.mtime_ns.to_le_bytes());
        out.extend_from_slice(&stamp.ctime_ns.to_le_bytes());
        put(&mut out, stamp.inode);
        match &entry.what {
            What::Dir => {}
            What::File { size, hash, .. } => {
                put(&mut out, *size);
                out.extend_from_slice(hash.as_bytes());
            }
            What::Link { target } => put_bytes(&mut out, target),
        }
    }
    seal(&mut out);
    out
}

fn seal(out: &mut [u8]) {
    let start = MAGIC.len() + DIGEST;
    let digest = blake3::hash(out.get(start..).unwrap_or_default());
    if let Some(place) = out.get_mut(MAGIC.len()..start) {
        place.copy_from_slice(digest.as_bytes());
    }
}

/// The entries of such a file; none if it is not whole.
pub(crate) fn decode(bytes: &[u8]) -> Option<Vec<(Entry, Stamp)>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (digest, mut body) = rest.split_at_checked(DIGEST)?;
    if blake3::hash(body).as_bytes() != digest {
        return None;
    }
    let count = usize::try_from(take(&mut body)?).ok()?;
    if count > ENTRIES_MAX {
        return None;
    }
    // A count that lies makes no room.
    let room = count.min(body.len() / ENTRY_BYTES_MIN);
    let mut entries: Vec<(Entry, Stamp)> = Vec::with_capacity(room);
    for _ in 0..count {
        let shared = usize::try_from(take(&mut body)?).ok()?;
        let rest = take_bytes(&mut body)?;
        let before = entries
            .last()
            .map_or(&[][..], |(entry, _)| entry.path.as_bytes());
        let path = RelPath::of_parts([before.get(..shared)?, rest].concat());
        let [kind, flags] = array(&mut body)?;
        let mode = u32::try_from(take(&mut body)?).ok()?;
        let mtime_ns = i64::from_le_bytes(array(&mut body)?);
        let ctime_ns = i64::from_le_bytes(array(&mut body)?);
        let inode = take(&mut body)?;
        let what = match kind {
            0 => What::Dir,
            1 | 2 => What::File {
                size: take(&mut body)?,
                hash: Hash(array(&mut body)?),
                sparse: kind == 2,
            },
            3 => What::Link {
                target: take_bytes(&mut body)?.into(),
            },
            _ => return None,
        };
        let entry = Entry {
            path,
            what,
            mode,
            mtime_ns,
        };
        entries.push((
            entry,
            Stamp {
                ctime_ns,
                inode,
                flags,
            },
        ));
    }
    body.is_empty().then_some(entries)
}

/// Writes a file so that whoever reads sees the old or the new. It is not flushed: after a power
/// cut it may be no file, which is no harm.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = file.with_extension("new");
    fs::write(&temp, bytes)?;
    fs::rename(&temp, file)
}

pub(crate) fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn take(body: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = body.split_first()?;
        *body = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub(crate) fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = usize::try_from(take(body)?).ok()?;
    let (bytes, rest) = body.split_at_checked(count)?;
    *body = rest;
    Some(bytes)
}

pub(crate) fn array<const N: usize>(body: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = body.split_first_chunk::<N>()?;
    *body = rest;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(path: &[u8], what: What) -> Entry {
        let path = RelPath::parse(path).unwrap();
        Entry {
            path,
            what,
            mode: 0o644,
            mtime_ns: -1,
        }
    }

    #[test]
    fn the_later_of_two_counts() {
        let of = |target: &[u8]| What::Link {
            target: target.into(),
        };
        let manifest = Manifest::from_entries(vec![
            entry(b"b", What::Dir),
            entry(b"a", of(b"1")),
            entry(b"a", of(b"2")),
        ]);
        assert_eq!(manifest.len(), 2);
        assert_eq!(manifest.get(b"a").unwrap().what, of(b"2"));
        assert!(manifest.get(b"c").is_none());
    }

    #[test]
    fn what_was_altered_is_no_file() {
        let hash = Hash::of(b"x");
        let file = What::File {
            size: 300,
            hash,
            sparse: false,
        };
        let manifest = Manifest::from_entries(vec![entry(b"a", What::Dir), entry(b"a/b", file)]);
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Some(manifest));
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(Manifest::decode(&other), None, "byte {at}");
            assert_eq!(Manifest::decode(&bytes[..at]), None, "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_manifest_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Manifest::decode(&bytes);
            // With the right digest, so that the rest is looked at.
            let mut whole = MAGIC.to_vec();
            whole.extend_from_slice(blake3::hash(&bytes).as_bytes());
            whole.append(&mut bytes);
            let _ = Manifest::decode(&whole);
        }
    }
}
