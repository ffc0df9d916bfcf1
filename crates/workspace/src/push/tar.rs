//! Headers of archives (ustar, with GNU's long names and large sizes), which every `tar` reads.

use crate::far::Owner;
use crate::manifest::{Entry, What};

pub(crate) const BLOCK: usize = 512;
/// GNU's tar reads its input in records of this size.
const RECORD: usize = 20 * BLOCK;
const NAME: usize = 100;
const LINK_NAME: usize = 100;
/// Eleven octal digits.
const SIZE_MAX: u64 = 0o77_777_777_777;

/// What one header says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) target: &'a [u8],
    pub(crate) owner: Option<&'a Owner>,
}

impl<'a> Header<'a> {
    /// Of a file of ours beside the tree.
    pub(crate) const fn plain(name: &'a [u8], size: u64) -> Self {
        Self {
            name,
            kind: b'0',
            mode: 0o600,
            size,
            mtime: 0,
            target: b"",
            owner: None,
        }
    }

    /// Of an entry, under another name and with this many bytes.
    pub(crate) fn of(
        name: &'a [u8],
        entry: &'a Entry,
        size: u64,
        owner: Option<&'a Owner>,
    ) -> Self {
        let (kind, target): (u8, &[u8]) = match &entry.what {
            What::Dir => (b'5', b""),
            What::File { .. } => (b'0', b""),
            What::Link { target } => (b'2', target),
        };
        // What is older than 1970 has no octal form.
        let mtime = entry.mtime().max(0);
        Self {
            name,
            kind,
            mode: entry.mode,
            size,
            mtime,
            target,
            owner,
        }
    }

    /// Writes it, with what has to go before it.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        if self.name.len() > NAME {
            put_long(out, b'L', self.name);
        }
        if self.target.len() > LINK_NAME {
            put_long(out, b'K', self.target);
        }
        let mut block = [0_u8; BLOCK];
        set(&mut block, 0, NAME, self.name);
        set_octal(&mut block, 100, 7, u64::from(self.mode));
        let (uid, gid) = self.owner.map_or((0, 0), |owner| (owner.uid, owner.gid));
        set_octal(&mut block, 108, 7, u64::from(uid));
        set_octal(&mut block, 116, 7, u64::from(gid));
        if self.size > SIZE_MAX {
            set(
                &mut block,
                124,
                12,
                &[&[0x80, 0, 0, 0][..], &self.size.to_be_bytes()].concat(),
            );
        } else {
            set_octal(&mut block, 124, 11, self.size);
        }
        set_octal(&mut block, 136, 11, self.mtime.unsigned_abs());
        set(&mut block, 148, 8, b"        ");
        set(&mut block, 156, 1, &[self.kind]);
        set(&mut block, 157, LINK_NAME, self.target);
        set(&mut block, 257, 8, b"ustar  \0");
        if let Some(owner) = self.owner {
            set(&mut block, 265, 31, owner.user.as_bytes());
            set(&mut block, 297, 31, owner.group.as_bytes());
        }
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        set_octal(&mut block, 148, 6, sum);
        set(&mut block, 154, 2, b"\0 ");
        out.extend_from_slice(&block);
    }
}

/// A name that has no room in its header, in one of its own before it.
fn put_long(out: &mut Vec<u8>, kind: u8, name: &[u8]) {
    let size = name.len() as u64 + 1;
    Header {
        kind,
        ..Header::plain(b"././@LongLink", size)
    }
    .put(out);
    out.extend_from_slice(name);
    out.push(0);
    pad(out, size);
}

/// Fills the last block of content of this size.
pub(crate) fn pad(out: &mut Vec<u8>, size: u64) {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if over > 0 {
        out.resize(out.len() + BLOCK - over, 0);
    }
}

/// Ends an archive of so many bytes: two empty blocks, and zeroes up to a whole record.
pub(crate) fn end(out: &mut Vec<u8>, written: u64) {
    let end = written + 2 * BLOCK as u64;
    let whole = end.next_multiple_of(RECORD as u64);
    let zeroes = usize::try_from(whole - written).unwrap_or(RECORD);
    out.resize(out.len() + zeroes, 0);
}

fn set(block: &mut [u8; BLOCK], at: usize, room: usize, bytes: &[u8]) {
    let count = bytes.len().min(room);
    if let (Some(place), Some(bytes)) = (block.get_mut(at..at + count), bytes.get(..count)) {
        place.copy_from_slice(bytes);
    }
}

fn set_octal(block: &mut [u8; BLOCK], at: usize, digits: usize, number: u64) {
    let text = format!("{number:0digits$o}");
    set(block, at, digits, text.as_bytes());
}
