//! Changes of there as a patch in git's form, which a person reads and `git apply` takes.
//!
//! The other side of each is what was agreed. Where that is not known any more, it is what is here
//! now, and that is said ([`Patch::beside_local`]).
//!
//! Limits: what is no text, or longer than is merged, is named and not shown; a patch of it would
//! not apply.

use std::path::Path;

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices, group_diff_ops};
use wharf_sync::merge::text::LINES_MAX;

use super::write::Ground;
use super::{Incoming, There};
use crate::Error;
use crate::bases::{BASE_BYTES_MAX, Bases};
use crate::manifest::{Entry, Hash, Manifest, What};
use crate::path::RelPath;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A patch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// Its text. Bytes, since files need not be UTF-8.
    pub bytes: Vec<u8>,
    /// Files that are named only.
    pub unshown: Vec<RelPath>,
    /// Files that are shown beside what is here, since what was agreed is not known.
    pub beside_local: Vec<RelPath>,
}

/// Makes the patch of all changes.
///
/// # Errors
/// When the spool cannot be read.
pub fn patch(
    incoming: &Incoming,
    root: &Path,
    agreed: &Manifest,
    bases: &Bases,
) -> Result<Patch, Error> {
    let mut patch = Patch::default();
    let ground = Ground::open(root).map_err(Error::read(root))?;
    for change in incoming.changes() {
        let old = agreed
            .get(change.path.as_bytes())
            .filter(|entry| entry.what != What::Dir);
        let now = change.now.as_ref().filter(|now| now.what != What::Dir);
        let is_link = |what: &What| matches!(what, What::Link { .. });
        let path = &change.path;
        let sources = Sources {
            incoming,
            ground: &ground,
            bases,
        };
        match (old, now) {
            (None, None) => {}
            // For git what becomes something else goes, and comes as that.
            (Some(before), Some(after)) if is_link(&before.what) != is_link(&after.what) => {
                patch.file(sources, path, old, None)?;
                patch.file(sources, path, None, now)?;
            }
            _ => patch.file(sources, path, old, now)?,
        }
    }
    Ok(patch)
}

/// Where contents are.
#[derive(Clone, Copy)]
struct Sources<'a> {
    incoming: &'a Incoming,
    ground: &'a Ground,
    bases: &'a Bases,
}

impl Patch {
    fn file(
        &mut self,
        sources: Sources<'_>,
        path: &RelPath,
        old: Option<&Entry>,
        now: Option<&There>,
    ) -> Result<(), Error> {
        let before = match old {
            Some(entry) => self.before(path, &entry.what, sources),
            None => Some(Vec::new()),
        };
        let after = match now.map(|now| &now.what) {
            Some(What::File { size, .. }) if *size > BASE_BYTES_MAX => None,
            Some(What::File { .. }) => Some(sources.incoming.content(path)?),
            Some(What::Link { target }) => Some(target.to_vec()),
            _ => Some(Vec::new()),
        };
        let name = |side: &str| quoted(side, path);
        let out = &mut self.bytes;
        line(out, &[b"diff --git ", &name("a/"), b" ", &name("b/")]);
        let (old_mode, new_mode) = (
            old.map(mode_of),
            now.map(|now| git_mode(&now.what, now.mode)),
        );
        match (old_mode, new_mode) {
            (None, Some(mode)) => line(out, &[b"new file mode ", mode]),
            (Some(mode), None) => line(out, &[b"deleted file mode ", mode]),
            (Some(old), Some(new)) if old != new => {
                line(out, &[b"old mode ", old]);
                line(out, &[b"new mode ", new]);
            }
            _ => {}
        }
        let from = if old.is_some() {
            name("a/")
        } else {
            b"/dev/null".to_vec()
        };
        let to = if now.is_some() {
            name("b/")
        } else {
            b"/dev/null".to_vec()
        };
        let is_text = |bytes: &Vec<u8>| !bytes.contains(&0) && bytes.len() as u64 <= BASE_BYTES_MAX;
        match (before.filter(is_text), after.filter(is_text)) {
            (Some(before), Some(after)) => {
                if before != after {
                    let (from, to) = (tabbed(from, path), tabbed(to, path));
                    hunks(out, &before, &after, &from, &to);
                }
            }
            _ => {
                line(out, &[b"Binary files ", &from, b" and ", &to, b" differ"]);
                self.unshown.push(path.clone());
            }
        }
        Ok(())
    }

