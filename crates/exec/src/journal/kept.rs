//! The output of a run that has ended, read back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::Bytes;

use super::output::{MAX_READ, Stream};

/// A finished run's output.
#[derive(Debug, Default)]
pub struct Kept {
    stdout: Source,
    stderr: Source,
}

#[derive(Debug, Default)]
enum Source {
    #[default]
    Nothing,
    Memory(Bytes),
    File(File),
}

impl Source {
    /// A stream that could not be moved to the disk has no file; the other may.
    fn of_file(path: &Path) -> io::Result<Self> {
        match File::open(path) {
            Ok(file) => Ok(Self::File(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => Err(error),
        }
    }
}

impl Kept {
    pub(super) fn from_memory(stdout: Bytes, stderr: Bytes) -> Self {
        Self {
            stdout: Source::Memory(stdout),
            stderr: Source::Memory(stderr),
        }
    }

    pub(super) fn from_files(stdout: &Path, stderr: &Path) -> io::Result<Self> {
        let kept = Self {
            stdout: Source::of_file(stdout)?,
            stderr: Source::of_file(stderr)?,
        };
        match kept {
            Self {
                stdout: Source::Nothing,
                stderr: Source::Nothing,
            } => Err(io::Error::from(io::ErrorKind::NotFound)),
            kept => Ok(kept),
        }
    }

    /// Bytes kept of a stream.
    ///
    /// # Errors
    /// When the file cannot be looked at.
    pub fn len(&self, stream: Stream) -> io::Result<u64> {
        match self.source(stream) {
            Source::Nothing => Ok(0),
            Source::Memory(bytes) => Ok(length(bytes)),
            Source::File(file) => Ok(file.metadata()?.len()),
        }
    }

    /// At most `limit` bytes from `offset` on.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, stream: Stream, offset: u64, limit: usize) -> io::Result<Bytes> {
        let limit = u64::try_from(limit.min(MAX_READ)).unwrap_or(u64::MAX);
        let end = self.len(stream)?.min(offset.saturating_add(limit));
        self.read_range(stream, offset.min(end)..end)
    }

    /// Head and tail of a stream of `total` bytes within `limit`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn excerpt(&self, stream: Stream, total: u64, limit: usize) -> io::Result<(Bytes, Bytes)> {
        let (head, tail) = excerpt_ranges(self.len(stream)?, total, limit);
        Ok((
            self.read_range(stream, head)?,
            self.read_range(stream, tail)?,
        ))
    }

    fn read_range(&self, stream: Stream, range: std::ops::Range<u64>) -> io::Result<Bytes> {
        match self.source(stream) {
            Source::Nothing => Ok(Bytes::new()),
            Source::Memory(bytes) => Ok(Bytes::copy_from_slice(slice(bytes, range))),
            Source::File(file) => read_file(file, range),
        }
    }

    const fn source(&self, stream: Stream) -> &Source {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }
}

/// All of it when it fits; else its first and last half within the limit.
pub(super) fn excerpt_ranges(
    kept: u64,
    total: u64,
    limit: usize,
) -> (std::ops::Range<u64>, std::ops::Range<u64>) {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    if total <= limit && kept == total {
        return (0..kept, kept..kept);
    }
    let head = kept.min(limit / 2);
    let tail = kept.saturating_sub(limit - limit / 2).max(head);
    (0..head, tail..kept)
}

pub(super) fn read_file(file: &File, range: std::ops::Range<u64>) -> io::Result<Bytes> {
    let size = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
    let mut buffer = vec![0; size];
    file.read_exact_at(&mut buffer, range.start)?;
    Ok(Bytes::from(buffer))
}

pub(super) fn slice(bytes: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    bytes
        .get(index(range.start)..index(range.end))
        .unwrap_or_default()
}

pub(super) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
