//! What a place that has files must be able to do.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wharf_model::Timestamp;

use super::FilesError;
use crate::executor::BoxFuture;

/// No piece of a file that is handed out is longer.
pub const MAX_PIECE_BYTES: usize = 256 * 1024;

/// Bytes of one file that are asked for ahead of need, or are on their way and not confirmed: twice
/// what a channel of SSH lets pass before its reader has to say that it has read, and half of what is
/// held of one that nobody reads.
pub const WINDOW_BYTES: usize = 4 * 1024 * 1024;

/// A listing has so many entries at the most, whatever was asked for.
pub const MAX_ENTRIES: usize = 100_000;

/// The mode of a new file of which nothing else is said.
pub const DEFAULT_MODE: u32 = 0o644;

/// A place that has files.
///
/// Paths are absolute or begin with `~/`. A future that is dropped has no effect afterwards but
/// the one that had begun already; what it has opened is closed.
pub trait Files: Send + Sync + 'static {
    /// What there is at `path`.
    fn stat(&self, path: &Path, links: Links) -> BoxFuture<'_, Result<Stat, FilesError>>;

    /// What is in a directory, by name, at most `most` entries of it.
    fn list(&self, path: &Path, most: usize) -> BoxFuture<'_, Result<Listing, FilesError>>;

    /// Opens a file, or a part of it.
    fn read(&self, path: &Path, what: Read) -> BoxFuture<'_, Result<Box<dyn Source>, FilesError>>;

    /// Begins a file that takes the place of what is there when it is whole.
    fn write(&self, path: &Path, how: Write) -> BoxFuture<'_, Result<Box<dyn Sink>, FilesError>>;

    /// Removes a file, a link or an empty directory.
    fn remove(&self, path: &Path) -> BoxFuture<'_, Result<(), FilesError>>;

    /// Makes a directory and those above it; content with one that is there. `mode` is for the last.
    fn make_directory(
        &self,
        path: &Path,
        mode: Option<u32>,
    ) -> BoxFuture<'_, Result<(), FilesError>>;

    /// The SHA-256 of a file's content, made where the file is.
    fn digest(&self, path: &Path) -> BoxFuture<'_, Result<Digest, FilesError>>;
}

/// A file that is being read.
pub trait Source: Send {
    /// What it was when it was opened.
    fn stat(&self) -> &Stat;

    /// The next piece, at most [`MAX_PIECE_BYTES`]; none at the end. Safe to drop and call again.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, FilesError>>;
}

/// A file that is being written and has not got its name yet. Dropped, it is removed, unless it is
/// a [`Partial`] one.
pub trait Sink: Send {
    /// Where the next byte goes: not 0 where a partial file is resumed.
    fn offset(&self) -> u64;

    /// Takes bytes. They are on their way when this returns, and confirmed by [`Sink::finish`]. A
    /// future that is dropped may have taken a part: the sink is to be dropped, too.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), FilesError>>;

    /// Gives the file its name, when all is confirmed and, where that is possible, on the disk. On
    /// an error the target is untouched. When the future is dropped it may be either.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Written, FilesError>>;

    /// As dropping it, and waits until that is done. A partial file is kept, up to what is whole.
    fn abandon(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// What is done with a link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// It stands for what it leads to.
    Follow,
    /// It is looked at itself.
    Stay,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

impl Kind {
    /// From the bits of a mode that tell the type.
    pub(crate) const fn of_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o100_000 => Self::File,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            _ => Self::Other,
        }
    }
}

/// Whose something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What is known of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// The lower twelve bits: permissions, and set-id and sticky bits.
    pub mode: u32,
    /// Whose it is, where that is told.
    pub owner: Option<Owner>,
    /// When its content was changed, where that is told; in whole seconds on a host.
    pub modified: Option<Timestamp>,
}

/// Something in a directory; a link is not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: OsString,
    /// What is known of it.
    pub stat: Stat,
}

/// What is in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// By the bytes of their names, without `.` and `..`.
    pub entries: Vec<Entry>,
    /// There are more than were asked for, and which of them are here is chance.
    pub more: bool,
}

/// Which part of a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Read {
    /// The first byte. Behind the end there is nothing, which is no error.
    pub from: u64,
    /// How many bytes; none: to the end.
    pub most: Option<u64>,
    /// The file must not change meanwhile: after the last piece it is looked at again.
    pub steady: bool,
}

/// How a file is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Write {
    /// Its mode; none: that of the file which it replaces, or [`DEFAULT_MODE`].
    pub mode: Option<u32>,
    /// What must be there before.
    pub expect: Expect,
    /// A file of this name is written first, and kept when the rest does not come.
    pub partial: Option<Partial>,
    /// The digest of the whole. What arrived is compared with it before it gets its name.
    pub whole: Option<Digest>,
}

/// A file that stays when its sink is dropped or the connection is lost, to be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// Its name in the target's directory.
    pub name: OsString,
    /// Where to go on, and what is behind that is cut off; none: at its end. 0 begins anew.
    pub from: Option<u64>,
}

/// What must be there before a file is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    #[default]
    Anything,
    /// Nothing.
    Absent,
    /// A file with this content.
    Content(Digest),
    /// A file with this size and time.
    Unchanged {
        /// Bytes.
        size: u64,
        /// When it was changed, as the same place has said before.
        modified: Option<Timestamp>,
    },
}

/// What has become of a file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is: where the links of the path led to.
    pub path: PathBuf,
    /// What it is now.
    pub stat: Stat,
    /// There was none before.
    pub created: bool,
    /// It belongs to whom the replaced one belonged to. True for a new file.
    pub owner_kept: bool,
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let pair = text.get(at * 2..at * 2 + 2)?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest([0xa5; 32]);
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        for wrong in [
            "",
            "a5",
            &"zz".repeat(32),
            &"a5".repeat(33),
            &"+5".repeat(32),
        ] {
            assert_eq!(Digest::parse(wrong), None, "{wrong}");
        }
    }
}
