//! The journal: every byte that a run writes, kept once, readable by offset while it runs and
//! afterwards.
//!
//! A run's output stays in memory until it is large or the run is long, then it goes on in a file
//! of its own ([`output`]). What is still small at the end is appended to a file that many runs
//! share ([`segment`]), so that a small output does not cost a file. Old output is removed by age
//! and by total size ([`sweep`]).

pub mod kept;
pub mod output;
mod retired;
pub mod segment;
pub mod sweep;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use wharf_model::RunId;

pub use kept::Kept;
pub use output::{RunOutput, Stream, Summary, Totals};
use segment::Segments;
pub use sweep::Swept;

/// Bytes kept of one run unless configured; what follows is counted and dropped.
pub const DEFAULT_RUN_CAP: u64 = 1024 * 1024 * 1024;
/// Bytes kept of all runs unless configured.
pub const DEFAULT_TOTAL_CAP: u64 = 10 * 1024 * 1024 * 1024;
/// How long output is kept unless configured.
pub const DEFAULT_KEEP: Duration = Duration::from_secs(30 * 24 * 3600);

/// Bounds of the journal.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    /// Bytes kept of one run, both streams together.
    pub run_cap: u64,
    /// Bytes kept of all runs.
    pub total_cap: u64,
    /// How long output is kept.
    pub keep: Duration,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            run_cap: DEFAULT_RUN_CAP,
            total_cap: DEFAULT_TOTAL_CAP,
            keep: DEFAULT_KEEP,
        }
    }
}

/// The journal of one data directory.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    options: JournalOptions,
    segments: Segments,
    /// Bytes on disk, both in segments and in files of their own.
    bytes: AtomicU64,
    /// Bytes of larger outputs that are held in memory.
    shared: AtomicUsize,
}

impl Journal {
    /// Opens the journal below `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(directory: &Path, options: JournalOptions) -> io::Result<Arc<Self>> {
        for path in [directory.to_owned(), directory.join(RUNS)] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)?;
        }
        let segments = Segments::open(directory)?;
        let bytes = AtomicU64::new(sweep::measure(directory));
        Ok(Arc::new(Self {
            directory: directory.to_owned(),
            options,
            segments,
            bytes,
            shared: AtomicUsize::new(0),
        }))
    }

    /// The output of a run that begins. With `eager` it goes to disk from the first byte: for
    /// background runs, which may be quiet for long after having said something.
    #[must_use]
    pub fn begin(self: &Arc<Self>, run: &RunId, eager: bool) -> Arc<RunOutput> {
        RunOutput::new(self, run, eager)
    }

    /// The output of a run that has ended, by the place that [`RunOutput::finish`] gave.
    ///
    /// # Errors
    /// When it cannot be read; output that was swept away is not found.
    pub fn reopen(&self, run: &RunId, place: &str) -> io::Result<Kept> {
        if place == PLACE_FILES {
            return Kept::from_files(
                &self.file(run, Stream::Stdout),
                &self.file(run, Stream::Stderr),
            );
        }
        match segment::Place::parse(place) {
            Some(place) => self.segments.read(run, place),
            None => Ok(Kept::default()),
        }
    }

    /// The place of what a run had written when an earlier process was lost.
    #[must_use]
    pub fn place_of_lost(&self, run: &RunId) -> &'static str {
        if self.file(run, Stream::Stdout).exists() {
            PLACE_FILES
        } else {
            PLACE_NONE
        }
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Removes what is too old or too much, oldest first. `in_use` names runs to leave alone.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn sweep(&self, now_ms: i64, in_use: &dyn Fn(&str) -> bool) -> io::Result<Swept> {
        let swept = sweep::sweep(
            &self.directory,
            &self.options,
            now_ms,
            &self.segments,
            in_use,
        )?;
        self.bytes.store(swept.left, Ordering::Relaxed);
        Ok(swept)
    }

    fn file(&self, run: &RunId, stream: Stream) -> PathBuf {
        let ending = match stream {
            Stream::Stdout => "out",
            Stream::Stderr => "err",
        };
        self.directory.join(RUNS).join(format!("{run}.{ending}"))
    }

    fn take_shared(&self, bytes: usize) -> bool {
        let taken = self
            .shared
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let fits = taken <= output::SHARED_MEMORY_BYTES;
        if !fits {
            self.give_back_shared(bytes);
        }
        fits
    }

    fn give_back_shared(&self, bytes: usize) {
        self.shared.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn grew(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The folder for output that has files of its own.
const RUNS: &str = "runs";
/// The place of output that has files of its own.
const PLACE_FILES: &str = "files";
/// The place of no output at all.
const PLACE_NONE: &str = "none";
