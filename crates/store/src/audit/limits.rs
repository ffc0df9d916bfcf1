//! Every bound of the audit log, in one place.

/// Longest line, newline included. A longer one is refused before it is written, and counts as
/// damage when it is read.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Longest `kind` of an entry.
pub const KIND_BYTES_MAX: usize = 64;
/// Room that is kept on the disk for the closing entry of each opened one. A longer closing entry
/// is written too, but only while the disk has room for the rest of it.
pub const CLOSE_ROOM_BYTES: u64 = 4 * 1024;
/// Size at which a new segment file is begun, unless [`Options`](super::Options) says otherwise.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Step in which room is taken from the file system ahead of the writer.
pub const RESERVE_BYTES: u64 = 1024 * 1024;
/// How much of the last segment is verified when a log is opened. A constant, so that opening
/// takes the same time for every size of log.
pub const OPEN_VERIFY_BYTES: u64 = 256 * 1024;
/// Most entries that [`tail`](super::tail) returns.
pub const TAIL_ENTRIES_MAX: usize = 1_000;
