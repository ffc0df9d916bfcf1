//! The contents that were agreed on last, of which a merge is made when both sides have changed.
//! The server keeps versions of each profile and not of what was put together for a person, so that
//! they are kept here: texts, in one file in the form in which contents travel.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use bytes::{Buf as _, BufMut as _};
use wharf_sync::plan::Contents;
use wharf_sync::profile::{Digest, Manifest};

use super::state::replace;

/// The longest text that is kept; a longer one is merged as if nothing had been agreed on.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Size and SHA-256 of a content.
const HEADER: usize = 4 + 32;

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    file: PathBuf,
}

impl Shelf {
    pub(super) const fn at(file: PathBuf) -> Self {
        Self { file }
    }

    /// Those of the contents that are there.
    pub(super) fn read(&self, wanted: &BTreeSet<Digest>) -> Contents {
        if wanted.is_empty() {
            return Contents::new();
        }
        let bytes = fs::read(&self.file).unwrap_or_default();
        let found = frames(&bytes).filter(|(digest, _)| wanted.contains(digest));
        // A file that was cut short by a power cut may hold anything.
        let sound = found.filter(|(digest, bytes)| Digest::of(bytes) == *digest);
        sound
            .map(|(digest, bytes)| (digest, bytes.into()))
            .collect()
    }

    /// The agreed contents that are not there and are worth it.
    pub(super) fn lacks(&self, agreed: &Manifest) -> BTreeSet<Digest> {
        let bytes = fs::read(&self.file).unwrap_or_default();
        let there: BTreeSet<Digest> = frames(&bytes).map(|(digest, _)| digest).collect();
        let worth = agreed.iter().filter(|(_, entry)| {
            usize::try_from(entry.size).is_ok_and(|size| size <= TEXT_BYTES_MAX)
        });
        let digests = worth.map(|(_, entry)| entry.sha256);
        digests.filter(|digest| !there.contains(digest)).collect()
    }

    /// Keeps what was agreed on, with these contents (looked at when they arrived), and nothing else.
    /// What is damaged is not carried along. It is no harm when that fails.
    pub(super) fn keep(&self, agreed: &Manifest, fresh: &Contents) {
        let wanted: BTreeSet<Digest> = agreed.iter().map(|(_, entry)| entry.sha256).collect();
        let old = fs::read(&self.file).unwrap_or_default();
        let mut new = Vec::with_capacity(old.len());
        let mut written = BTreeSet::new();
        let fresh = fresh
            .iter()
            .map(|(digest, bytes)| (*digest, &**bytes, true));
        let kept = frames(&old).map(|(digest, bytes)| (digest, bytes, false));
        for (digest, bytes, is_sound) in kept.chain(fresh) {
            let is_kept = wanted.contains(&digest) && is_text(bytes) && !written.contains(&digest);
            if !is_kept || !(is_sound || Digest::of(bytes) == digest) {
                continue;
            }
            written.insert(digest);
            new.put_u32(u32::try_from(bytes.len()).unwrap_or_default());
            new.put_slice(digest.as_bytes());
            new.put_slice(bytes);
        }
        if new != old {
            let _none = replace(&self.file, &new);
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.len() <= TEXT_BYTES_MAX && std::str::from_utf8(bytes).is_ok()
}

/// The contents in a file, up to the first that is not whole.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (Digest, &[u8])> {
    std::iter::from_fn(move || {
        if bytes.len() < HEADER {
            return None;
        }
        let size = usize::try_from(bytes.get_u32()).ok()?;
        let mut digest = [0; 32];
        bytes.copy_to_slice(&mut digest);
        let (content, rest) = bytes.split_at_checked(size)?;
        bytes = rest;
        Some((Digest::from_bytes(digest), content))
    })
}

#[cfg(test)]
mod tests {
    use wharf_sync::profile::{Entry, ProfilePath};

    use super::*;

    fn agreed(texts: &[&[u8]]) -> (Manifest, Contents) {
        let entries = texts.iter().enumerate().map(|(at, text)| {
            let path = ProfilePath::parse(&format!("agents/{at}.md")).unwrap();
            (path, Entry::of(text, false))
        });
        let manifest = Manifest::from_entries(entries).unwrap();
        let contents = texts.iter().map(|text| (Digest::of(text), (*text).into()));
        (manifest, contents.collect())
    }

    #[test]
    fn what_is_agreed_on_stays_and_the_rest_goes() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(temp.path().join("shelf"));
        let (one, contents) = agreed(&[b"a\n", b"b\n", &[0xff]]);
        assert_eq!(shelf.lacks(&one).len(), 3);
        shelf.keep(&one, &contents);
        let all: BTreeSet<Digest> = contents.keys().copied().collect();
        assert_eq!(shelf.read(&all).len(), 2, "what is no text is not kept");
        let (two, contents) = agreed(&[b"b\n", b"c\n"]);
        let fresh = Contents::from([(Digest::of(b"c\n"), (*b"c\n").into())]);
        shelf.keep(&two, &fresh);
        assert_eq!(shelf.read(&all).len(), 1);
        assert_eq!(shelf.read(&contents.keys().copied().collect()).len(), 2);
        assert!(shelf.lacks(&two).is_empty());
    }

    #[test]
    fn what_is_damaged_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(temp.path().join("shelf"));
        let (manifest, contents) = agreed(&[b"one\n", b"two\n"]);
        shelf.keep(&manifest, &contents);
        let mut bytes = fs::read(&shelf.file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        bytes[HEADER] ^= 1;
        fs::write(&shelf.file, bytes).unwrap();
        shelf.keep(&manifest, &contents);
        assert_eq!(shelf.read(&contents.keys().copied().collect()).len(), 2);
    }

    #[test]
    fn half_a_file_is_as_good_as_its_whole_contents() {
        let temp = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(temp.path().join("shelf"));
        let (manifest, contents) = agreed(&[b"one\n", b"two\n"]);
        shelf.keep(&manifest, &contents);
        let whole = fs::read(&shelf.file).unwrap();
        let all: BTreeSet<Digest> = contents.keys().copied().collect();
        for length in 0..whole.len() {
            fs::write(&shelf.file, &whole[..length]).unwrap();
            assert!(shelf.read(&all).len() < 2);
            shelf.keep(&manifest, &contents);
            assert_eq!(shelf.read(&all).len(), 2);
        }
    }
}
