//! Checking a whole log, line by line, in constant memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::entry::{Head, Line};
use super::limits::LINE_BYTES_MAX;
use super::{AuditError, segment};

/// What a check of the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries that verify, from the first one to the first bad line.
    pub entries: u64,
    /// The last entry that verifies.
    pub head: Head,
    /// The first line that was changed, moved, added or is missing.
    pub first_bad: Option<Finding>,
    /// Bytes behind the last whole line. A crash, a write on its way, or somebody's hand: never an
    /// entry that was acknowledged, unless its newline was taken.
    pub torn_bytes: u64,
    /// What the anchored head says, when one was given.
    pub anchor: Option<Anchor>,
}

/// The first bad line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The sequence number that was expected there.
    pub seq: u64,
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// How the log compares with a head that was kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The anchored entry is in the log, as it was.
    Kept,
    /// The log ends before the anchored entry, or is bad before it: it was cut off, or the last
    /// entries did not survive a power cut.
    Missing,
    /// There is another entry in its place: the log was written anew.
    Replaced,
}

impl VerifyReport {
    /// Whether nothing at all is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.first_bad.is_none()
            && self.torn_bytes == 0
            && matches!(self.anchor, None | Some(Anchor::Kept))
    }
}

/// Verifies every line of the log in `dir`. A head kept outside of the log as `anchor` also shows
/// whether its end was cut off. Works beside a writer.
///
/// # Errors
/// Only when the files cannot be read: what is wrong with the log is in the report.
pub fn verify(dir: &Path, anchor: Option<Head>) -> Result<VerifyReport, AuditError> {
    let mut check = Check {
        head: Head::GENESIS,
        anchor,
        found: None,
        torn_bytes: 0,
    };
    check.meet_anchor();
    let segments = segment::list(dir)?;
    let mut first_bad = None;
    for (expected, number) in (1..).zip(&segments) {
        let path = segment::path(dir, *number);
        first_bad = if *number == expected {
            check.segment(&path, segments.last() == Some(number))?
        } else {
            let reason = format!("segment {expected} is missing before it");
            Some(Finding {
                seq: check.head.seq + 1,
                file: path,
                line: 1,
                reason,
            })
        };
        if first_bad.is_some() {
            break;
        }
    }
    Ok(VerifyReport {
        entries: check.head.seq,
        head: check.head,
        first_bad,
        torn_bytes: check.torn_bytes,
        anchor: anchor.map(|_| check.found.unwrap_or(Anchor::Missing)),
    })
}

struct Check {
    head: Head,
    anchor: Option<Head>,
    found: Option<Anchor>,
    torn_bytes: u64,
}

impl Check {
    /// Verifies one segment up to its first bad line.
    fn segment(&mut self, path: &Path, last: bool) -> Result<Option<Finding>, AuditError> {
        let failed = |source| AuditError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::with_capacity(READ_BYTES, File::open(path).map_err(failed)?);
        let (mut text, mut start, mut line, mut looks) = (Vec::new(), 0, 1, 0);
        loop {
            text.clear();
            let limited = &mut (&mut file).take(LINE_BYTES_MAX as u64 + 1);
            let read = limited.read_until(b'\n', &mut text).map_err(failed)?;
            if read == 0 {
                return Ok(None);
            }
            if last && !text.ends_with(b"\n") && looks < LOOKS_AT_TORN_END {
                looks += 1;
                std::thread::yield_now();
                file.seek(SeekFrom::Start(start)).map_err(failed)?;
                continue;
            }
            let problem = match text.strip_suffix(b"\n") {
                Some(text) => self.line(text).err(),
                None if last && read <= LINE_BYTES_MAX => {
                    self.torn_bytes = read as u64;
                    None
                }
                None => Some("it has no end".to_owned()),
            };
            if let Some(reason) = problem {
                let seq = self.head.seq + 1;
                return Ok(Some(Finding {
                    seq,
                    file: path.to_owned(),
                    line,
                    reason,
                }));
            }
            (start, line) = (start + read as u64, line + 1);
        }
    }

    fn line(&mut self, text: &[u8]) -> Result<(), String> {
        self.head = Line::parse(text)?.follows(&self.head)?;
        self.meet_anchor();
        Ok(())
    }

    fn meet_anchor(&mut self) {
        if let Some(anchor) = self.anchor
            && anchor.seq == self.head.seq
        {
            let same = anchor.hash == self.head.hash;
            self.found = Some(if same { Anchor::Kept } else { Anchor::Replaced });
        }
    }
}

const READ_BYTES: usize = 64 * 1024;
/// How often the end of a log is looked at when it is half a line: a writer may be in the middle of
/// its write, which takes microseconds.
const LOOKS_AT_TORN_END: u32 = 100;
