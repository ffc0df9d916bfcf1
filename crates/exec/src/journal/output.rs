//! One run's output, while it is written and afterwards.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::Notify;
use wharf_model::RunId;

use super::kept::{excerpt_ranges, length, read_file, slice};
use super::{Journal, PLACE_FILES, PLACE_NONE};

/// Bytes of a run, both streams together, that stay in memory in any case.
pub const MEMORY_BYTES: usize = 64 * 1024;
/// Bytes of a run that stay in memory while all runs together hold less than
/// [`SHARED_MEMORY_BYTES`] of what is over [`MEMORY_BYTES`]. What is larger gets files of its own.
pub const LARGE_MEMORY_BYTES: usize = 2 * 1024 * 1024;
/// See [`LARGE_MEMORY_BYTES`].
pub const SHARED_MEMORY_BYTES: usize = 32 * 1024 * 1024;
/// The most that one read returns.
pub const MAX_READ: usize = 4 * 1024 * 1024;

/// One of the two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The output of a run that goes on, and of one that has just ended.
#[derive(Debug)]
pub struct RunOutput {
    journal: Weak<Journal>,
    run: RunId,
    eager: bool,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    stdout: Spool,
    stderr: Spool,
    /// The output is in files of its own.
    on_disk: bool,
    /// Nobody will write any more.
    finished: bool,
    /// Where it was settled.
    place: Option<String>,
    /// Bytes kept of both streams.
    kept: u64,
    /// Bytes of the memory that all runs share.
    shared: usize,
}

#[derive(Debug, Default)]
struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    /// Where the file is that nobody will write to any more. It is opened by whoever reads: runs
    /// that have ended are remembered by the hundred, and descriptors are few.
    settled: Option<PathBuf>,
    /// Bytes kept, in memory or in the file.
    kept: u64,
    /// Bytes written by the command.
    total: u64,
    /// Made with the first byte: most streams stay empty, and it is large.
    hash: Option<Box<blake3::Hasher>>,
    /// A write to the disk has failed: from here on bytes are counted, not kept.
    failed: bool,
}

/// What there is of both streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Bytes written to standard output.
    pub stdout: u64,
    /// Bytes written to standard error.
    pub stderr: u64,
    /// Nobody will write any more.
    pub finished: bool,
}

/// What is recorded of a run's output when it has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Where it can be read later; for [`Journal::reopen`].
    pub place: String,
    /// Bytes written to standard output.
    pub stdout_bytes: u64,
    /// Bytes written to standard error.
    pub stderr_bytes: u64,
    /// Bytes of both that were counted but not kept.
    pub dropped: u64,
    /// BLAKE3 of standard output, in hex; none when it is empty.
    pub stdout_digest: Option<String>,
    /// BLAKE3 of standard error, in hex; none when it is empty.
    pub stderr_digest: Option<String>,
}

impl Summary {
    /// Of what writes no output.
    #[must_use]
    pub fn none() -> Self {
        Self {
            place: super::PLACE_NONE.to_owned(),
            stdout_bytes: 0,
            stderr_bytes: 0,
            dropped: 0,
            stdout_digest: None,
            stderr_digest: None,
        }
    }
}

impl RunOutput {
    pub(super) fn new(journal: &Arc<Journal>, run: &RunId, eager: bool) -> Arc<Self> {
        Arc::new(Self {
            journal: Arc::downgrade(journal),
            run: run.clone(),
            eager,
            inner: Mutex::new(Inner::default()),
            changed: Notify::new(),
        })
    }

    /// Takes in what the command has written. Never fails: what cannot be kept is counted.
    pub fn append(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        {
            let mut inner = self.lock();
            if !inner.on_disk && (self.eager || !self.fits_in_memory(&mut inner, bytes.len())) {
                self.to_disk(&mut inner);
            }
            let cap = self
                .journal
                .upgrade()
                .map_or(u64::MAX, |journal| journal.options.run_cap);
            let room = usize::try_from(cap.saturating_sub(inner.kept)).unwrap_or(usize::MAX);
            let spool = inner.spool(stream);
            let kept = spool.append(bytes, room);
            inner.kept = inner.kept.saturating_add(kept);
            if inner.on_disk
                && let Some(journal) = self.journal.upgrade()
            {
                journal.grew(kept);
            }
        }
        self.changed.notify_waiters();
    }

