//! The contents that both sides agreed on, of files that are merged: without them a change here and
//! a change there of one file are a conflict, and a difference has no other side.
//!
//! They are kept after a push, when nobody waits any more, in one file to which new ones are
//! appended: a file for each would cost as much as the push itself.
//!
//! Limits: text of [`BASE_BYTES_MAX`] at most, and [`ALL_BYTES_MAX`] packed of all. What has no base
//! is taken from this side's file as long as that is what was agreed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::Error;
use crate::manifest::{Hash, Manifest, What};
use crate::scan;
use crate::state::Agreement;

/// The largest file of which the base is kept.
pub const BASE_BYTES_MAX: u64 = 512 * 1024;
/// What all bases may need on the disk.
pub const ALL_BYTES_MAX: u64 = 512 * 1024 * 1024;

const MAGIC: &[u8; 8] = b"wharfbs1";
/// Digest and length of what follows.
const HEAD: u64 = 32 + 4;

/// The contents that are kept.
#[derive(Debug)]
pub struct Bases {
    file: PathBuf,
    known: HashMap<Hash, (u64, u32)>,
    end: u64,
}

impl Bases {
    /// What is kept in `file`. A part that is not whole is nothing, and is written over.
    #[must_use]
    pub fn open(file: &Path) -> Self {
        let mut bases = Self {
            file: file.to_owned(),
            known: HashMap::new(),
            end: 0,
        };
        // None is as good as an empty one.
        let _none = bases.index();
        bases
    }

    fn index(&mut self) -> io::Result<()> {
        let file = File::open(&self.file)?;
        let size = file.metadata()?.len();
        let mut reader = io::BufReader::new(file);
        let mut magic = [0; 8];
        reader.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Ok(());
        }
        self.end = MAGIC.len() as u64;
        while self.end + HEAD <= size {
            let (mut hash, mut len) = ([0; 32], [0; 4]);
            reader.read_exact(&mut hash)?;
            reader.read_exact(&mut len)?;
            let len = u32::from_le_bytes(len);
            let start = self.end + HEAD;
            if start + u64::from(len) > size {
                break;
            }
            self.known.insert(Hash::from_bytes(hash), (start, len));
            reader.seek_relative(i64::from(len))?;
            self.end = start + u64::from(len);
        }
        Ok(())
    }

    /// The content with this digest, if it is kept.
    #[must_use]
    pub fn get(&self, hash: Hash) -> Option<Vec<u8>> {
        let (start, len) = *self.known.get(&hash)?;
        let mut packed = vec![0; usize::try_from(len).ok()?];
        File::open(&self.file)
            .ok()?
            .read_exact_at(&mut packed, start)
            .ok()?;
        let mut bytes = Vec::new();
        ZlibDecoder::new(&*packed)
            .take(BASE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        (Hash::of(&bytes) == hash).then_some(bytes)
    }

    /// Keeps what of an agreed manifest is still as agreed on this side, and is text. What the
    /// agreements with other sandboxes have is kept as well, if it is known.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(
        &mut self,
        agreed: &Manifest,
        others: &[Agreement],
        root: &Path,
    ) -> Result<(), Error> {
        let file = self.file.clone();
        let write = |source| Error::Write {
            path: file.clone(),
            source,
        };
        let live: HashMap<Hash, ()> = agreed
            .entries()
            .iter()
            .chain(others.iter().flat_map(|other| other.manifest().entries()))
            .filter_map(|entry| Some((base(&entry.what)?, ())))
            .collect();
        let dead = self
            .known
            .iter()
            .filter(|(hash, _)| !live.contains_key(hash));
        let dead: u64 = dead.map(|(_, (_, len))| HEAD + u64::from(*len)).sum();
        if dead > self.end / 2 {
            self.shrink(&live).map_err(write)?;
        }
        let mut out = Vec::new();
        let mut added = Vec::new();
        for entry in agreed.entries() {
            let Some(hash) = base(&entry.what).filter(|hash| !self.known.contains_key(hash)) else {
                continue;
            };
            if self.end + out.len() as u64 >= ALL_BYTES_MAX {
                break;
            }
            let Some(bytes) = read(root, entry.path.as_path(), hash) else {
                continue;
            };
            let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
            let packed = packer
                .write_all(&bytes)
                .and_then(|()| packer.finish())
                .map_err(write)?;
            let Ok(len) = u32::try_from(packed.len()) else {
                continue;
            };
            out.extend_from_slice(hash.as_bytes());
            out.extend_from_slice(&len.to_le_bytes());
            added.push((hash, out.len() as u64, len));
            out.extend_from_slice(&packed);
            if out.len() >= 4 * 1024 * 1024 {
                self.append(&mut out, &mut added)?;
            }
        }
        self.append(&mut out, &mut added)
    }

    fn append(
        &mut self,
        out: &mut Vec<u8>,
        added: &mut Vec<(Hash, u64, u32)>,
    ) -> Result<(), Error> {
        if out.is_empty() {
            return Ok(());
        }
        let work = || -> io::Result<u64> {
            let mut options = OpenOptions::new();
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.file)?;
            if self.end == 0 {
                file.set_len(0)?;
                file.write_all(MAGIC)?;
            }
            let start = self.end.max(MAGIC.len() as u64);
            file.seek(SeekFrom::Start(start))?;
            file.write_all(out)?;
            file.set_len(start + out.len() as u64)?;
            Ok(start)
        };
        let start = work().map_err(Error::write(&self.file))?;
        for (hash, at, len) in added.drain(..) {
            self.known.insert(hash, (start + at, len));
        }
        self.end = start + out.len() as u64;
        out.clear();
        Ok(())
    }

    /// Writes a new file with what is still of use.
    fn shrink(&mut self, live: &HashMap<Hash, ()>) -> io::Result<()> {
        let old = File::open(&self.file)?;
        let temp = self.file.with_extension("new");
        let mut options = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut new = options
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temp)?;
        new.write_all(MAGIC)?;
        let mut known = HashMap::new();
        let mut end = MAGIC.len() as u64;
        for (hash, (start, len)) in &self.known {
            if !live.contains_key(hash) {
                continue;
            }
            let mut packed = vec![0; usize::try_from(*len).unwrap_or(0)];
            old.read_exact_at(&mut packed, *start)?;
            new.write_all(hash.as_bytes())?;
            new.write_all(&len.to_le_bytes())?;
            new.write_all(&packed)?;
            known.insert(*hash, (end + HEAD, *len));
            end += HEAD + u64::from(*len);
        }
        std::fs::rename(&temp, &self.file)?;
        (self.known, self.end) = (known, end);
        Ok(())
    }
}