    /// What was agreed; none if it is nowhere, and no text is here either.
    fn before(&mut self, path: &RelPath, what: &What, sources: Sources<'_>) -> Option<Vec<u8>> {
        let hash = match what {
            What::File { size, .. } if *size > BASE_BYTES_MAX => return None,
            What::File { hash, .. } => *hash,
            What::Link { target } => return Some(target.to_vec()),
            What::Dir => return Some(Vec::new()),
        };
        if let Some(bytes) = sources.bases.get(hash) {
            return Some(bytes);
        }
        let bytes = sources.ground.read(path, BASE_BYTES_MAX).ok()?;
        if Hash::of(&bytes) != hash {
            self.beside_local.push(path.clone());
        }
        Some(bytes)
    }
}

fn hunks(out: &mut Vec<u8>, before: &[u8], after: &[u8], from: &[u8], to: &[u8]) {
    line(out, &[b"--- ", from]);
    line(out, &[b"+++ ", to]);
    let (before, after) = (lines(before), lines(after));
    for group in group_diff_ops(operations(&before, &after), CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let span = |start: usize, end: usize| match end - start {
            1 => format!("{}", start + 1),
            // Nothing stands behind the line before it.
            0 => format!("{start},0"),
            count => format!("{},{count}", start + 1),
        };
        let old = span(first.old_range().start, last.old_range().end);
        let new = span(first.new_range().start, last.new_range().end);
        line(out, &[format!("@@ -{old} +{new} @@").as_bytes()]);
        for operation in &group {
            let (old, new) = (operation.old_range(), operation.new_range());
            if operation.tag() == DiffTag::Equal {
                marked(out, b" ", before.get(old));
            } else {
                marked(out, b"-", before.get(old));
                marked(out, b"+", after.get(new));
            }
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// The time to compare grows with the square where everything differs: long texts are one change.
fn operations(before: &[&[u8]], after: &[&[u8]]) -> Vec<DiffOp> {
    if before.len().max(after.len()) <= LINES_MAX {
        return capture_diff_slices(Algorithm::Myers, before, after);
    }
    let (old_len, new_len) = (before.len(), after.len());
    vec![DiffOp::Replace {
        old_index: 0,
        old_len,
        new_index: 0,
        new_len,
    }]
}

fn marked(out: &mut Vec<u8>, mark: &[u8], lines: Option<&[&[u8]]>) {
    for line in lines.into_iter().flatten() {
        out.extend_from_slice(mark);
        out.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            out.extend_from_slice(b"\n\\ No newline at end of file\n");
        }
    }
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.push(b'\n');
}

fn mode_of(entry: &Entry) -> &'static [u8] {
    git_mode(&entry.what, entry.mode)
}

/// Git knows three kinds.
const fn git_mode(what: &What, mode: u32) -> &'static [u8] {
    match what {
        What::Link { .. } => b"120000",
        _ if mode & 0o100 != 0 => b"100755",
        _ => b"100644",
    }
}

/// A name as git writes it: in quotes where it has characters that would break a line.
fn quoted(side: &str, path: &RelPath) -> Vec<u8> {
    let is_plain = |byte: &u8| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\');
    let mut name = side.as_bytes().to_vec();
    name.extend_from_slice(path.as_bytes());
    if name.iter().all(is_plain) {
        return name;
    }
    let mut out = vec![b'"'];
    for byte in name {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            byte if is_plain(&byte) => out.push(byte),
            byte => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
        }
    }
    out.push(b'"');
    out
}

/// A name with a space ends at a tab, or `git apply` would take it for a name and a time.
fn tabbed(mut name: Vec<u8>, path: &RelPath) -> Vec<u8> {
    if path.as_bytes().contains(&b' ') && name.first() != Some(&b'"') && name != b"/dev/null" {
        name.push(b'\t');
    }
    name
}
