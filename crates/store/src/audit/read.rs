//! Reading entries in order, while the writer may be adding more.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::entry::{Hash, Head, Line, Position};
use super::limits::{LINE_BYTES_MAX, TAIL_ENTRIES_MAX};
use super::{AuditError, segment};

/// Reads entries forward from a position. Takes no lock and never changes anything; a torn last
/// line is not there yet. Does not compute hashes: that is [`verify`](super::verify)'s work.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    position: Position,
    file: Option<File>,
    /// Bytes of the file from `position` on, as far as they are read.
    buffer: Vec<u8>,
    used: usize,
}

/// One entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its sequence number.
    pub seq: u64,
    /// Its time in Unix milliseconds.
    pub time_ms: i64,
    /// The hash that it claims.
    pub hash: Hash,
    /// Where it begins.
    pub at: Position,
    /// Where the next entry begins.
    pub next: Position,
    line: String,
    kind: Range<usize>,
}

impl Record {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.line.get(self.kind.clone()).unwrap_or_default()
    }

    /// The whole line, without its newline.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.line
    }

    /// Its body; members that `T` does not have are passed over.
    ///
    /// # Errors
    /// When the line does not hold a `T`.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.line)
    }

    /// Its place in the chain.
    #[must_use]
    pub fn head(&self) -> Head {
        Head {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

impl Reader {
    /// Reads from `position` on: [`Position::START`], or one that [`Reader::position`],
    /// [`Record::next`] or the log gave.
    #[must_use]
    pub fn from_position(dir: &Path, position: Position) -> Self {
        Self {
            dir: dir.to_owned(),
            position,
            file: None,
            buffer: Vec::new(),
            used: 0,
        }
    }

    /// Reads from entry `seq` on; stands at the end when there is no such entry yet.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub fn from_seq(dir: &Path, seq: u64) -> Result<Self, AuditError> {
        let mut start = Position::START;
        for number in segment::list(dir)? {
            let position = Position {
                segment: number,
                offset: 0,
            };
            match Self::from_position(dir, position).next_record()? {
                Some(first) if first.seq <= seq => start = position,
                _ => break,
            }
        }
        let mut reader = Self::from_position(dir, start);
        loop {
            let here = reader.position;
            match reader.next_record()? {
                Some(record) if record.seq < seq => {}
                Some(_) => return Ok(Self::from_position(dir, here)),
                None => return Ok(reader),
            }
        }
    }

    /// Where the next entry begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next entry, or `None` when there is none yet; then it can be asked again later.
    ///
    /// # Errors
    /// [`AuditError::Damaged`] when a whole line is not an entry, [`AuditError::Read`] when the
    /// disk refuses.
    pub fn next_record(&mut self) -> Result<Option<Record>, AuditError> {
        loop {
            let unread = self.buffer.get(self.used..).unwrap_or_default();
            if let Some(length) = memchr::memchr(b'\n', unread) {
                return self.take_line(length).map(Some);
            }
            if unread.len() > LINE_BYTES_MAX {
                return Err(self.damaged("its line is longer than any entry"));
            }
            if !self.fill()? && !self.next_segment()? {
                // What is left may be a write that is cut back: read it again next time.
                self.buffer.clear();
                self.used = 0;
                return Ok(None);
            }
        }
    }

    fn take_line(&mut self, length: usize) -> Result<Record, AuditError> {
        let bytes = self
            .buffer
            .get(self.used..self.used + length)
            .unwrap_or_default();
        let line = std::str::from_utf8(bytes).map_err(|_| self.damaged("it is not UTF-8"))?;
        let parsed = Line::parse(bytes).map_err(|reason| self.damaged(reason))?;
        let hash = parsed
            .claimed()
            .ok_or_else(|| self.damaged("its hash is not a hash"))?;
        let kind = parsed.kind.as_ptr() as usize - line.as_ptr() as usize;
        let next = Position {
            offset: self.position.offset + length as u64 + 1,
            ..self.position
        };
        let record = Record {
            seq: parsed.seq,
            time_ms: parsed.time_ms,
            hash,
            at: self.position,
            next,
            kind: kind..kind + parsed.kind.len(),
            line: line.to_owned(),
        };
        self.used += length + 1;
        self.position = next;
        Ok(record)
    }

    /// Reads more of the segment. False at its end.
    fn fill(&mut self) -> Result<bool, AuditError> {
        let path = segment::path(&self.dir, self.position.segment);
        let failed = |source| AuditError::Read {
            path: path.clone(),
            source,
        };
        if self.file.is_none() {
            match File::open(&path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(failed(error)),
            }
        }
        let Some(file) = &self.file else {
            return Ok(false);
        };
        self.buffer.drain(..self.used);
        self.used = 0;
        let held = self.buffer.len();
        let offset = self.position.offset + held as u64;
        self.buffer.resize(held + READ_BYTES, 0);
        let room = self.buffer.get_mut(held..).unwrap_or_default();
        let read = loop {
            match file.read_at(room, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let read = read.map_err(failed)?;
        self.buffer.truncate(held + read);
        Ok(read > 0)
    }

    /// Moves to the next segment once that has begun. The writer begins a segment with an entry
    /// only after its last one in the segment before, but that may have come after the last look:
    /// hence the second look.
    fn next_segment(&mut self) -> Result<bool, AuditError> {
        let next = Position {
            segment: self.position.segment + 1,
            offset: 0,
        };
        let path = segment::path(&self.dir, next.segment);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(AuditError::Read { path, source }),
            Ok(metadata) if metadata.len() == 0 => return Ok(false),
            Ok(_) => {}
        }
        if self.fill()? {
            return Ok(true);
        }
        if !self.buffer.is_empty() {
            return Err(self.damaged("it is torn, and yet the log goes on in the next file"));
        }
        *self = Self::from_position(&self.dir, next);
        Ok(true)
    }

    fn damaged(&self, reason: &str) -> AuditError {
        AuditError::Damaged {
            file: segment::path(&self.dir, self.position.segment),
            offset: self.position.offset,
            reason: reason.to_owned(),
        }
    }
}

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// The last `count` entries, oldest first; at most [`TAIL_ENTRIES_MAX`].
///
/// # Errors
/// When the files cannot be read or do not hold entries.
pub fn tail(dir: &Path, count: usize) -> Result<Vec<Record>, AuditError> {
    let count = count.min(TAIL_ENTRIES_MAX);
    let mut reader = Reader::from_position(dir, tail_position(dir, count)?);
    let mut records = VecDeque::with_capacity(count);
    while let Some(record) = reader.next_record()? {
        // The writer may have added some since the position was found.
        if records.len() >= count {
            records.pop_front();
        }
        records.extend((count > 0).then_some(record));
    }
    Ok(records.into())
}

/// Where the last `count` lines begin, found from the end backwards.
fn tail_position(dir: &Path, count: usize) -> Result<Position, AuditError> {
    let mut missing = count;
    let segments = segment::list(dir)?;
    let first = segments.first().copied().unwrap_or(1);
    for number in segments.into_iter().rev() {
        let path = segment::path(dir, number);
        let failed = |source| AuditError::Read {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(failed)?;
        let mut start = file.metadata().map_err(failed)?.len();
        while start > 0 {
            let length = start.min(READ_BYTES as u64);
            start -= length;
            let mut block = vec![0; usize::try_from(length).unwrap_or(READ_BYTES)];
            file.read_exact_at(&mut block, start).map_err(failed)?;
            for at in memchr::memrchr_iter(b'\n', &block) {
                if missing == 0 {
                    return Ok(Position {
                        segment: number,
                        offset: start + at as u64 + 1,
                    });
                }
                missing -= 1;
            }
        }
        if missing == 0 {
            return Ok(Position {
                segment: number,
                offset: 0,
            });
        }
    }
    Ok(Position {
        segment: first,
        offset: 0,
    })
}
