//! The stream that is sent: an archive, made by a thread that reads files and stops when nobody
//! takes what it has made.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::mpsc;

use super::script::{self, GRAIN};
use super::tar::{self, Header};
use super::touched::Touched;
use super::{Progress, Report};
use crate::chunks::{Chunks, LARGE_FILE_BYTES, Piece};
use crate::far::FarPlace;
use crate::manifest::{Entry, Hash, What};
use crate::path::RelPath;
use crate::plan::{Plan, Send};
use crate::scan;

/// What is handed over at once.
const PIECE_BYTES: usize = 256 * 1024;
/// How many of these wait for the network.
pub(super) const PIECES_WAITING: usize = 8;
/// More pieces of data than this, and a file with holes is sent whole.
const EXTENTS_MAX: usize = 256;
/// More pieces than this, and a large file is sent whole: each is a program there.
const PIECES_MAX: usize = 256;

/// How a file that is not sent whole is put together there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recipe {
    /// A copy of the old one, into which these are written; they begin and, save the last, end at
    /// multiples of [`GRAIN`].
    InPlace { pieces: Vec<Piece> },
    /// Parts of the old one and new ones.
    Pieces { pieces: Vec<Piece> },
    /// What an earlier push has left, and the rest.
    Rest { have: u64 },
    /// It is not: it was missed.
    None,
    /// Data between holes.
    Sparse { size: u64, extents: Vec<(u64, u64)> },
}

impl Recipe {
    /// How large the file is then, where the recipe knows.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Pieces { pieces } => Some(pieces.iter().map(|piece| piece.len).sum()),
            Self::Sparse { size, .. } => Some(*size),
            Self::InPlace { .. } | Self::Rest { .. } | Self::None => None,
        }
    }
}

/// All that the thread needs.
pub(super) struct Job {
    pub(super) root: PathBuf,
    pub(super) place: FarPlace,
    pub(super) plan: Plan,
    pub(super) chunks: PathBuf,
    /// What has arrived already.
    pub(super) staged: std::collections::BTreeSet<RelPath>,
    /// Large files of which so much has arrived, by the number of their recipe.
    pub(super) parts: Vec<(RelPath, u64)>,
    /// What alone is listed again there, if that is enough.
    pub(super) touched: Option<Touched>,
    pub(super) token: String,
    pub(super) compress: bool,
    pub(super) report: Report,
}

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// The entries that are in the workspace there then, as they were sent.
    pub(super) entries: Vec<Entry>,
    /// What changed while it was read, or went, and is not sent.
    pub(super) missed: Vec<RelPath>,
    /// What is staged and stays there, since something was changed meanwhile where it should go.
    pub(super) spared: Vec<RelPath>,
    pub(super) progress: Progress,
}

/// Makes the stream. An error is one of handing over: nobody takes it any more.
pub(super) fn pack(job: &Job, sender: mpsc::Sender<Vec<u8>>) -> io::Result<Packed> {
    let output = Output {
        sender,
        out: Vec::with_capacity(PIECE_BYTES * 2),
        sent: 0,
    };
    let sink = match job.compress {
        true => Sink::Packed(Box::new(GzEncoder::new(output, Compression::fast()))),
        false => Sink::Plain(output),
    };
    let mut packer = Packer {
        job,
        sink,
        written: 0,
        block: Vec::new(),
        recipes: Vec::new(),
        packed: Packed::default(),
    };
    packer.packed.progress.files_all = job.plan.sends.len() as u64;
    packer.packed.progress.bytes_all = job.plan.bytes();
    // Files that stand where others of an earlier push were have the numbers of their parts.
    for (path, have) in &job.parts {
        packer.rest(path, *have)?;
    }
    for send in &job.plan.sends {
        if job.parts.iter().all(|(path, _)| *path != send.entry.path) {
            packer.send(send)?;
        }
        packer.packed.progress.files += 1;
        packer.tell();
    }
    packer.finish()
}

struct Packer<'a> {
    job: &'a Job,
    sink: Sink,
    written: u64,
    block: Vec<u8>,
    recipes: Vec<(RelPath, Recipe)>,
    packed: Packed,
}

