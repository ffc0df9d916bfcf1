//! The shared files that hold small outputs, one record after the other.
//!
//! A record is a line `wharf-output 1 RUN STDOUT_BYTES STDERR_BYTES` and the bytes of both
//! streams, followed by a line feed: readable with `less`, and checkable against the hashes in
//! the audit log.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use wharf_model::RunId;

use super::kept::Kept;
use super::retired::Retired;

/// A segment that has grown to this size is closed and a new one begun.
pub const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// The longest header line.
const MAX_HEADER: usize = 128;
const PREFIX: &str = "segment-";

/// The segment that is written to, and its directory.
#[derive(Debug)]
pub(super) struct Segments {
    directory: PathBuf,
    current: Mutex<Current>,
    retired: Retired,
}

#[derive(Debug)]
struct Current {
    number: u64,
    file: Option<File>,
    length: u64,
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    number: u64,
    offset: u64,
}

impl Place {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, offset) = text.strip_prefix("segment:")?.split_once(':')?;
        Some(Self {
            number: number.parse().ok()?,
            offset: offset.parse().ok()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment:{}:{}", self.number, self.offset)
    }
}

impl Segments {
    /// Begins behind the newest segment there is, so that a torn record of an earlier process
    /// stays where nobody points to.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let newest = fs::read_dir(directory)?
            .filter_map(|entry| number_of(entry.ok()?.file_name().to_str()?))
            .max()
            .unwrap_or(0);
        let current = Mutex::new(Current {
            number: newest + 1,
            file: None,
            length: 0,
        });
        Ok(Self {
            directory: directory.to_owned(),
            current,
            retired: Retired::start()?,
        })
    }

    /// Appends one run's output; says where it is and what it took.
    pub(super) fn append(
        &self,
        run: &RunId,
        stdout: &[u8],
        stderr: &[u8],
    ) -> io::Result<(Place, u64)> {
        let header = format!("wharf-output 1 {run} {} {}\n", stdout.len(), stderr.len());
        let parts = [header.as_bytes(), stdout, stderr, b"\n"];
        let bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.length >= SEGMENT_BYTES {
            let next = Current {
                number: current.number + 1,
                file: None,
                length: 0,
            };
            if let Some(full) = std::mem::replace(&mut *current, next).file {
                self.retired.push(full);
            }
        }
        let place = Place {
            number: current.number,
            offset: current.length,
        };
        if current.file.is_none() {
            let path = self.path(current.number);
            current.file = Some(
                OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(path)?,
            );
        }
        // A record that could not be written whole is overwritten by the next one.
        if let Some(file) = &current.file {
            write_all(file, &parts, place.offset)?;
        }
        current.length += bytes;
        Ok((place, bytes))
    }

    pub(super) fn read(&self, run: &RunId, place: Place) -> io::Result<Kept> {
        let file = File::open(self.path(place.number))?;
        let mut start = [0; MAX_HEADER];
        let read = file.read_at(&mut start, place.offset)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the kept output is damaged");
        let line = start
            .get(..read)
            .and_then(|bytes| bytes.split(|byte| *byte == b'\n').next());
        let line = line
            .and_then(|line| std::str::from_utf8(line).ok())
            .ok_or_else(damaged)?;
        let mut fields = line.split(' ');
        let known = fields.next() == Some("wharf-output")
            && fields.next() == Some("1")
            && fields.next() == Some(run.as_str());
        let mut number = || fields.next().and_then(|field| field.parse::<usize>().ok());
        let (Some(stdout), Some(stderr), true) = (number(), number(), known) else {
            return Err(damaged());
        };
        let body = place.offset + u64::try_from(line.len() + 1).unwrap_or(0);
        let size = stdout.saturating_add(stderr);
        let there = file.metadata()?.len().saturating_sub(body);
        if u64::try_from(size).unwrap_or(u64::MAX) > there {
            return Err(damaged());
        }
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, body)?;
        let mut stdout_bytes = Bytes::from(bytes);
        let stderr_bytes = stdout_bytes.split_off(stdout);
        Ok(Kept::from_memory(stdout_bytes, stderr_bytes))
    }

    /// A file that nobody will write to any more.
    pub(super) fn retire(&self, file: File) {
        self.retired.push(file);
    }

    /// The number that is being written to, which must not be swept away.
    pub(super) fn current(&self) -> u64 {
        self.current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .number
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{PREFIX}{number:08}"))
    }
}

/// Writes the parts one after the other, in one call where the system takes them all.
fn write_all(file: &File, parts: &[&[u8]], offset: u64) -> io::Result<()> {
    let slices: Vec<io::IoSlice<'_>> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
    let mut written = rustix::io::pwritev(file, &slices, offset)?;
    let mut at = offset;
    for part in parts {
        let done = written.min(part.len());
        written -= done;
        let rest = part.get(done..).unwrap_or_default();
        file.write_all_at(rest, at + u64::try_from(done).unwrap_or(0))?;
        at += u64::try_from(part.len()).unwrap_or(0);
    }
    Ok(())
}

/// The number in a segment's file name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}
