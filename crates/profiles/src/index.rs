//! From the hash that clients know a content by to the id that git knows it by.
//!
//! Git's id of a file is a SHA-1 over a header and the content; clients are told SHA-256. The index
//! is a file of records beside the objects. It holds nothing that the repository does not: where it
//! is lost or damaged it is made again from the files.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gix_object::Kind;

use crate::error::{self, Error};
use crate::git::objects::Reader;
use crate::git::{Locked, ObjectId, Repository, files};
use crate::limits::INDEX_MAX;
use crate::snapshot::Snapshot;
use crate::tree::Sha256;

const NAME: &str = "wharf-sha256";
/// Git's id (20), SHA-256 (32), size (8, little endian), the beginning of the hash of these (4).
const RECORD: usize = 64;
const PAYLOAD: usize = RECORD - 4;

/// What is known of the contents of one profile.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_id: HashMap<ObjectId, (Sha256, u64)>,
    by_hash: HashMap<Sha256, ObjectId>,
    /// What is not in the file yet.
    unsaved: Vec<ObjectId>,
    /// Whether the file is to be written anew.
    is_damaged: bool,
}

impl Index {
    /// Reads what there is. A record that is damaged, and what comes behind it, is not there.
    pub(crate) fn load(repository: &Repository) -> Result<Self, Error> {
        let step = || error::io("read the index of a profile");
        let mut index = Self::default();
        let path = place(repository.directory());
        match fs::metadata(&path) {
            Ok(found) if found.len() > (INDEX_MAX * RECORD) as u64 => {
                index.is_damaged = true;
                return Ok(index);
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(index),
            Err(error) => return Err(step()(error)),
        }
        let bytes = fs::read(&path).map_err(step())?;
        let mut records = bytes.chunks_exact(RECORD);
        for record in records.by_ref() {
            let Some((id, hash, size)) = decode(record) else {
                index.is_damaged = true;
                return Ok(index);
            };
            index.learn(id, hash, size);
        }
        index.is_damaged = !records.remainder().is_empty();
        index.unsaved.clear();
        Ok(index)
    }

    /// The hash and size of the file `id`, from the index or else from the file.
    pub(crate) fn describe(
        &mut self,
        reader: &mut Reader,
        id: ObjectId,
    ) -> Result<(Sha256, u64), Error> {
        if let Some(known) = self.by_id.get(&id) {
            return Ok(*known);
        }
        let content = reader.get(&id, Kind::Blob)?;
        let hash = Sha256::of(content);
        let size = content.len() as u64;
        self.learn(id, hash, size);
        Ok((hash, size))
    }

    /// Takes what is known of one content.
    pub(crate) fn learn(&mut self, id: ObjectId, hash: Sha256, size: u64) {
        if self.by_id.insert(id, (hash, size)).is_none() {
            self.unsaved.push(id);
        }
        self.by_hash.insert(hash, id);
    }

    /// Takes what is known of the contents of a version.
    pub(crate) fn learn_all(&mut self, snapshot: &Snapshot) {
        for (file, id) in snapshot.files.iter().zip(&snapshot.ids) {
            self.learn(*id, file.sha256, file.size);
        }
    }

    /// Git's id of the content with this hash, and its size.
    pub(crate) fn find(&self, hash: &Sha256) -> Option<(ObjectId, u64)> {
        let id = self.by_hash.get(hash)?;
        self.by_id.get(id).map(|(_, size)| (*id, *size))
    }

    pub(crate) fn has_news(&self) -> bool {
        self.is_damaged || !self.unsaved.is_empty()
    }

    /// Writes down what is new. The content of the index can be found again, so that this is not
    /// flushed.
    pub(crate) fn save(&mut self, locked: &Locked<'_>) -> Result<(), Error> {
        let step = || error::io("write the index of a profile");
        if !self.has_news() {
            return Ok(());
        }
        let path = place(locked.repository().directory());
        if self.is_damaged || self.by_id.len() > INDEX_MAX {
            // Past the bound the old ones go: what is asked for again is found again.
            let ids: Vec<ObjectId> = if self.by_id.len() > INDEX_MAX {
                self.unsaved.clone()
            } else {
                self.by_id.keys().copied().collect()
            };
            files::replace(&path, &self.encode(&ids)).map_err(step())?;
        } else {
            let mut options = OpenOptions::new();
            options.append(true).create(true).mode(0o600);
            let mut file = options.open(&path).map_err(step())?;
            let records = self.encode(&self.unsaved);
            file.write_all(&records).map_err(step())?;
        }
        self.is_damaged = false;
        self.unsaved.clear();
        Ok(())
    }

    fn encode(&self, ids: &[ObjectId]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ids.len() * RECORD);
        for id in ids {
            let Some((hash, size)) = self.by_id.get(id) else {
                continue;
            };
            let start = bytes.len();
            bytes.extend_from_slice(id.as_slice());
            bytes.extend_from_slice(hash.as_bytes());
            bytes.extend_from_slice(&size.to_le_bytes());
            let check = Sha256::of(bytes.get(start..).unwrap_or_default());
            bytes.extend_from_slice(check.as_bytes().get(..4).unwrap_or_default());
        }
        bytes
    }
}

fn place(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

fn decode(record: &[u8]) -> Option<(ObjectId, Sha256, u64)> {
    let payload = record.get(..PAYLOAD)?;
    let check = Sha256::of(payload);
    if record.get(PAYLOAD..)? != check.as_bytes().get(..4)? {
        return None;
    }
    let id = ObjectId::try_from(payload.get(..20)?).ok()?;
    let hash = Sha256::from_bytes(payload.get(20..52)?.try_into().ok()?);
    let size = u64::from_le_bytes(payload.get(52..60)?.try_into().ok()?);
    Some((id, hash, size))
}
