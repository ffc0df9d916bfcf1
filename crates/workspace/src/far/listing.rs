//! The far side's records, read. Whoever wrote them may be hostile: what is no path of a workspace
//! is dropped and counted.

use super::{FarEntry, FarKind};
use crate::path::RelPath;

/// Records, and how many were dropped.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) entries: Vec<(RelPath, FarEntry)>,
    pub(crate) dropped: usize,
    /// Directories of which nobody could say what is in them.
    pub(crate) unentered: Vec<RelPath>,
}

/// What is said of such a directory instead of what is in it.
const UNENTERED: &[u8] = b"n ";

/// Reads records, one a line. A line that is none continues the name before it: `stat` of busybox
/// cannot write names with line breaks otherwise.
pub(crate) fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Listed {
    let mut listed = Listed::default();
    let mut pending: Option<(FarEntry, Vec<u8>)> = None;
    for line in lines {
        if let Some(dir) = line.strip_prefix(UNENTERED).and_then(unentered) {
            listed.unentered.push(dir);
            listed.add(pending.take());
            continue;
        }
        match record(line) {
            Some((entry, name)) => {
                listed.add(pending.replace((entry, name)));
            }
            None => match &mut pending {
                Some((_, name)) => {
                    name.push(b'\n');
                    name.extend_from_slice(line);
                }
                None => listed.dropped += 1,
            },
        }
    }
    listed.add(pending);
    listed
}

impl Listed {
    fn add(&mut self, found: Option<(FarEntry, Vec<u8>)>) {
        let Some((entry, name)) = found else { return };
        match RelPath::parse(&name) {
            Ok(path) => self.entries.push((path, entry)),
            Err(_bad) => self.dropped += 1,
        }
    }
}

fn unentered(line: &[u8]) -> Option<RelPath> {
    let name = line.strip_prefix(b"0 0 0 0 0 ./")?;
    RelPath::parse(&plain(name)).ok()
}

/// A name with zero bytes for line breaks.
fn plain(name: &[u8]) -> Vec<u8> {
    name.iter()
        .map(|byte| if *byte == 0 { b'\n' } else { *byte })
        .collect()
}

fn record(line: &[u8]) -> Option<(FarEntry, Vec<u8>)> {
    let mut fields = line.splitn(7, |byte| *byte == b' ');
    let kind = fields.next()?;
    let text = |field: &[u8]| std::str::from_utf8(field).ok().map(str::to_owned);
    let mode = u32::from_str_radix(&text(fields.next()?)?, 8).ok()?;
    let size: u64 = text(fields.next()?)?.parse().ok()?;
    let (mtime, ctime, inode) = (fields.next()?, fields.next()?, fields.next()?);
    let seconds = text(mtime)?;
    let mtime_s: i64 = seconds.split('.').next()?.parse().ok()?;
    let name = fields.next()?.strip_prefix(b"./")?;
    let name = plain(name);
    let kind = match kind {
        b"d" => FarKind::Dir,
        b"f" => FarKind::File,
        b"l" => FarKind::Link,
        [b'x', hex @ ..] => {
            let raw = u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
            match raw & 0o170_000 {
                0o040_000 => FarKind::Dir,
                0o100_000 => FarKind::File,
                0o120_000 => FarKind::Link,
                _ => FarKind::Special,
            }
        }
        [_] => FarKind::Special,
        _ => return None,
    };
    let stamp = [mtime, b" ", ctime, b" ", inode]
        .concat()
        .into_boxed_slice();
    let mode = if kind == FarKind::Link {
        0o777
    } else {
        mode & 0o777
    };
    Some((
        FarEntry {
            kind,
            mode,
            size,
            mtime: mtime_s,
            stamp,
        },
        name,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_both_forms_are_read_and_hostile_ones_dropped() {
        let lines: [&[u8]; 8] = [
            b"f 644 12 1700000000.1234567890 1700000001.0 77 ./a b/c",
            b"d 755 0 0 0 0 ./a b",
            b"x81a4 644 5 1700000000 1700000000 9 ./new",
            b"line",
            b"f 644 1 1 1 1 ./with\0break",
            b"f 644 1 1 1 1 ./../../etc/passwd",
            b"f 644 1 1 1 1 .//etc/passwd",
            b"p 644 0 1 1 1 ./pipe",
        ];
        let listed = parse(lines);
        let shown: Vec<_> = listed
            .entries
            .iter()
            .map(|(path, entry)| (path.to_string(), entry.kind, entry.size, entry.mtime))
            .collect();
        assert_eq!(
            shown,
            [
                ("a b/c".to_owned(), FarKind::File, 12, 1_700_000_000),
                ("a b".to_owned(), FarKind::Dir, 0, 0),
                (r"new\nline".to_owned(), FarKind::File, 5, 1_700_000_000),
                (r"with\nbreak".to_owned(), FarKind::File, 1, 1),
                ("pipe".to_owned(), FarKind::Special, 0, 1),
            ]
        );
        assert_eq!(listed.dropped, 2);
    }
}