fn base(what: &What) -> Option<Hash> {
    match what {
        What::File { size, hash, .. } if *size <= BASE_BYTES_MAX => Some(*hash),
        _ => None,
    }
}

/// The content of a file of this side, if it is text and has this digest.
fn read(root: &Path, path: &Path, hash: Hash) -> Option<Vec<u8>> {
    let file = scan::open(&root.join(path)).ok()?;
    let mut bytes = Vec::new();
    file.take(BASE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    (!bytes.contains(&0) && Hash::of(&bytes) == hash).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Entry;
    use crate::path::RelPath;

    fn agreed(root: &Path, files: &[(&str, &[u8])]) -> Manifest {
        let entries = files.iter().map(|(name, content)| {
            std::fs::write(root.join(name), content).unwrap();
            Entry {
                path: RelPath::parse(name.as_bytes()).unwrap(),
                what: What::File {
                    size: content.len() as u64,
                    hash: Hash::of(content),
                    sparse: false,
                },
                mode: 0o644,
                mtime_ns: 0,
            }
        });
        Manifest::from_entries(entries.collect())
    }

    #[test]
    fn kept_appended_cut_and_shrunk() {
        let temp = tempfile::tempdir().unwrap();
        let (root, file) = (temp.path().join("root"), temp.path().join("bases"));
        std::fs::create_dir(&root).unwrap();
        let most = vec![b'a'; usize::try_from(BASE_BYTES_MAX).unwrap()];
        let more = vec![b'b'; most.len() + 1];
        let first = agreed(
            &root,
            &[
                ("a", b"one\n"),
                ("b", b"\0binary"),
                ("c", &most),
                ("d", &more),
            ],
        );
        Bases::open(&file).keep(&first, &[], &root).unwrap();
        let bases = Bases::open(&file);
        assert_eq!(bases.get(Hash::of(b"one\n")).unwrap(), b"one\n");
        assert!(bases.get(Hash::of(&most)).unwrap() == most);
        assert!(bases.get(Hash::of(b"\0binary")).is_none() && bases.get(Hash::of(&more)).is_none());
        // A tail that was cut is written over.
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
        let second = agreed(
            &root,
            &[("a", b"two\n"), ("e", b"three\n"), ("g", b"five\n")],
        );
        Bases::open(&file).keep(&second, &[], &root).unwrap();
        let bases = Bases::open(&file);
        for text in [&b"two\n"[..], b"three\n"] {
            assert_eq!(bases.get(Hash::of(text)).as_deref(), Some(text));
        }
        // What is of no use any more goes when it is the larger part.
        let third = agreed(&root, &[("e", b"three\n")]);
        // What another sandbox still has is of use.
        let other = Agreement::next(second, crate::far::FarView::default(), 1);
        Bases::open(&file).keep(&third, &[other], &root).unwrap();
        assert!(Bases::open(&file).get(Hash::of(b"two\n")).is_some());
        Bases::open(&file).keep(&third, &[], &root).unwrap();
        let bases = Bases::open(&file);
        assert!(bases.get(Hash::of(b"two\n")).is_none());
        assert_eq!(bases.get(Hash::of(b"three\n")).unwrap(), b"three\n");
    }
}