impl Packer<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.sink.write_all(bytes)
    }

    fn header(&mut self, header: Header<'_>) -> io::Result<()> {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        header.put(&mut block);
        let done = self.put(&block);
        self.block = block;
        done
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let mut zeroes = Vec::new();
        tar::pad(&mut zeroes, size);
        self.put(&zeroes)
    }

    fn tell(&mut self) {
        self.packed.progress.bytes_sent = self.sink.sent();
        (self.job.report)(self.packed.progress);
    }

    fn send(&mut self, send: &Send) -> io::Result<()> {
        let entry = &send.entry;
        let size = entry.what.size();
        if self.job.staged.contains(&entry.path) {
            self.packed.progress.bytes += size;
            self.packed.entries.push(entry.clone());
            return Ok(());
        }
        let What::File { sparse, .. } = entry.what else {
            let name = tree(&entry.path);
            self.header(Header::of(&name, entry, 0, self.job.place.owner.as_ref()))?;
            self.packed.entries.push(entry.clone());
            return Ok(());
        };
        let Ok(file) = scan::open(&self.job.root.join(entry.path.as_path())) else {
            self.packed.missed.push(entry.path.clone());
            return Ok(());
        };
        if size < LARGE_FILE_BYTES && !sparse {
            return self.small(entry, file);
        }
        if !is_as_scanned(&file, entry) {
            self.packed.missed.push(entry.path.clone());
            return Ok(());
        }
        let extents = if sparse {
            extents(&file, size).ok().flatten()
        } else {
            None
        };
        match (extents, self.pieces(send)) {
            (Some(extents), _) => {
                let ranges = extents.clone();
                self.parts(entry, &file, Recipe::Sparse { size, extents }, &ranges)
            }
            (None, Some(recipe)) => {
                let ranges = new_ranges(&recipe);
                self.parts(entry, &file, recipe, &ranges)
            }
            (None, None) => self.whole(entry, &file),
        }
    }

    /// A file that has room in memory. One that is not what was looked at is not sent: nobody has
    /// asked whether it may be.
    fn small(&mut self, entry: &Entry, file: File) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(usize::try_from(entry.what.size()).unwrap_or(0) + 1);
        let read = file.take(LARGE_FILE_BYTES).read_to_end(&mut bytes);
        if read.is_err() || bytes.len() as u64 >= LARGE_FILE_BYTES {
            self.packed.missed.push(entry.path.clone());
            return Ok(());
        }
        let size = bytes.len() as u64;
        let what = What::File {
            size,
            hash: Hash::of(&bytes),
            sparse: false,
        };
        if !what.is_same(&entry.what) {
            self.packed.missed.push(entry.path.clone());
            return Ok(());
        }
        let entry = Entry {
            what,
            ..entry.clone()
        };
        let name = tree(&entry.path);
        self.header(Header::of(
            &name,
            &entry,
            size,
            self.job.place.owner.as_ref(),
        ))?;
        self.put(&bytes)?;
        self.pad(size)?;
        self.packed.progress.bytes += size;
        self.packed.entries.push(entry);
        Ok(())
    }

    fn whole(&mut self, entry: &Entry, file: &File) -> io::Result<()> {
        let (name, size) = (tree(&entry.path), entry.what.size());
        self.header(Header::of(
            &name,
            entry,
            size,
            self.job.place.owner.as_ref(),
        ))?;
        let is_whole = self.range(file, 0, size)? && is_as_scanned(file, entry);
        self.pad(size)?;
        self.arrived(entry, is_whole);
        Ok(())
    }

    fn arrived(&mut self, entry: &Entry, is_whole: bool) {
        if is_whole {
            self.packed.entries.push(entry.clone());
        } else {
            self.packed.missed.push(entry.path.clone());
        }
    }

    /// Sends these bytes of a file. One that is shorter is filled up, as the header has said how
    /// long it is, and that is told.
    fn range(&mut self, file: &File, start: u64, len: u64) -> io::Result<bool> {
        let mut buffer = vec![0; PIECE_BYTES];
        let (mut at, end) = (start, start + len);
        let mut is_whole = true;
        while at < end {
            let most = usize::try_from(end - at)
                .unwrap_or(PIECE_BYTES)
                .min(PIECE_BYTES);
            let piece = buffer.get_mut(..most).unwrap_or_default();
            let count = match file.read_at(piece, at) {
                Ok(count @ 1..) if is_whole => count,
                _ => {
                    is_whole = false;
                    piece.fill(0);
                    most
                }
            };
            self.put(buffer.get(..count).unwrap_or_default())?;
            at += count as u64;
            self.packed.progress.bytes += count as u64;
            self.tell();
        }
        Ok(is_whole)
    }

    /// How a large file is made of what is there, if that pays.
    fn pieces(&self, send: &Send) -> Option<Recipe> {
        let What::File {
            hash: new, size, ..
        } = send.entry.what
        else {
            return None;
        };
        let What::File {
            hash: old,
            size: before,
            ..
        } = send.over.as_ref()?.what
        else {
            return None;
        };
        let new = Chunks::load(&self.job.chunks, new)?;
        let old = Chunks::load(&self.job.chunks, old)?;
        let pieces = new.made_of(&old);
        let fresh: u64 = pieces
            .iter()
            .filter(|piece| piece.old.is_none())
            .map(|piece| piece.len)
            .sum();
        if pieces.len() > PIECES_MAX || fresh > size / 2 {
            return None;
        }
        let stays = pieces
            .iter()
            .all(|piece| piece.old.is_none_or(|old| old == piece.at));
        if stays && before == size {
            return Some(Recipe::InPlace {
                pieces: aligned(&pieces, size),
            });
        }
        Some(Recipe::Pieces { pieces })
    }

    /// A file that is put together there: it stands empty in its place, its time beside it.
    fn parts(
        &mut self,
        entry: &Entry,
        file: &File,
        recipe: Recipe,
        ranges: &[(u64, u64)],
    ) -> io::Result<()> {
        let number = self.recipes.len();
        let name = tree(&entry.path);
        let owner = self.job.place.owner.as_ref();
        // It is written there once more, by its owner, who may be nobody special.
        let writable = Entry {
            mode: entry.mode | 0o200,
            ..entry.clone()
        };
        self.header(Header::of(&name, &writable, 0, owner))?;
        self.header(Header::of(
            format!("ref/{number}").as_bytes(),
            entry,
            0,
            None,
        ))?;
        let size = ranges.iter().map(|(_, len)| len).sum();
        self.header(Header::plain(format!("data/{number}").as_bytes(), size))?;
        let mut is_whole = true;
        for (start, len) in ranges {
            is_whole &= self.range(file, *start, *len)?;
        }
        self.pad(size)?;
        self.packed.progress.bytes += entry.what.size().saturating_sub(size);
        let is_whole = is_whole && is_as_scanned(file, entry);
        self.arrived(entry, is_whole);
        self.recipes.push((entry.path.clone(), recipe));
        Ok(())
    }

    fn rest(&mut self, path: &RelPath, have: u64) -> io::Result<()> {
        let send = self
            .job
            .plan
            .sends
            .iter()
            .find(|send| send.entry.path == *path);
        let Some(send) = send else { return Ok(()) };
        let opened = scan::open(&self.job.root.join(path.as_path()));
        let Ok(file) = opened else {
            self.packed.missed.push(path.clone());
            // The next part has the next number.
            self.recipes.push((path.clone(), Recipe::None));
            return Ok(());
        };
        let len = send.entry.what.size().saturating_sub(have);
        self.parts(&send.entry, &file, Recipe::Rest { have }, &[(have, len)])
    }

    fn finish(mut self) -> io::Result<Packed> {
        // What was missed is neither put together nor moved.
        let missed: std::collections::BTreeSet<&RelPath> = self.packed.missed.iter().collect();
        for (path, recipe) in &mut self.recipes {
            if missed.contains(path) {
                *recipe = Recipe::None;
            }
        }
        self.packed.entries.sort_by(|a, b| a.path.cmp(&b.path));
        let staged = script::Staged {
            entries: &self.packed.entries,
            recipes: &self.recipes,
            missed: &self.packed.missed,
            look: match &self.job.touched {
                Some(touched) => script::Look::At(touched),
                None => script::Look::AtAll,
            },
        };
        let script = script::apply(&self.job.place, &self.job.plan, staged, &self.job.token);
        let size = script.len() as u64;
        self.header(Header::plain(b"apply", size))?;
        self.put(&script)?;
        self.pad(size)?;
        let mut end = Vec::new();
        tar::end(&mut end, self.written);
        self.put(&end)?;
        self.packed.progress.bytes_sent = self.sink.finish()?;
        (self.job.report)(self.packed.progress);
        Ok(self.packed)
    }
}

