//! The manifest of this side: the walk, and the digests of files, of which only those are read that
//! have changed since they were.
//!
//! A file is as it was if size, times and number are. One that was touched so short before it was
//! read that its times cannot show a second touch is read again.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::FileType;

use crate::Error;
use crate::chunks::{Chunks, LARGE_FILE_BYTES};
use crate::look::{self, Looking};
use crate::manifest::{Entry, Hash, Manifest, Stamp, What, decode, encode, replace};
use crate::path::RelPath;
use crate::state::Shelf;
use crate::walk::{Found, Left, THREADS_MAX, Walk, walk};

/// A file that was touched this short before it was read may be touched again without its times
/// showing it, as far as the coarsest clocks of file systems go: nanoseconds.
const RACY_NS: i64 = 2_000_000_000;
/// What is read at once of a file.
const PIECE_BYTES: usize = 256 * 1024;
/// It has something that looks like a secret.
const SUSPECT: u8 = 1;
/// It was old enough when it was read.
const SURE: u8 = 2;

/// The workspace as it is on this side.
#[derive(Debug, Default)]
pub struct Scanned {
    /// What belongs to it.
    pub manifest: Manifest,
    /// What does not, and why. There may be as many as files that do; a person is shown some.
    pub left: Vec<Left>,
    /// Files with something that looks like a secret; [`look`] says what and where.
    pub(crate) suspects: Vec<RelPath>,
    /// How many files had to be read.
    pub read: usize,
}

/// Digests of files that have not changed since they were read.
#[derive(Debug)]
pub struct Cache {
    file: PathBuf,
    chunks: PathBuf,
    known: Vec<(Entry, Stamp)>,
}

impl Cache {
    /// What an earlier run kept. A file that is absent or not whole is empty: it costs time and
    /// nothing else.
    #[must_use]
    pub fn load(shelf: &Shelf) -> Self {
        let file = shelf.digests();
        let known = std::fs::read(&file)
            .ok()
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default();
        Self {
            file,
            chunks: shelf.chunks(),
            known,
        }
    }
}

/// Looks at the workspace. `now_ns` is the time, in nanoseconds since 1970. What is learnt is kept
/// in the cache and its file.
///
/// # Errors
/// When the directory cannot be read, or has more than [`crate::manifest::ENTRIES_MAX`] entries.
/// Files that cannot be read are among those left out.
pub fn scan(asked: &Walk<'_>, cache: &mut Cache, now_ns: i64) -> Result<Scanned, Error> {
    let walked = walk(asked)?;
    let mut scanned = Scanned {
        left: walked.left,
        ..Scanned::default()
    };
    let mut entries: Vec<(Entry, Stamp)> = Vec::with_capacity(walked.found.len());
    let mut unread = Vec::new();
    let mut known = cache.known.iter().peekable();
    for found in walked.found {
        while known
            .next_if(|(entry, _)| entry.path < found.path)
            .is_some()
        {}
        let before = known.peek().filter(|(entry, _)| entry.path == found.path);
        let content = before.and_then(|(entry, stamp)| found.known_as(entry, *stamp));
        if content.is_none() && found.kind == FileType::RegularFile {
            unread.push((entries.len(), found.size));
        }
        entries.push(found.entry(content));
    }
    scanned.read = unread.len();
    let is_new = !unread.is_empty() || entries.len() != cache.known.len();
    let reads = read_all(asked, &entries, &unread, &cache.chunks, now_ns);
    let mut gone = Vec::new();
    for ((at, _), read) in unread.iter().zip(reads) {
        let Some(slot) = entries.get_mut(*at) else {
            continue;
        };
        match read {
            Some(read) => {
                slot.0.what = read.what;
                slot.1 = read.stamp;
            }
            None => gone.push(*at),
        }
    }
    for at in gone.into_iter().rev() {
        let (entry, _) = entries.remove(at);
        scanned.left.push(Left {
            path: entry.path,
            why: crate::walk::Why::Unreadable,
        });
    }
    let suspects = entries
        .iter()
        .filter(|(_, stamp)| stamp.flags & SUSPECT != 0);
    scanned.suspects = suspects.map(|(entry, _)| entry.path.clone()).collect();
    if is_new || entries != cache.known {
        let bytes = encode(entries.iter().map(|(entry, stamp)| (entry, *stamp)));
        replace(&cache.file, &bytes).map_err(Error::write(&cache.file))?;
        cache.known.clone_from(&entries);
    }
    let entries = entries.into_iter().map(|(entry, _)| entry).collect();
    scanned.manifest = Manifest::from_entries(entries);
    Ok(scanned)
}

