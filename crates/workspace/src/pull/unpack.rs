//! Archives unpacked that somebody made whom we do not trust.
//!
//! Only what was asked for is taken, once, and not more bytes than were spoken of. The names of the
//! archive decide nothing: what is written goes to the place of the path that was asked for, below
//! directories of our own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::{Bounds, hash_of};
use crate::far::{FarEntry, FarKind};
use crate::manifest::Hash;
use crate::path::{PATH_BYTES_MAX, RelPath};

const BLOCK: usize = 512;
/// The largest header of the kinds that hold names.
const EXTRA_BYTES_MAX: u64 = 64 * 1024;
/// Bytes that are read and thrown away before it is taken for an attack.
const SKIPPED_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Something that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    /// A file, whose content is in the spool.
    File { size: u64, hash: Hash },
    /// A link, which is in the spool as well.
    Link { target: Box<[u8]> },
}

#[derive(Debug, Default)]
pub(super) struct Unpacked {
    pub(super) got: BTreeMap<RelPath, Got>,
    /// Links that lead outside.
    pub(super) outside: Vec<RelPath>,
    /// Files that have grown beyond what is allowed.
    pub(super) large: Vec<RelPath>,
}

pub(super) struct Unpacking {
    wanted: BTreeMap<RelPath, FarEntry>,
    tree: PathBuf,
    bounds: Bounds,
    skipped: u64,
    total: u64,
    done: Unpacked,
}

/// A header, read.
struct Header {
    kind: u8,
    name: Vec<u8>,
    target: Vec<u8>,
    size: u64,
}

impl Unpacking {
    pub(super) fn new(wanted: BTreeMap<RelPath, FarEntry>, tree: PathBuf, bounds: Bounds) -> Self {
        Self {
            wanted,
            tree,
            bounds,
            skipped: 0,
            total: 0,
            done: Unpacked::default(),
        }
    }

    /// Reads archives to the end of the stream.
    pub(super) fn run(mut self, mut from: impl Read) -> io::Result<Unpacked> {
        let (mut name, mut target, mut size) = (None, None, None);
        let mut block = [0; BLOCK];
        while fill(&mut from, &mut block)? {
            if block.iter().all(|byte| *byte == 0) {
                continue;
            }
            let mut header = parse(&block)?;
            match header.kind {
                b'L' => name = Some(extra(&mut from, header.size)?),
                b'K' => target = Some(extra(&mut from, header.size)?),
                b'x' => {
                    let text = extra_raw(&mut from, header.size)?;
                    for (key, value) in records(&text) {
                        match key {
                            b"path" => name = Some(value.to_vec()),
                            b"linkpath" => target = Some(value.to_vec()),
                            b"size" => size = decimal(value),
                            _ => {}
                        }
                    }
                }
                b'g' => drop(extra_raw(&mut from, header.size)?),
                _ => {
                    header.name = name.take().unwrap_or(header.name);
                    header.target = target.take().unwrap_or(header.target);
                    header.size = size.take().unwrap_or(header.size);
                    self.entry(&mut from, &header)?;
                }
            }
        }
        Ok(self.done)
    }

    fn entry(&mut self, from: &mut impl Read, header: &Header) -> io::Result<()> {
        let name = header.name.strip_prefix(b"./").unwrap_or(&header.name);
        let path = RelPath::parse(name).ok();
        let wanted = path.and_then(|path| Some((self.wanted.get(&path)?.kind, path)));
        let Some((kind, path)) = wanted.filter(|(_, path)| !self.done.got.contains_key(path))
        else {
            return self.skip(from, header.size);
        };
        match (header.kind, kind) {
            (b'0' | 0 | b'7', FarKind::File) => self.file(from, path, header.size),
            (b'1', FarKind::File) => self.second_name(path, &header.target),
            (b'2', FarKind::Link) => self.link(path, &header.target),
            _ => self.skip(from, header.size),
        }
    }

    fn place(&self, path: &RelPath) -> io::Result<PathBuf> {
        let place = self.tree.join(path.as_path());
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(place)
    }

    fn file(&mut self, from: &mut impl Read, path: RelPath, size: u64) -> io::Result<()> {
        if size > self.bounds.file_bytes || self.total + size > self.bounds.total_bytes {
            self.done.large.push(path);
            return self.skip(from, size);
        }
        self.total += size;
        let place = self.place(&path)?;
        let is_program = self
            .wanted
            .get(&path)
            .is_some_and(|there| there.mode & 0o100 != 0);
        let mode = if is_program { 0o700 } else { 0o600 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&place)?;
        let mut left = size;
        let mut buffer = vec![0; 64 * 1024];
        while left > 0 {
            let most = usize::try_from(left)
                .unwrap_or(buffer.len())
                .min(buffer.len());
            let count = from.read(buffer.get_mut(..most).unwrap_or_default())?;
            if count == 0 {
                return Err(cut());
            }
            file.write_all(buffer.get(..count).unwrap_or_default())?;
            left -= count as u64;
        }
        drop(file);
        self.pad(from, size)?;
        let (size, hash) = hash_of(&crate::scan::open(&place)?)?;
        self.done.got.insert(path, Got::File { size, hash });
        Ok(())
    }

    /// A file with two names is once in the archive.
    fn second_name(&mut self, path: RelPath, target: &[u8]) -> io::Result<()> {
        let first = RelPath::parse(target.strip_prefix(b"./").unwrap_or(target));
        let Ok(first) = first else { return Ok(()) };
        let Some(got @ Got::File { size, .. }) = self.done.got.get(&first).cloned() else {
            return Ok(());
        };
        if self.total + size > self.bounds.total_bytes {
            self.done.large.push(path);
            return Ok(());
        }
        self.total += size;
        fs::copy(self.tree.join(first.as_path()), self.place(&path)?)?;
        self.done.got.insert(path, got);
        Ok(())
    }

