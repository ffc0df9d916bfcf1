//! Large files in pieces whose borders depend on their content, so that a change of a few bytes, or
//! bytes put in between, leaves all other pieces what they were.
//!
//! The pieces of what both agreed on are kept here. So it is known without asking which of them the
//! far side has, and nothing of ours is needed there: a new version is put together from the old
//! one by ordinary programs.
//!
//! A file is cut in segments of [`SEGMENT_BYTES`], which several threads take, and each segment in
//! pieces (FastCDC, 2020). The digest of a large file is that of the list of its pieces.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::manifest::{Hash, array, put, replace, take};

/// From this size on a file is cut.
pub(crate) const LARGE_FILE_BYTES: u64 = 8 * 1024 * 1024;
/// What one thread takes at once.
const SEGMENT_BYTES: usize = 8 * 1024 * 1024;
const LEAST: usize = 16 * 1024;
const USUAL: usize = 64 * 1024;
const MOST: usize = 256 * 1024;

/// A file's pieces in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chunks {
    list: Vec<Chunk>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) len: u32,
    pub(crate) hash: Hash,
}

/// A part of the new version: where it begins in it, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) at: u64,
    pub(crate) len: u64,
    /// Where the old version has it; none: it is new.
    pub(crate) old: Option<u64>,
}

impl Chunks {
    /// Cuts a file of this size.
    pub(crate) fn of(file: &File, size: u64, threads: usize) -> io::Result<Self> {
        let segments = size.div_ceil(SEGMENT_BYTES as u64);
        let next = AtomicU64::new(0);
        let done: Mutex<Vec<(u64, Vec<Chunk>)>> = Mutex::new(Vec::new());
        let work = || -> io::Result<()> {
            let mut buffer = vec![0; SEGMENT_BYTES];
            loop {
                let segment = next.fetch_add(1, Ordering::Relaxed);
                if segment >= segments {
                    return Ok(());
                }
                let start = segment * SEGMENT_BYTES as u64;
                let len = (size - start).min(SEGMENT_BYTES as u64);
                let part = buffer.get_mut(..usize::try_from(len).unwrap_or(SEGMENT_BYTES));
                let part = part.unwrap_or_default();
                file.read_exact_at(part, start)?;
                let chunks = cut(part);
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((segment, chunks));
            }
        };
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
            let mine = work();
            let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread has ended")))
            };
            others.into_iter().map(ended).fold(mine, io::Result::and)
        })?;
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_unstable_by_key(|(segment, _)| *segment);
        let list = done.into_iter().flat_map(|(_, chunks)| chunks).collect();
        Ok(Self { list })
    }

    /// The file's digest.
    pub(crate) fn hash(&self) -> Hash {
        let mut hasher =
            blake3::Hasher::new_derive_key("wharf workspace 1: pieces of a large file");
        for Chunk { len, hash } in &self.list {
            hasher.update(&len.to_le_bytes());
            hasher.update(hash.as_bytes());
        }
        Hash::from_bytes(hasher.finalize().into())
    }

    /// How this version is made of an older one, in order, neighbours as one.
    pub(crate) fn made_of(&self, older: &Self) -> Vec<Piece> {
        let mut places = std::collections::HashMap::new();
        let mut at = 0;
        for chunk in &older.list {
            places.entry((chunk.hash, chunk.len)).or_insert(at);
            at += u64::from(chunk.len);
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = 0;
        for chunk in &self.list {
            let len = u64::from(chunk.len);
            let old = places.get(&(chunk.hash, chunk.len)).copied();
            let joins = |piece: &Piece| match (piece.old, old) {
                (Some(before), Some(now)) => before + piece.len == now,
                (None, None) => true,
                _ => false,
            };
            match pieces.last_mut().filter(|piece| joins(piece)) {
                Some(piece) => piece.len += len,
                None => pieces.push(Piece { at, len, old }),
            }
            at += len;
        }
        pieces
    }

    /// Keeps the pieces by the file's digest.
    pub(crate) fn save(&self, dir: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.list.len() * 36 + 40);
        put(&mut bytes, self.list.len() as u64);
        for chunk in &self.list {
            put(&mut bytes, u64::from(chunk.len));
            bytes.extend_from_slice(chunk.hash.as_bytes());
        }
        fs::create_dir_all(dir)?;
        replace(&dir.join(self.hash().to_string()), &bytes)
    }

    /// The pieces of a file with this digest, where they were kept and are those.
    pub(crate) fn load(dir: &Path, hash: Hash) -> Option<Self> {
        let bytes = fs::read(dir.join(hash.to_string())).ok()?;
        let mut body = &*bytes;
        let count = usize::try_from(take(&mut body)?).ok()?;
        let mut list = Vec::with_capacity(count.min(body.len() / 33));
        for _ in 0..count {
            let len = u32::try_from(take(&mut body)?).ok()?;
            list.push(Chunk {
                len,
                hash: Hash::from_bytes(array(&mut body)?),
            });
        }
        let chunks = Self { list };
        (body.is_empty() && chunks.hash() == hash).then_some(chunks)
    }
}

