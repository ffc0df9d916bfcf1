//! The whole tree of a profile: read, replaced as one, its contents by hash.

use bytes::Bytes;
use gix_object::Kind;

use crate::content::{base_of, entries_of, rollback_message};
use crate::error::{Error, Problem, Problems};
use crate::git::commits::Author;
use crate::git::objects::Reader;
use crate::index::Index;
use crate::limits::{BLOBS_BYTES_MAX, BLOBS_MAX, FILE_MAX};
use crate::owner::Owner;
use crate::profiles::{Change, Condition, Entry, Ground, Profiles, Shared, error_too_large};
use crate::snapshot::Snapshot;
use crate::tree::{CONTENT_PATH, Sha256, Tree};
use crate::upload::{Upload, Wanted, check_text};

impl Profiles {
    /// The manifest of a version, or of the newest.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`]; when the repository cannot be read.
    pub async fn tree(&self, owner: &Owner, version: Option<&str>) -> Result<Tree, Error> {
        let (owner, version) = (owner.clone(), version.map(str::to_owned));
        let read = move |shared: &Shared| match version {
            Some(version) => Ok(shared.version(&owner, &version)?.tree()),
            None => Ok(tree_of(shared.snapshot(&owner)?.as_deref())),
        };
        self.read(read).await
    }

    /// Makes the files of `upload` the new version, in place of all that are there. What is there
    /// already makes no new version. An empty `message` is made.
    ///
    /// # Errors
    /// [`Error::Stale`] when the condition does not hold, [`Error::Missing`] with the hashes of
    /// contents that are neither in the upload nor here, [`Error::Refused`] with the files that may
    /// not be in a profile, and why; when the disk does not take it.
    pub async fn put_tree(
        &self,
        owner: &Owner,
        mut upload: Upload,
        message: &str,
        author: &Author,
        condition: Condition<'_>,
    ) -> Result<Tree, Error> {
        let (author, message) = (author.clone(), message.to_owned());
        let base = base_of(condition);
        let owner_too = owner.clone();
        let write = move |shared: &Shared| {
            upload.checked()?;
            let change = Change {
                author: &author,
                message: &message,
                condition: base.as_deref().map_or(Condition::Any, Condition::Is),
                always: false,
            };
            let repository = shared.repository(&owner_too);
            let edit = |ground: &mut Ground<'_, '_>| {
                let mut contents = Reader::open(&repository.objects())?;
                place(ground, &mut contents, &upload).map(Some)
            };
            let after = shared.change(&owner_too, &change, edit)?;
            Ok(tree_of(after.as_deref()))
        };
        self.write(owner, write).await
    }

    /// Makes a new version with all files as they were at an old one.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`]; [`Error::Stale`]; when the disk does not take it.
    pub async fn rollback_tree(
        &self,
        owner: &Owner,
        version: &str,
        author: &Author,
        condition: Condition<'_>,
    ) -> Result<Tree, Error> {
        let (author, version) = (author.clone(), version.to_owned());
        let base = base_of(condition);
        let owner_too = owner.clone();
        let write = move |shared: &Shared| {
            let then = shared.version(&owner_too, &version)?;
            let change = Change {
                author: &author,
                message: &rollback_message(&then),
                condition: base.as_deref().map_or(Condition::Any, Condition::Is),
                always: true,
            };
            let edit = |_: &mut Ground<'_, '_>| Ok(Some(entries_of(Some(&then))));
            let after = shared.change(&owner_too, &change, edit)?;
            Ok(tree_of(after.as_deref()))
        };
        self.write(owner, write).await
    }

    /// The contents with these hashes, of any version of the profile, each of them once.
    ///
    /// # Errors
    /// [`Error::TooMany`] for more than [`BLOBS_MAX`] hashes, [`Error::TooLarge`] when they are
    /// more than [`BLOBS_BYTES_MAX`] together, [`Error::Absent`] with those that are not here.
    pub async fn blobs(
        &self,
        owner: &Owner,
        hashes: Vec<Sha256>,
    ) -> Result<Vec<(Sha256, Bytes)>, Error> {
        let owner = owner.clone();
        let read = move |shared: &Shared| {
            let (found, missing) = shared.blobs(&owner, hashes, BLOBS_BYTES_MAX)?;
            if missing.is_empty() {
                Ok(found)
            } else {
                Err(Error::Absent(missing))
            }
        };
        self.read(read).await
    }
}