    fn link(&mut self, path: RelPath, target: &[u8]) -> io::Result<()> {
        if !stays_inside(&path, target) {
            self.done.outside.push(path);
            return Ok(());
        }
        std::os::unix::fs::symlink(OsStr::from_bytes(target), self.place(&path)?)?;
        self.done.got.insert(
            path,
            Got::Link {
                target: target.into(),
            },
        );
        Ok(())
    }

    fn skip(&mut self, from: &mut impl Read, size: u64) -> io::Result<()> {
        self.skipped = self.skipped.saturating_add(size);
        if self.skipped > SKIPPED_BYTES_MAX {
            return Err(bad("the archive has much that was not asked for"));
        }
        let count = io::copy(&mut from.by_ref().take(size), &mut io::sink())?;
        if count < size {
            return Err(cut());
        }
        self.pad(from, size)
    }

    fn pad(&self, from: &mut impl Read, size: u64) -> io::Result<()> {
        let over = size % BLOCK as u64;
        let rest = if over > 0 { BLOCK as u64 - over } else { 0 };
        let count = io::copy(&mut from.by_ref().take(rest), &mut io::sink())?;
        if count < rest { Err(cut()) } else { Ok(()) }
    }
}

/// Whether a link leads to somewhere in the workspace whatever other links there are: `..` only
/// leads upwards at its front, from where the link itself is.
pub(super) fn stays_inside(path: &RelPath, target: &[u8]) -> bool {
    if target.is_empty() || target.first() == Some(&b'/') || target.len() > PATH_BYTES_MAX {
        return false;
    }
    let depth = path.ancestors().count();
    let parts: Vec<&[u8]> = target
        .split(|byte| *byte == b'/')
        .filter(|part| !matches!(*part, b"" | b"."))
        .collect();
    let up = parts.iter().take_while(|part| **part == b"..").count();
    let is_plain = parts.iter().skip(up).all(|part| *part != b"..");
    // Into git's own is outside as well.
    let is_gits = parts.iter().any(|part| part.eq_ignore_ascii_case(b".git"));
    up <= depth && is_plain && !is_gits
}

fn fill(from: &mut impl Read, block: &mut [u8; BLOCK]) -> io::Result<bool> {
    let mut have = 0;
    while have < BLOCK {
        match from.read(block.get_mut(have..).unwrap_or_default())? {
            0 if have == 0 => return Ok(false),
            0 => return Err(cut()),
            count => have += count,
        }
    }
    Ok(true)
}

fn parse(block: &[u8; BLOCK]) -> io::Result<Header> {
    let field = |at: usize, len: usize| block.get(at..at + len).unwrap_or_default();
    let text = |at: usize, len: usize| {
        let bytes = field(at, len);
        bytes
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if (148..156).contains(&at) {
                32
            } else {
                u64::from(*byte)
            }
        })
        .sum();
    if octal(field(148, 8)) != Some(sum) {
        return Err(bad("a header's sum is wrong"));
    }
    let size = number(field(124, 12)).ok_or_else(|| bad("a size is none"))?;
    let mut name = text(0, 100);
    // GNU's form has other things there.
    if field(257, 8) == b"ustar\x0000" {
        let prefix = text(345, 155);
        if !prefix.is_empty() {
            name = [prefix, name].join(&b'/');
        }
    }
    let kind = field(156, 1).first().copied().unwrap_or_default();
    // Links have no content, whatever their size says.
    let size = if matches!(kind, b'1' | b'2') { 0 } else { size };
    Ok(Header {
        kind,
        name,
        target: text(157, 100),
        size,
    })
}

fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(['\0', ' ']);
    if text.is_empty() {
        Some(0)
    } else {
        u64::from_str_radix(text, 8).ok()
    }
}

/// Octal, or, with the first bit set, as it is.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 == 0 {
        return octal(field);
    }
    let (high, low) = field.split_at_checked(field.len().checked_sub(8)?)?;
    let is_small = high.iter().skip(1).all(|byte| *byte == 0) && high.first() == Some(&0x80);
    is_small.then_some(u64::from_be_bytes(low.try_into().ok()?))
}

fn extra(from: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut text = extra_raw(from, size)?;
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

fn extra_raw(from: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    if size > EXTRA_BYTES_MAX {
        return Err(bad("a header is too long"));
    }
    let whole = size.next_multiple_of(BLOCK as u64);
    let mut text = Vec::new();
    from.by_ref().take(whole).read_to_end(&mut text)?;
    if (text.len() as u64) < whole {
        return Err(cut());
    }
    text.truncate(usize::try_from(size).unwrap_or(0));
    Ok(text)
}

/// The records of a header of POSIX: `LENGTH KEY=VALUE\n`.
fn records(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let len = rest
            .get(..space)
            .and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let Some(record) = len.and_then(|len: usize| rest.get(space + 1..len.checked_sub(1)?))
        else {
            break;
        };
        if let Some(at) = record.iter().position(|byte| *byte == b'=') {
            let (key, value) = record.split_at(at);
            all.push((key, value.get(1..).unwrap_or_default()));
        }
        rest = rest.get(space + 1 + record.len() + 1..).unwrap_or_default();
    }
    all
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

fn cut() -> io::Error {
    bad("the archive is cut")
}
