//! The paths that git tracks, from its index (gitformat-index(5), versions 2 to 4).

use std::fs;
use std::path::Path;

/// A larger index is not read: it would have some ten million files.
const INDEX_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// An entry's fixed part: times, numbers, owner, size, id, flags.
const FIXED: usize = 62;
const EXTENDED: u16 = 0x4000;

/// Paths in the order of their bytes, which is the index's own.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    paths: Vec<Box<[u8]>>,
}

impl Tracked {
    /// What cannot be read tracks nothing.
    pub(super) fn read(file: &Path) -> Self {
        let is_small = fs::metadata(file).is_ok_and(|found| found.len() <= INDEX_BYTES_MAX);
        let bytes = if is_small {
            fs::read(file).unwrap_or_default()
        } else {
            Vec::new()
        };
        Self {
            paths: parse(&bytes).unwrap_or_default(),
        }
    }

    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.paths
            .binary_search_by(|known| (**known).cmp(path))
            .is_ok()
    }

    pub(super) fn has_below(&self, directory: &[u8]) -> bool {
        let mut start = directory.to_vec();
        start.push(b'/');
        let at = self.paths.partition_point(|known| **known < *start);
        self.paths
            .get(at)
            .is_some_and(|path| path.starts_with(&start))
    }
}

fn parse(bytes: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let rest = bytes.strip_prefix(b"DIRC")?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let version = u32::from_be_bytes(*version);
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    if !(2..=4).contains(&version) {
        return None;
    }
    // A count that lies makes no room.
    let mut paths: Vec<Box<[u8]>> = Vec::with_capacity(count.min(bytes.len() / FIXED));
    for _ in 0..count {
        let start = rest;
        let flags = u16::from_be_bytes(*rest.get(FIXED - 2..)?.first_chunk::<2>()?);
        let fixed = if version >= 3 && flags & EXTENDED != 0 {
            FIXED + 2
        } else {
            FIXED
        };
        rest = rest.get(fixed..)?;
        if version == 4 {
            let dropped = usize::try_from(offset(&mut rest)?).ok()?;
            let before = paths.last().map_or(&[][..], |path| path);
            let kept = before.get(..before.len().checked_sub(dropped)?)?;
            let end = rest.iter().position(|byte| *byte == 0)?;
            let path = [kept, rest.get(..end)?].concat();
            rest = rest.get(end + 1..)?;
            paths.push(path.into());
        } else {
            let end = rest.iter().position(|byte| *byte == 0)?;
            paths.push(rest.get(..end)?.into());
            // Padded with one to eight zeroes to a multiple of eight.
            let whole = (fixed + end + 8) & !7;
            rest = start.get(whole..)?;
        }
    }
    Some(paths)
}

/// Git's own form of a number, as in its packs: each further byte counts one more.
fn offset(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for turn in 0..9 {
        let (byte, more) = rest.split_first()?;
        *rest = more;
        if turn > 0 {
            number += 1;
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