fn tree(path: &RelPath) -> Vec<u8> {
    [b"tree/", path.as_bytes()].concat()
}

fn is_as_scanned(file: &File, entry: &Entry) -> bool {
    file.metadata().is_ok_and(|found| {
        let mtime = found
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(found.mtime_nsec());
        found.size() == entry.what.size() && mtime == entry.mtime_ns
    })
}

fn new_ranges(recipe: &Recipe) -> Vec<(u64, u64)> {
    match recipe {
        Recipe::InPlace { pieces } | Recipe::Pieces { pieces } => {
            let new = pieces.iter().filter(|piece| piece.old.is_none());
            new.map(|piece| (piece.at, piece.len)).collect()
        }
        Recipe::Rest { .. } | Recipe::None | Recipe::Sparse { .. } => Vec::new(),
    }
}

/// The new pieces, wider, so that they begin and end where `dd` does. Those that touch are one.
fn aligned(pieces: &[Piece], size: u64) -> Vec<Piece> {
    let mut wide: Vec<Piece> = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.old.is_none()) {
        let at = piece.at / GRAIN * GRAIN;
        let end = (piece.at + piece.len).next_multiple_of(GRAIN).min(size);
        match wide
            .last_mut()
            .filter(|before| before.at + before.len >= at)
        {
            Some(before) => before.len = end - before.at,
            None => wide.push(Piece {
                at,
                len: end - at,
                old: None,
            }),
        }
    }
    wide
}

