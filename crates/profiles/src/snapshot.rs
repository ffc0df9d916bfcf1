//! The newest version of a profile as it is kept in memory, by its id: it can never be out of date.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gix_object::Kind;

use crate::error::Error;
use crate::git::commits::{Commit, Walk};
use crate::git::objects::Reader;
use crate::git::trees::{self, LeafKind};
use crate::git::{ObjectId, Repository};
use crate::index::Index;
use crate::limits::CACHE_BYTES;
use crate::owner::Owner;
use crate::path::ProfilePath;
use crate::tree::{CONTENT_PATH, File, Tree};

/// What one file of a manifest takes in memory, about.
const FILE_BYTES: usize = 200;

/// One version, read.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) commit: Commit,
    pub(crate) files: Arc<[File]>,
    /// Git's ids of the files, in the same order.
    pub(crate) ids: Vec<ObjectId>,
    /// `CLAUDE.md`, where there is one.
    pub(crate) content: Option<Arc<str>>,
    /// How many versions there are up to this, where somebody has counted.
    pub(crate) total: OnceLock<usize>,
    /// Bytes of the repository with this version in it, at the most, where somebody has looked.
    pub(crate) stored: OnceLock<u64>,
}

impl Snapshot {
    /// Reads the version `commit`. What is in it and cannot be in a profile is left out.
    pub(crate) fn read(
        reader: &mut Reader,
        index: &mut Index,
        commit: Commit,
    ) -> Result<Self, Error> {
        let leaves = trees::flatten(reader, commit.tree)?;
        let mut files = Vec::with_capacity(leaves.len());
        let mut ids = Vec::with_capacity(leaves.len());
        let mut content = None;
        for leaf in leaves {
            let LeafKind::File { executable } = leaf.kind else {
                continue;
            };
            let path = std::str::from_utf8(&leaf.path).ok();
            let Some(path) = path.and_then(|path| ProfilePath::parse(path).ok()) else {
                continue;
            };
            let (sha256, size) = index.describe(reader, leaf.id)?;
            if path.as_str() == CONTENT_PATH {
                let text = String::from_utf8_lossy(reader.get(&leaf.id, Kind::Blob)?);
                content = Some(Arc::from(text.as_ref()));
            }
            files.push(File {
                path,
                sha256,
                size,
                executable,
            });
            ids.push(leaf.id);
        }
        Ok(Self {
            commit,
            files: files.into(),
            ids,
            content,
            total: OnceLock::new(),
            stored: OnceLock::new(),
        })
    }

    pub(crate) fn version(&self) -> String {
        self.commit.id.to_string()
    }

    /// `CLAUDE.md`; empty where there is none.
    pub(crate) fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree {
            version: self.version(),
            updated_at: Some(self.commit.time),
            author: Some(self.commit.author.clone()),
            files: Arc::clone(&self.files),
        }
    }

    /// How many versions there are up to this one.
    pub(crate) fn total(&self, repository: &Repository) -> Result<usize, Error> {
        if let Some(total) = self.total.get() {
            return Ok(*total);
        }
        let mut reader = Reader::open(&repository.objects())?;
        let mut walk = Walk::from(&mut reader, self.commit.id)?;
        let mut total = 0;
        while walk.step()?.is_some() {
            total += 1;
        }
        Ok(*self.total.get_or_init(|| total))
    }

    fn bytes(&self) -> usize {
        let content = self.content.as_ref().map_or(0, |content| content.len());
        self.files.len() * FILE_BYTES + content + FILE_BYTES
    }
}

/// The newest versions that were asked for last, [`CACHE_BYTES`] of them.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    snapshots: HashMap<Owner, (Arc<Snapshot>, u64)>,
    bytes: usize,
    /// Counts uses, so that the one that was used longest ago is known.
    uses: u64,
}

impl Cache {
    /// The version `id` of the profile, if it is kept.
    pub(crate) fn get(&self, owner: &Owner, id: ObjectId) -> Option<Arc<Snapshot>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        let (snapshot, used) = kept.snapshots.get_mut(owner)?;
        *used = now;
        (snapshot.commit.id == id).then(|| Arc::clone(snapshot))
    }

    /// Keeps a version in place of the one before it.
    pub(crate) fn put(&self, owner: &Owner, snapshot: Arc<Snapshot>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        kept.bytes += snapshot.bytes();
        if let Some((old, _)) = kept.snapshots.insert(owner.clone(), (snapshot, now)) {
            kept.bytes = kept.bytes.saturating_sub(old.bytes());
        }
        while kept.bytes > CACHE_BYTES && kept.snapshots.len() > 1 {
            let oldest = kept.snapshots.iter().min_by_key(|(_, (_, used))| *used);
            let Some(oldest) = oldest.map(|(owner, _)| owner.clone()) else {
                return;
            };
            if let Some((old, _)) = kept.snapshots.remove(&oldest) {
                kept.bytes = kept.bytes.saturating_sub(old.bytes());
            }
        }
    }
}