    /// Puts on disk what is still in memory only, so that it outlives this process.
    pub fn persist(&self) {
        let mut inner = self.lock();
        if !inner.on_disk && !inner.finished && inner.memory_bytes() > 0 {
            self.to_disk(&mut inner);
        }
    }

    /// Nobody will write any more. Keeps small output in the shared file and says where all is.
    pub fn finish(&self) -> Summary {
        let summary = {
            let mut inner = self.lock();
            inner.finished = true;
            let place = match inner.place.clone() {
                Some(place) => place,
                None => self.settle(&mut inner),
            };
            inner.place = Some(place.clone());
            inner.summary(place)
        };
        self.changed.notify_waiters();
        summary
    }

    /// What can be recorded while stragglers still write: everything so far is on disk.
    pub fn interim(&self) -> Summary {
        let mut inner = self.lock();
        if !inner.on_disk {
            self.to_disk(&mut inner);
        }
        inner.summary(PLACE_FILES.to_owned())
    }

    /// How much there is.
    pub fn totals(&self) -> Totals {
        let inner = self.lock();
        Totals {
            stdout: inner.stdout.total,
            stderr: inner.stderr.total,
            finished: inner.finished,
        }
    }

    /// Waits until there is more than `seen`, or the end.
    pub async fn changed(&self, seen: Totals) {
        loop {
            let notified = self.changed.notified();
            let mut notified = std::pin::pin!(notified);
            notified.as_mut().enable();
            let now = self.totals();
            if now.stdout > seen.stdout || now.stderr > seen.stderr || now.finished {
                return;
            }
            notified.await;
        }
    }