/// Where a file has data, in multiples of [`GRAIN`]; none if it has too many pieces.
fn extents(file: &File, size: u64) -> io::Result<Option<Vec<(u64, u64)>>> {
    use rustix::fs::{SeekFrom, seek};
    let mut extents: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start / GRAIN * GRAIN,
            // There is only a hole from here on.
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let hole = seek(file, SeekFrom::Hole(start.max(at)))?;
        let end = hole.next_multiple_of(GRAIN).min(size);
        match extents.last_mut().filter(|(at, len)| at + len >= start) {
            Some(before) => before.1 = end - before.0,
            None => extents.push((start, end - start)),
        }
        if extents.len() > EXTENTS_MAX {
            return Ok(None);
        }
        at = hole.max(at + 1);
    }
    Ok(Some(extents))
}

/// What is made goes to whoever sends it, a piece at a time.
struct Output {
    sender: mpsc::Sender<Vec<u8>>,
    out: Vec<u8>,
    sent: u64,
}

impl Output {
    fn hand_over(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.out, Vec::with_capacity(PIECE_BYTES * 2));
        self.sent += piece.len() as u64;
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(piece).map_err(gone)
    }
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.extend_from_slice(bytes);
        if self.out.len() >= PIECE_BYTES {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Sink {
    Plain(Output),
    Packed(Box<GzEncoder<Output>>),
}

impl Sink {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(output) => output.write_all(bytes),
            Self::Packed(encoder) => encoder.write_all(bytes),
        }
    }

    fn sent(&self) -> u64 {
        match self {
            Self::Plain(output) => output.sent,
            Self::Packed(encoder) => encoder.get_ref().sent,
        }
    }

    fn finish(self) -> io::Result<u64> {
        let mut output = match self {
            Self::Plain(output) => output,
            Self::Packed(encoder) => encoder.finish()?,
        };
        output.hand_over()?;
        Ok(output.sent)
    }
}
