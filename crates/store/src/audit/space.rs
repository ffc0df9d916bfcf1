//! Room on the disk, taken before it is needed.
//!
//! The ordinary way is to reserve blocks beyond the end of the segment (`fallocate` with
//! `KEEP_SIZE`): a write into them cannot run out of space. Where the file system cannot do that,
//! a ballast file of real bytes stands beside the log, and gives way to closing entries.

use std::fs::File;
use std::io;
use std::path::Path;

use super::disk::{Disk, is_no_space};
use super::limits::CLOSE_ROOM_BYTES;

/// The room that the writer has.
pub(super) enum Space {
    /// The segment's blocks are allocated up to this offset.
    Ahead(u64),
    /// A file of `bytes` that can be cut to make room.
    Ballast { file: File, bytes: u64 },
}

/// Why there is no room.
pub(super) enum Refused {
    Full,
    Failed(io::Error),
}

impl Space {
    /// The room of a segment that was just opened: none yet, and perhaps none to be had.
    pub(super) fn begin(disk: &dyn Disk, dir: &Path, segment: &File, end: u64) -> io::Result<Self> {
        match disk.reserve(segment, end, CLOSE_ROOM_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                let file = disk.create(&dir.join("ballast"))?;
                let bytes = file.metadata()?.len();
                Ok(Self::Ballast { file, bytes })
            }
            Err(error) if is_no_space(&error) => Ok(Self::Ahead(end)),
            Err(error) => Err(error),
            Ok(()) => Ok(Self::Ahead(end + CLOSE_ROOM_BYTES)),
        }
    }

    /// Makes sure that `line` bytes fit at `end` of the segment and `promised` bytes after that.
    /// Takes `step` bytes more than needed when the disk has them, to ask less often.
    pub(super) fn ensure(
        &mut self,
        disk: &dyn Disk,
        segment: &File,
        end: u64,
        line: u64,
        promised: u64,
        step: u64,
    ) -> Result<(), Refused> {
        match self {
            Self::Ahead(reserved) => {
                let needed = end + line + promised;
                if needed <= *reserved {
                    return Ok(());
                }
                for wanted in [needed + step, needed] {
                    match disk.reserve(segment, end, wanted - end) {
                        Ok(()) => {
                            *reserved = wanted;
                            return Ok(());
                        }
                        Err(error) if is_no_space(&error) => {}
                        Err(error) => return Err(Refused::Failed(error)),
                    }
                }
                Err(Refused::Full)
            }
            Self::Ballast { file, bytes } => {
                while *bytes < promised {
                    grow_ballast(disk, file, bytes, promised.max(step))?;
                }
                Ok(())
            }
        }
    }

    /// Gives up a step of the ballast for an entry that must be written. False when there is none.
    pub(super) fn give_way(&mut self, disk: &dyn Disk) -> bool {
        let Self::Ballast { file, bytes } = self else {
            return false;
        };
        let rest = bytes.saturating_sub(CLOSE_ROOM_BYTES);
        let gave = *bytes > 0 && disk.truncate(file, rest).is_ok();
        if gave {
            *bytes = rest;
        }
        gave
    }

    /// The segment was cut to `end`: what was reserved behind it is gone.
    pub(super) fn was_cut(&mut self, end: u64) {
        if let Self::Ahead(reserved) = self {
            *reserved = end;
        }
    }
}

/// Writes one block more of ballast. Its bytes are not zeros, which some file systems do not store.
fn grow_ballast(disk: &dyn Disk, file: &File, bytes: &mut u64, wanted: u64) -> Result<(), Refused> {
    static BLOCK: [u8; 64 * 1024] = [0xb5; 64 * 1024];
    let left = usize::try_from(wanted - *bytes)
        .unwrap_or(BLOCK.len())
        .min(BLOCK.len());
    match disk.write_at(file, BLOCK.get(..left).unwrap_or(&BLOCK), *bytes) {
        Ok(0) => Err(Refused::Full),
        Ok(written) => {
            *bytes += written as u64;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) if is_no_space(&error) => Err(Refused::Full),
        Err(error) => Err(Refused::Failed(error)),
    }
}