impl Shared {
    /// The contents with these hashes, and the hashes of those that are not in this profile. `left`
    /// is what is left of the bytes of an answer; more are not read.
    #[expect(clippy::type_complexity, reason = "two lists, each used once")]
    pub(crate) fn blobs(
        &self,
        owner: &Owner,
        mut hashes: Vec<Sha256>,
        left: usize,
    ) -> Result<(Vec<(Sha256, Bytes)>, Vec<Sha256>), Error> {
        if hashes.len() > BLOBS_MAX {
            let (what, limit) = ("contents", BLOBS_MAX);
            return Err(Error::TooMany { what, limit });
        }
        hashes.sort_unstable();
        hashes.dedup();
        let Some(newest) = self.snapshot(owner)? else {
            return Ok((Vec::new(), hashes));
        };
        let repository = self.repository(owner);
        let mut index = Index::load(&repository)?;
        index.learn_all(&newest);
        let mut reader = Reader::open(&repository.objects())?;
        let mut bytes = 0_u64;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for hash in hashes {
            let Some((id, size)) = index.find(&hash) else {
                missing.push(hash);
                continue;
            };
            bytes = bytes.saturating_add(size);
            if bytes > left as u64 {
                return Err(error_too_large("the answer", BLOBS_BYTES_MAX));
            }
            match reader.find(&id, Kind::Blob)? {
                Some(content) => found.push((hash, Bytes::copy_from_slice(content))),
                None => missing.push(hash),
            }
        }
        Ok((found, missing))
    }
}

fn tree_of(snapshot: Option<&Snapshot>) -> Tree {
    snapshot.map_or_else(
        || Tree {
            version: String::new(),
            updated_at: None,
            author: None,
            files: [].into(),
        },
        Snapshot::tree,
    )
}

/// Finds a content for each file: one that came along, or one that is here already.
fn place(
    ground: &mut Ground<'_, '_>,
    contents: &mut Reader,
    upload: &Upload,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::with_capacity(upload.files.len());
    let mut missing = Vec::new();
    let mut problems = Problems::default();
    for file in &upload.files {
        match upload.contents.get(&file.sha256) {
            Some(content) => {
                let id = ground.writer.add(Kind::Blob, content.clone())?;
                ground.index.learn(id, file.sha256, content.len() as u64);
                entries.push(entry(file, id, content.len() as u64));
            }
            None => match ground.index.find(&file.sha256) {
                Some((id, size)) if ground.reader.has(&id) => {
                    check_known(contents, file, id, size, &mut problems)?;
                    entries.push(entry(file, id, size));
                }
                _ => missing.push(file.sha256),
            },
        }
    }
    problems.refuse()?;
    if missing.is_empty() {
        return Ok(entries);
    }
    missing.sort_unstable();
    missing.dedup();
    Err(Error::Missing(missing))
}

/// A content that is here already was another file's; this file may have rules of its own.
pub(crate) fn check_known(
    contents: &mut Reader,
    file: &Wanted,
    id: crate::git::ObjectId,
    size: u64,
    problems: &mut Problems,
) -> Result<(), Error> {
    let path = file.path.as_str();
    if size > FILE_MAX as u64 {
        problems.add(Problem::new(path, "it is larger than 8 MiB"));
    }
    if path == CONTENT_PATH {
        check_text(contents.get(&id, Kind::Blob)?, problems);
    }
    Ok(())
}

fn entry(file: &Wanted, id: crate::git::ObjectId, size: u64) -> Entry {
    Entry {
        path: file.path.clone(),
        id,
        size,
        executable: file.executable,
    }
}
