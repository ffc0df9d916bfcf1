//! The single file of a profile, `CLAUDE.md`: read, written, its history, taken back, imported.

use std::sync::Arc;

use bytes::Bytes;
use gix_object::Kind;
use wharf_model::Timestamp;

use crate::error::{Error, Problems};
use crate::git::ObjectId;
use crate::git::commits::{Author, Commit, Walk};
use crate::git::objects::Reader;
use crate::limits::{CONTENT_MAX, HISTORY_MAX};
use crate::owner::Owner;
use crate::path::ProfilePath;
use crate::profiles::{
    Change, Condition, Entry, Ground, Profiles, Shared, check_content, error_too_large,
};
use crate::snapshot::Snapshot;
use crate::tree::{CONTENT_PATH, Sha256};

/// The single file, at one version of its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The text; empty where nothing was ever saved.
    pub content: Arc<str>,
    /// The id of the commit; empty where nothing was ever saved.
    pub commit_sha: String,
    /// When the version was saved.
    pub updated_at: Option<Timestamp>,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The id of the commit.
    pub commit_sha: String,
    /// What was said of it.
    pub message: String,
    /// Who made it.
    pub author: Author,
    /// When it was saved.
    pub timestamp: Timestamp,
}

/// The newest versions of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The newest first.
    pub versions: Vec<Version>,
    /// How many there are, as far as [`VERSIONS_MAX`](crate::limits::VERSIONS_MAX).
    pub total: usize,
}

impl Profiles {
    /// The content as it is now.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub async fn current(&self, owner: &Owner) -> Result<Content, Error> {
        let owner = owner.clone();
        let read = move |shared: &Shared| Ok(content_of(shared.snapshot(&owner)?.as_deref()));
        self.read(read).await
    }

    /// Writes the content. What is there already makes no new version. An empty `message` is made.
    ///
    /// # Errors
    /// [`Error::Stale`] when the condition does not hold, [`Error::TooLarge`] for more than
    /// [`CONTENT_MAX`] bytes, [`Error::Refused`] for a private key; when the disk does not take it.
    pub async fn put(
        &self,
        owner: &Owner,
        content: &str,
        message: &str,
        author: &Author,
        condition: Condition<'_>,
    ) -> Result<Content, Error> {
        check_text(content)?;
        let content = Bytes::copy_from_slice(content.as_bytes());
        let (author, message) = (author.clone(), message.to_owned());
        let base = base_of(condition);
        let owner_too = owner.clone();
        let write = move |shared: &Shared| {
            let change = Change {
                author: &author,
                message: &message,
                condition: base.as_deref().map_or(Condition::Any, Condition::Is),
                always: false,
            };
            let edit = |ground: &mut Ground<'_, '_>| with_content(ground, Some(content)).map(Some);
            let after = shared.change(&owner_too, &change, edit)?;
            Ok(content_of(after.as_deref()))
        };
        self.write(owner, write).await
    }

    /// Writes what a file holds, as [`Profiles::put`] does.
    ///
    /// # Errors
    /// [`Error::NotUtf8`]; and as for [`Profiles::put`].
    pub async fn import(
        &self,
        owner: &Owner,
        bytes: &[u8],
        author: &Author,
        condition: Condition<'_>,
    ) -> Result<Content, Error> {
        if bytes.len() > CONTENT_MAX {
            return Err(error_too_large("the content", CONTENT_MAX));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| Error::NotUtf8(error.valid_up_to()));
        let message = "Import CLAUDE.md";
        self.put(owner, text?, message, author, condition).await
    }

    /// The newest `limit` versions, 100 at the most.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub async fn history(&self, owner: &Owner, limit: usize) -> Result<History, Error> {
        let owner = owner.clone();
        let read = move |shared: &Shared| {
            let Some(head) = shared.snapshot(&owner)? else {
                let versions = Vec::new();
                return Ok(History { versions, total: 0 });
            };
            let repository = shared.repository(&owner);
            let total = head.total(&repository)?;
            let mut reader = Reader::open(&repository.objects())?;
            let mut walk = Walk::from(&mut reader, head.commit.id)?;
            let mut versions = Vec::new();
            while versions.len() < limit.min(HISTORY_MAX) {
                match walk.step()? {
                    Some(commit) => versions.push(Version::from(commit)),
                    None => break,
                }
            }
            Ok(History { versions, total })
        };
        self.read(read).await
    }

    /// Makes a new version with the content of an old one. All other files stay as they are.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`]; [`Error::Stale`]; when the disk does not take it.
    pub async fn rollback(
        &self,
        owner: &Owner,
        version: &str,
        author: &Author,
        condition: Condition<'_>,
    ) -> Result<Content, Error> {
        let (author, version) = (author.clone(), version.to_owned());
        let base = base_of(condition);
        let owner_too = owner.clone();
        let write = move |shared: &Shared| {
            let then = shared.version(&owner_too, &version)?;
            let content = stored_content(shared, &owner_too, &then)?;
            let change = Change {
                author: &author,
                message: &rollback_message(&then),
                condition: base.as_deref().map_or(Condition::Any, Condition::Is),
                always: true,
            };
            let edit = |ground: &mut Ground<'_, '_>| with_content(ground, content).map(Some);
            let after = shared.change(&owner_too, &change, edit)?;
            Ok(content_of(after.as_deref()))
        };
        self.write(owner, write).await
    }
}