/// Forgets the pieces of all files but those that are known, which is asked only if there are any.
pub(crate) fn keep(dir: &Path, known: impl FnOnce() -> BTreeSet<String>) {
    let mut entries = fs::read_dir(dir).into_iter().flatten().flatten().peekable();
    if entries.peek().is_none() {
        return;
    }
    let known = known();
    for entry in entries {
        if entry
            .file_name()
            .to_str()
            .is_some_and(|name| !known.contains(name))
        {
            // Another run may have been faster.
            let _gone = fs::remove_file(entry.path());
        }
    }
}

fn cut(segment: &[u8]) -> Vec<Chunk> {
    let cuts = fastcdc::v2020::FastCDC::new(segment, LEAST, USUAL, MOST);
    cuts.filter_map(|cut| {
        let bytes = segment.get(cut.offset..cut.offset + cut.length)?;
        Some(Chunk {
            len: u32::try_from(cut.length).ok()?,
            hash: Hash::of(bytes),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, mut state: u64) -> Vec<u8> {
        let next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let mut bytes: Vec<u8> = std::iter::repeat_with(next).flatten().take(len).collect();
        bytes.truncate(len);
        bytes
    }

    fn chunks(bytes: &[u8]) -> Chunks {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("x"), bytes).unwrap();
        let file = File::open(temp.path().join("x")).unwrap();
        Chunks::of(&file, bytes.len() as u64, 3).unwrap()
    }

    #[test]
    fn a_new_version_is_made_of_the_old_one() {
        let old = noise(SEGMENT_BYTES * 2 + 12345, 7);
        let mut new = old.clone();
        new.splice(1_000_000..1_000_010, noise(50_000, 9));
        new.truncate(new.len() - 999);
        let (a, b) = (chunks(&old), chunks(&new));
        assert_eq!(
            a.list.iter().map(|chunk| chunk.len as usize).sum::<usize>(),
            old.len()
        );
        let pieces = b.made_of(&a);
        let mut made = Vec::new();
        let mut sent = 0;
        for piece in &pieces {
            assert_eq!(piece.at, made.len() as u64);
            let (from, start) = match piece.old {
                Some(at) => (&old, at),
                None => (&new, piece.at),
            };
            sent += if piece.old.is_none() { piece.len } else { 0 };
            let start = usize::try_from(start).unwrap();
            made.extend_from_slice(&from[start..start + usize::try_from(piece.len).unwrap()]);
        }
        assert!(made == new);
        assert!(sent < 2_000_000, "{sent} bytes of {} are new", new.len());
        assert_ne!(a.hash(), b.hash());
        assert_eq!(chunks(&old), a, "threads make no difference");
    }

    #[test]
    fn kept_and_read_again_or_not_at_all() {
        let temp = tempfile::tempdir().unwrap();
        let some = chunks(&noise(300_000, 3));
        some.save(temp.path()).unwrap();
        assert_eq!(Chunks::load(temp.path(), some.hash()), Some(some.clone()));
        let file = temp.path().join(some.hash().to_string());
        let mut bytes = fs::read(&file).unwrap();
        bytes[9] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert_eq!(Chunks::load(temp.path(), some.hash()), None);
        keep(temp.path(), BTreeSet::new);
        assert!(!file.exists());
    }
}