    /// At most `limit` kept bytes from `offset` on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, stream: Stream, offset: u64, limit: usize) -> io::Result<Bytes> {
        self.lock().spool(stream).read(offset, limit.min(MAX_READ))
    }

    /// Bytes kept of a stream: from here on they were counted and dropped.
    pub fn kept(&self, stream: Stream) -> u64 {
        self.lock().spool(stream).kept
    }

    /// Head, tail and total of a stream within `limit` bytes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn excerpt(&self, stream: Stream, limit: usize) -> io::Result<(Bytes, Bytes, u64)> {
        let mut inner = self.lock();
        let spool = inner.spool(stream);
        let total = spool.total;
        let (head, tail) = excerpt_ranges(spool.kept, total, limit);
        Ok((spool.read_range(head)?, spool.read_range(tail)?, total))
    }

    /// Whether `more` bytes may stay in memory; takes a share of what all runs may hold together.
    fn fits_in_memory(&self, inner: &mut Inner, more: usize) -> bool {
        let wanted = inner.memory_bytes().saturating_add(more);
        if wanted <= MEMORY_BYTES.saturating_add(inner.shared) {
            return true;
        }
        let Some(journal) = self.journal.upgrade() else {
            return false;
        };
        // In steps, so that a chatty command does not come here for every line.
        let step = wanted.next_power_of_two() - MEMORY_BYTES - inner.shared;
        if wanted > LARGE_MEMORY_BYTES || !journal.take_shared(step) {
            return false;
        }
        inner.shared += step;
        true
    }

    fn settle(&self, inner: &mut Inner) -> String {
        if inner.on_disk {
            if let Some(journal) = self.journal.upgrade() {
                for stream in [Stream::Stdout, Stream::Stderr] {
                    let path = journal.file(&self.run, stream);
                    if let Some(file) = inner.spool(stream).settle(path) {
                        journal.segments.retire(file);
                    }
                }
            }
            return PLACE_FILES.to_owned();
        }
        if inner.memory_bytes() == 0 {
            return PLACE_NONE.to_owned();
        }
        let Some(journal) = self.journal.upgrade() else {
            return PLACE_NONE.to_owned();
        };
        match journal
            .segments
            .append(&self.run, &inner.stdout.memory, &inner.stderr.memory)
        {
            Ok((place, bytes)) => {
                journal.grew(bytes);
                place.to_string()
            }
            Err(error) => {
                tracing::error!(target: "system", run = %self.run, %error, "output cannot be kept");
                PLACE_NONE.to_owned()
            }
        }
    }

    fn to_disk(&self, inner: &mut Inner) {
        inner.on_disk = true;
        let Some(journal) = self.journal.upgrade() else {
            return;
        };
        for stream in [Stream::Stdout, Stream::Stderr] {
            let path = journal.file(&self.run, stream);
            let spool = inner.spool(stream);
            journal.grew(spool.move_to_file(&path));
        }
        inner.kept = inner.stdout.kept.saturating_add(inner.stderr.kept);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunOutput {
    fn drop(&mut self) {
        let shared = std::mem::take(&mut self.lock().shared);
        if let Some(journal) = self.journal.upgrade() {
            journal.give_back_shared(shared);
        }
    }
}

impl Inner {
    fn spool(&mut self, stream: Stream) -> &mut Spool {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn summary(&self, place: String) -> Summary {
        let written = self.stdout.total.saturating_add(self.stderr.total);
        let stored = if place == PLACE_NONE { 0 } else { self.kept };
        Summary {
            place,
            stdout_bytes: self.stdout.total,
            stderr_bytes: self.stderr.total,
            dropped: written.saturating_sub(stored),
            stdout_digest: self.stdout.digest(),
            stderr_digest: self.stderr.digest(),
        }
    }

    fn memory_bytes(&self) -> usize {
        self.stdout
            .memory
            .len()
            .saturating_add(self.stderr.memory.len())
    }
}

impl Spool {
    /// Counts all of `bytes`, keeps at most `room` of them, says how many were kept.
    fn append(&mut self, bytes: &[u8], room: usize) -> u64 {
        let before = self.total;
        self.total = self.total.saturating_add(length(bytes));
        self.hash.get_or_insert_default().update(bytes);
        if self.failed || self.settled.is_some() || self.kept < before {
            return 0;
        }
        let wanted = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        let kept = match &self.file {
            None => {
                self.memory.extend_from_slice(wanted);
                length(wanted)
            }
            Some(file) => match file.write_all_at(wanted, self.kept) {
                Ok(()) => length(wanted),
                Err(error) => {
                    tracing::error!(target: "system", %error, "output is counted, but cannot be kept");
                    self.failed = true;
                    0
                }
            },
        };
        self.kept = self.kept.saturating_add(kept);
        kept
    }

    /// Moves from memory to a file; says how many bytes are there.
    fn move_to_file(&mut self, path: &Path) -> u64 {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path);
        let memory = std::mem::take(&mut self.memory);
        match file.and_then(|file| file.write_all_at(&memory, 0).map(|()| file)) {
            Ok(file) => {
                self.file = Some(file);
                self.kept
            }
            Err(error) => {
                tracing::error!(target: "system", %error, "output is counted, but cannot be kept");
                // What is in memory stays readable there while the run goes on.
                self.memory = memory;
                self.failed = true;
                0
            }
        }
    }

    /// Gives the file away.
    fn settle(&mut self, path: PathBuf) -> Option<File> {
        let file = self.file.take()?;
        self.settled = Some(path);
        Some(file)
    }

    fn read(&self, offset: u64, limit: usize) -> io::Result<Bytes> {
        let end = self
            .kept
            .min(offset.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)));
        self.read_range(offset.min(end)..end)
    }

    fn read_range(&self, range: std::ops::Range<u64>) -> io::Result<Bytes> {
        match (&self.file, &self.settled) {
            (Some(file), _) => read_file(file, range),
            (None, Some(path)) => match File::open(path) {
                Ok(file) => read_file(&file, range),
                // It was swept away: the counts remain, the bytes do not.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Bytes::new()),
                Err(error) => Err(error),
            },
            (None, None) => Ok(Bytes::copy_from_slice(slice(&self.memory, range))),
        }
    }

    fn digest(&self) -> Option<String> {
        self.hash
            .as_ref()
            .map(|hash| hash.finalize().to_hex().to_string())
    }
}
