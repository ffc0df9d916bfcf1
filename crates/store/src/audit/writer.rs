//! What happens under the log's lock: number, chain, room, one write.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, is_no_space};
use super::entry::{Entry, Head, Position, write_line};
use super::limits::CLOSE_ROOM_BYTES;
use super::space::{Refused, Space};
use super::{AuditError, Durability, Options, segment};

/// The end of the log, and all that is needed to add to it.
pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) disk: Box<dyn Disk>,
    pub(super) segment: u32,
    pub(super) file: Arc<File>,
    /// Where the last whole line ends.
    pub(super) end: u64,
    /// Where the segment is left for a new one.
    pub(super) rotate_at: u64,
    /// Whether bytes of a failed write may lie behind `end`.
    pub(super) torn: bool,
    pub(super) head: Head,
    pub(super) space: Space,
    /// Bytes promised to closing entries.
    pub(super) promised: u64,
    pub(super) line: Vec<u8>,
}

/// What an entry does to the promises.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Plain,
    /// Promises room for a closing entry.
    Opening,
    /// Uses room that was promised.
    Closing,
}

impl Writer {
    /// Writes one entry, or nothing.
    pub(super) fn append(
        &mut self,
        purpose: Purpose,
        time_ms: i64,
        kind: &str,
        members: &[u8],
    ) -> Result<Entry, AuditError> {
        self.mend()?;
        if self.end >= self.rotate_at {
            self.rotate_at = self.options.segment_bytes;
            if let Err(error) = self.rotate() {
                // The size of a segment is a wish; recording is not. Tried again a little later.
                self.rotate_at = self.end + self.options.reserve_bytes;
                tracing::warn!(%error, segment = self.segment, "cannot begin an audit segment");
            }
        }
        let mut line = std::mem::take(&mut self.line);
        let hash = write_line(&mut line, &self.head, time_ms, kind, members);
        let written = self.write(purpose, &line);
        let length = line.len() as u64;
        self.line = line;
        written?;
        self.end += length;
        self.promised = self.promised_after(purpose);
        self.head = Head {
            seq: self.head.seq + 1,
            hash,
        };
        Ok(self.head)
    }

    /// Promises room for one closing entry without writing.
    pub(super) fn promise(&mut self) -> Result<(), AuditError> {
        self.mend()?;
        self.ensure(0, self.promised + CLOSE_ROOM_BYTES)?;
        self.promised += CLOSE_ROOM_BYTES;
        Ok(())
    }

    /// Where the next entry will be.
    pub(super) fn position(&self) -> Position {
        Position {
            segment: self.segment,
            offset: self.end,
        }
    }

    fn write(&mut self, purpose: Purpose, line: &[u8]) -> Result<(), AuditError> {
        self.ensure(line.len() as u64, self.promised_after(purpose))?;
        loop {
            let Err(source) = write_all_at(&*self.disk, &self.file, line, self.end) else {
                return Ok(());
            };
            self.torn = true;
            self.mend()?;
            if !is_no_space(&source) {
                return Err(AuditError::Write { source });
            }
            if purpose != Purpose::Closing || !self.space.give_way(&*self.disk) {
                return Err(AuditError::NoSpace {
                    dir: self.dir.clone(),
                });
            }
        }
    }

    fn ensure(&mut self, line: u64, promised: u64) -> Result<(), AuditError> {
        let step = self.options.reserve_bytes;
        self.space
            .ensure(&*self.disk, &self.file, self.end, line, promised, step)
            .map_err(|refused| match refused {
                Refused::Full => AuditError::NoSpace {
                    dir: self.dir.clone(),
                },
                Refused::Failed(source) => AuditError::Write { source },
            })
    }

    fn promised_after(&self, purpose: Purpose) -> u64 {
        match purpose {
            Purpose::Plain => self.promised,
            Purpose::Opening => self.promised + CLOSE_ROOM_BYTES,
            Purpose::Closing => self.promised.saturating_sub(CLOSE_ROOM_BYTES),
        }
    }

    /// Cuts off what a failed write left, and takes the promised room again, which the cut gave
    /// back. Until that has worked nothing is written: it would end up behind half a line.
    fn mend(&mut self) -> Result<(), AuditError> {
        if !self.torn {
            return Ok(());
        }
        let cut = self.disk.truncate(&self.file, self.end);
        cut.map_err(|source| AuditError::Write { source })?;
        self.torn = false;
        self.space.was_cut(self.end);
        if let Err(error) = self.ensure(0, self.promised) {
            tracing::warn!(%error, "room for closing audit entries is lost");
        }
        Ok(())
    }

    /// Leaves the segment for a new one. On failure the old one stays in use.
    fn rotate(&mut self) -> io::Result<()> {
        let number = self.segment + 1;
        let path = segment::path(&self.dir, number);
        let file = self.disk.create(&path)?;
        match self.fill_in(&file) {
            Err(error) => {
                // A reader passes over an empty last segment, so one that stays does no harm.
                let _kept = self.disk.remove(&path);
                Err(error)
            }
            Ok(space) => {
                // Only gives back what was reserved and not used.
                let _kept = self.disk.truncate(&self.file, self.end);
                self.file = Arc::new(file);
                self.segment = number;
                self.space = space;
                self.end = 0;
                Ok(())
            }
        }
    }

    /// Makes a new segment ready: the promises hold in it, and the old one is safe.
    fn fill_in(&self, file: &File) -> io::Result<Space> {
        if file.metadata()?.len() > 0 {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut space = Space::begin(&*self.disk, &self.dir, file, 0)?;
        let step = self.options.reserve_bytes;
        match space.ensure(&*self.disk, file, 0, 0, self.promised, step) {
            Err(Refused::Full) => return Err(io::ErrorKind::StorageFull.into()),
            Err(Refused::Failed(error)) => return Err(error),
            Ok(()) => {}
        }
        if self.options.durability == Durability::Full {
            self.disk.sync_data(&self.file)?;
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(space)
    }
}

fn write_all_at(disk: &dyn Disk, file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match disk.write_at(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