impl Found {
    /// The content that the cache knows, if the file is as it was.
    fn known_as(&self, entry: &Entry, stamp: Stamp) -> Option<(Hash, u8)> {
        let What::File { size, hash, .. } = entry.what else {
            return None;
        };
        let is_as_it_was = stamp.flags & SURE != 0
            && size == self.size
            && entry.mtime_ns == self.mtime_ns
            && stamp.ctime_ns == self.ctime_ns
            && stamp.inode == self.inode;
        is_as_it_was.then_some((hash, stamp.flags))
    }

    fn entry(self, content: Option<(Hash, u8)>) -> (Entry, Stamp) {
        let (hash, flags) = content.unwrap_or((Hash::from_bytes([0; 32]), 0));
        let what = match (self.kind, self.target) {
            (FileType::Directory, _) => What::Dir,
            (FileType::Symlink, Some(target)) => What::Link { target },
            _ => What::File {
                size: self.size,
                hash,
                sparse: self.is_sparse,
            },
        };
        let entry = Entry {
            path: self.path,
            what,
            mode: self.mode,
            mtime_ns: self.mtime_ns,
        };
        let stamp = match entry.what {
            What::File { .. } => Stamp {
                ctime_ns: self.ctime_ns,
                inode: self.inode,
                flags,
            },
            What::Dir | What::Link { .. } => Stamp::default(),
        };
        (entry, stamp)
    }
}

struct ReadFile {
    what: What,
    stamp: Stamp,
}

/// Reads files by several threads. The results are in the order of `unread`.
fn read_all(
    asked: &Walk<'_>,
    entries: &[(Entry, Stamp)],
    unread: &[(usize, u64)],
    chunks: &Path,
    now_ns: i64,
) -> Vec<Option<ReadFile>> {
    let next = AtomicUsize::new(0);
    let reading = Reading {
        asked,
        chunks,
        now_ns,
    };
    let work = || {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((entry, _)) = unread.get(at).and_then(|(index, _)| entries.get(*index)) else {
                return done;
            };
            done.push((at, reading.file(entry, &mut buffer).ok()));
        }
    };
    let threads = asked.threads.clamp(1, THREADS_MAX).min(unread.len().max(1));
    let mut results: Vec<Option<ReadFile>> = Vec::new();
    results.resize_with(unread.len(), || None);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        let theirs = others
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .flatten();
        for (at, read) in mine.into_iter().chain(theirs) {
            if let Some(slot) = results.get_mut(at) {
                *slot = read;
            }
        }
    });
    results
}

struct Reading<'a> {
    asked: &'a Walk<'a>,
    chunks: &'a Path,
    now_ns: i64,
}

impl Reading<'_> {
    fn file(&self, entry: &Entry, buffer: &mut [u8]) -> io::Result<ReadFile> {
        let mut file = open(&self.asked.root.join(entry.path.as_path()))?;
        let found = file.metadata()?;
        let mut looking = Looking::new(entry.path.name());
        let (size, hash) = match found.size() {
            size @ LARGE_FILE_BYTES.. => (size, self.large(&file, size, &mut looking)?),
            _ => small(&mut file, buffer, &mut looking)?,
        };
        let (mtime, ctime) = (
            ns(found.mtime(), found.mtime_nsec()),
            ns(found.ctime(), found.ctime_nsec()),
        );
        let touched = mtime.max(ctime);
        let is_sure = touched.saturating_add(RACY_NS) <= self.now_ns && size == found.size();
        let mut flags = if looking.is_suspect() { SUSPECT } else { 0 };
        flags |= if is_sure { SURE } else { 0 };
        let sparse = matches!(entry.what, What::File { sparse: true, .. });
        let stamp = Stamp {
            ctime_ns: ctime,
            inode: found.ino(),
            flags,
        };
        Ok(ReadFile {
            what: What::File { size, hash, sparse },
            stamp,
        })
    }

    /// One that is cut in pieces, which are kept.
    fn large(&self, file: &File, size: u64, looking: &mut Looking) -> io::Result<Hash> {
        let mut start = vec![0; look::LOOK_BYTES_MAX];
        file.read_exact_at(&mut start, 0)?;
        looking.take(&start);
        let chunks = Chunks::of(file, size, self.asked.threads.clamp(1, THREADS_MAX))?;
        chunks.save(self.chunks)?;
        Ok(chunks.hash())
    }
}

fn small(file: &mut File, buffer: &mut [u8], looking: &mut Looking) -> io::Result<(u64, Hash)> {
    let mut hasher = blake3::Hasher::new();
    let mut size = 0;
    loop {
        let count = file.read(buffer)?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return Ok((size, Hash::from_bytes(hasher.finalize().into())));
        }
        hasher.update(piece);
        looking.take(piece);
        size += count as u64;
    }
}

/// Opens a file for reading: no link, and nothing that would wait.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    Ok(file)
}

const fn ns(seconds: i64, ns: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(ns)
}
