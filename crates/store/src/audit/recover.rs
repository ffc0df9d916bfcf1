//! What is found when a log is opened: where it ends, and whether that end can be trusted.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::entry::{Head, Line, Position};
use super::limits::{LINE_BYTES_MAX, OPEN_VERIFY_BYTES};
use super::space::Space;
use super::writer::Writer;
use super::{AuditError, Options, segment};

/// What was found when the log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The last entry.
    pub head: Head,
    /// The end of the log.
    pub position: Position,
    /// Bytes of a torn last line that were cut. Not 0 only after a crash in the middle of a write:
    /// that entry was never acknowledged.
    pub cut_bytes: u64,
}

/// Finds the end of the log and makes a writer that stands there.
pub(super) fn recover(
    dir: &Path,
    options: Options,
    disk: Box<dyn Disk>,
) -> Result<(Writer, Recovery), AuditError> {
    let segments = segment::list(dir)?;
    let number = segments.last().copied().unwrap_or(1);
    let path = segment::path(dir, number);
    let failed = |source| AuditError::Open {
        path: path.clone(),
        source,
    };
    let file = disk.create(&path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let end = Tail::read(&file, &path, length)?;

    let head = if let Some(head) = end.head {
        head
    } else if let Some(before) = segments.iter().rev().nth(1) {
        // The process ended between beginning a segment and writing into it.
        last_head(dir, *before)?
    } else {
        Head::GENESIS
    };
    let cut_bytes = length - end.end;
    if cut_bytes > 0 {
        disk.truncate(&file, end.end).map_err(failed)?;
        tracing::warn!(bytes = cut_bytes, file = %path.display(), "cut a torn audit line");
    }
    let space = Space::begin(&*disk, dir, &file, end.end).map_err(failed)?;
    let writer = Writer {
        dir: dir.to_owned(),
        options,
        disk,
        segment: number,
        file: Arc::new(file),
        end: end.end,
        rotate_at: options.segment_bytes,
        torn: false,
        head,
        space,
        promised: 0,
        line: Vec::new(),
    };
    let recovery = Recovery {
        head,
        position: writer.position(),
        cut_bytes,
    };
    Ok((writer, recovery))
}

/// The end of one segment.
struct Tail {
    /// The last whole line's head, when there is a whole line.
    head: Option<Head>,
    /// Where the last whole line ends.
    end: u64,
}

impl Tail {
    /// Reads and verifies the last [`OPEN_VERIFY_BYTES`] of a segment, more where a line is longer.
    fn read(file: &File, path: &Path, length: u64) -> Result<Self, AuditError> {
        let mut window = OPEN_VERIFY_BYTES;
        loop {
            let start = length.saturating_sub(window);
            let bytes = read_range(file, path, start, length - start)?;
            // Inside the file, the first line of the window is only its end.
            let skip = match (start, memchr::memchr(b'\n', &bytes)) {
                (0, _) => Some(0),
                (_, first) => first.map(|at| at + 1),
            };
            let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
            if let Some(skip) = skip
                && (start == 0 || skip < whole)
            {
                let lines = bytes.get(skip..whole).unwrap_or_default();
                let head = verify_lines(path, start + skip as u64, lines)?;
                return Ok(Self {
                    head,
                    end: start + whole as u64,
                });
            }
            if window > LONGEST_WINDOW {
                let reason = format!("there is no line in its last {window} bytes");
                return Err(AuditError::Damaged {
                    file: path.to_owned(),
                    offset: start,
                    reason,
                });
            }
            window *= 2;
        }
    }
}

/// Two longest lines: beyond that there must have been the end of one.
const LONGEST_WINDOW: u64 = 2 * LINE_BYTES_MAX as u64;

fn last_head(dir: &Path, number: u32) -> Result<Head, AuditError> {
    let path = segment::path(dir, number);
    let failed = |source| AuditError::Read {
        path: path.clone(),
        source,
    };
    let file = File::open(&path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let tail = Tail::read(&file, &path, length)?;
    match tail.head {
        Some(head) if tail.end == length => Ok(head),
        _ => Err(AuditError::Damaged {
            reason: "a segment that was left does not end with a whole line".to_owned(),
            file: path,
            offset: tail.end,
        }),
    }
}

/// Verifies lines that follow each other; the first one's `prev` is taken on trust.
fn verify_lines(path: &Path, start: u64, lines: &[u8]) -> Result<Option<Head>, AuditError> {
    let mut head: Option<Head> = None;
    let mut offset = start;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let checked = Line::parse(text)
            .map_err(str::to_owned)
            .and_then(|parsed| match &head {
                Some(before) => parsed.follows(before),
                None => parsed.head(),
            });
        head = Some(checked.map_err(|reason| damaged(path, offset, reason))?);
        offset += line.len() as u64;
    }
    Ok(head)
}

fn damaged(path: &Path, offset: u64, reason: String) -> AuditError {
    AuditError::Damaged {
        file: PathBuf::from(path),
        offset,
        reason,
    }
}

fn read_range(file: &File, path: &Path, start: u64, length: u64) -> Result<Vec<u8>, AuditError> {
    let failed = |source| AuditError::Read {
        path: path.to_owned(),
        source,
    };
    let length = usize::try_from(length).map_err(|_| failed(io::ErrorKind::FileTooLarge.into()))?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, start).map_err(failed)?;
    Ok(bytes)
}