impl From<Commit> for Version {
    fn from(commit: Commit) -> Self {
        Self {
            commit_sha: commit.id.to_string(),
            message: commit.message,
            author: commit.author,
            timestamp: commit.time,
        }
    }
}

/// The condition as something that can be sent to another thread.
pub(crate) fn base_of(condition: Condition<'_>) -> Option<String> {
    match condition {
        Condition::Any => None,
        Condition::Is(version) => Some(version.to_owned()),
    }
}

pub(crate) fn rollback_message(then: &Snapshot) -> String {
    let version = then.version();
    let short = version.get(..12).unwrap_or(&version);
    format!("Roll back to {short}\n\n{}", then.commit.message)
}

fn content_of(snapshot: Option<&Snapshot>) -> Content {
    Content {
        content: snapshot
            .and_then(|it| it.content.clone())
            .unwrap_or_default(),
        commit_sha: snapshot.map(Snapshot::version).unwrap_or_default(),
        updated_at: snapshot.map(|it| it.commit.time),
    }
}

fn check_text(content: &str) -> Result<(), Error> {
    if content.len() > CONTENT_MAX {
        return Err(error_too_large("the content", CONTENT_MAX));
    }
    let mut problems = Problems::default();
    check_content(CONTENT_PATH, content.as_bytes(), &mut problems);
    problems.refuse()
}

/// The bytes of the single file at a version, none where there was none.
fn stored_content(shared: &Shared, owner: &Owner, then: &Snapshot) -> Result<Option<Bytes>, Error> {
    let position = then.files.iter();
    let position = position.zip(&then.ids);
    let mut found = position.filter(|(file, _)| file.path.as_str() == CONTENT_PATH);
    let Some((_, id)) = found.next() else {
        return Ok(None);
    };
    let mut reader = Reader::open(&shared.repository(owner).objects())?;
    let content = reader.get(id, Kind::Blob)?;
    Ok(Some(Bytes::copy_from_slice(content)))
}

/// The files of the version before, with another single file, or without one.
fn with_content(ground: &mut Ground<'_, '_>, content: Option<Bytes>) -> Result<Vec<Entry>, Error> {
    let mut entries = entries_of(ground.before.map(AsRef::as_ref));
    let was = entries
        .iter()
        .position(|entry| entry.path.as_str() == CONTENT_PATH);
    let executable = was
        .and_then(|at| entries.get(at))
        .is_some_and(|entry| entry.executable);
    entries.retain(|entry| entry.path.as_str() != CONTENT_PATH);
    if let Some(content) = content {
        entries.push(add_content(ground, content, executable)?);
    }
    Ok(entries)
}

fn add_content(
    ground: &mut Ground<'_, '_>,
    content: Bytes,
    executable: bool,
) -> Result<Entry, Error> {
    let path = ProfilePath::parse(CONTENT_PATH);
    let path = path.map_err(|_| crate::profiles::damaged("name the content of a profile"))?;
    let (hash, size) = (Sha256::of(&content), content.len() as u64);
    let id: ObjectId = ground.writer.add(Kind::Blob, content)?;
    ground.index.learn(id, hash, size);
    Ok(Entry {
        path,
        id,
        size,
        executable,
    })
}

pub(crate) fn entries_of(snapshot: Option<&Snapshot>) -> Vec<Entry> {
    let Some(snapshot) = snapshot else {
        return Vec::new();
    };
    let files = snapshot.files.iter().zip(&snapshot.ids);
    files
        .map(|(file, id)| Entry {
            path: file.path.clone(),
            id: *id,
            size: file.size,
            executable: file.executable,
        })
        .collect()
}
