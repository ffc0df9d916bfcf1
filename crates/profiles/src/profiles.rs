//! [`Profiles`]: the door to all of them, and how one is read and changed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gix_hash::Prefix;
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};
use wharf_model::Clock;

use crate::error::{self, Error, Problem, Problems};
use crate::git::commits::{Author, Commit, Draft, Walk};
use crate::git::objects::{Reader, Writer, stored_bytes};
use crate::git::{Locked, ObjectId, Repository, trees};
use crate::index::Index;
use crate::limits::{
    CONVERSATIONS_MAX, FILES_MAX, REPOSITORY_MAX, TREE_MAX, UPSTREAMS, VERSION_DIGITS_MIN,
    VIEW_BYTES, VIEWS_KEPT, WAITING_MAX, WORKERS, WRITER_QUEUES,
};
use crate::owner::Owner;
use crate::path::{Names, ProfilePath};
use crate::recent::Recent;
use crate::snapshot::{Cache, Snapshot};
use crate::view::View;

/// What a change is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Whatever is there.
    Any,
    /// This version and no other; empty: nothing was ever saved.
    Is(&'a str),
}

/// All profiles of a server. Cheap to clone.
#[derive(Clone)]
pub struct Profiles {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) root: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache: Cache,
    pub(crate) views: Recent<View>,
    workers: Arc<Semaphore>,
    /// Conversations with upstreams take long, and must not hold workers.
    upstreams: Arc<Semaphore>,
    /// They wait for minutes, and must not stand in the way of those who read and write.
    conversing: AtomicUsize,
    waiting: AtomicUsize,
    /// Writers to one profile wait here and not on its lock, where they would hold workers.
    queues: Vec<Arc<Mutex<()>>>,
}

/// One file of a version that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) path: ProfilePath,
    pub(crate) id: ObjectId,
    pub(crate) size: u64,
    pub(crate) executable: bool,
}

/// What a change finds: the version before it, the objects, the index.
pub(crate) struct Ground<'a, 'r> {
    pub(crate) before: Option<&'a Arc<Snapshot>>,
    pub(crate) reader: &'a Reader,
    pub(crate) writer: &'a mut Writer<'r>,
    pub(crate) index: &'a mut Index,
}

/// Who changes a profile, from which version on, and why.
pub(crate) struct Change<'a> {
    pub(crate) author: &'a Author,
    /// Empty: made from what has changed.
    pub(crate) message: &'a str,
    pub(crate) condition: Condition<'a>,
    /// Whether a version is made even if it is like the one before it.
    pub(crate) always: bool,
}

impl Profiles {
    /// The profiles below `root`, which is made when the first one is saved.
    #[must_use]
    pub fn open(root: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            root,
            clock,
            cache: Cache::default(),
            views: Recent::new(VIEWS_KEPT, VIEW_BYTES),
            workers: Arc::new(Semaphore::new(WORKERS)),
            upstreams: Arc::new(Semaphore::new(UPSTREAMS)),
            conversing: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queues: (0..WRITER_QUEUES).map(|_| Arc::default()).collect(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The id of the newest version, which is what an `ETag` is made of; empty where nothing was
    /// ever saved. Costs the reading of 41 bytes that the kernel has in memory.
    ///
    /// # Errors
    /// When the repository cannot be read.
    pub async fn version(&self, owner: &Owner) -> Result<String, Error> {
        let owner = owner.clone();
        let read = move |shared: &Shared| {
            let head = shared.repository(&owner).head()?;
            Ok(head.map(|id| id.to_string()).unwrap_or_default())
        };
        self.read(read).await
    }

    /// Runs a question on a thread that may wait for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _waits = wait(&self.shared.waiting, WAITING_MAX)?;
        self.work(&self.shared.workers, None, work).await
    }

    /// Runs a change to the profile of `owner`, one at a time. It is done even when whoever asked
    /// for it goes away.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        owner: &Owner,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mut hasher = DefaultHasher::new();
        owner.hash(&mut hasher);
        let queues = &self.shared.queues;
        let count = (queues.len() as u64).max(1);
        let queue = usize::try_from(hasher.finish() % count).unwrap_or_default();
        let _waits = wait(&self.shared.waiting, WAITING_MAX)?;
        let turn = match queues.get(queue) {
            Some(queue) => Some(Arc::clone(queue).lock_owned().await),
            None => None,
        };
        self.work(&self.shared.workers, turn, work).await
    }

    /// Runs a conversation with an upstream.
    pub(crate) async fn converse<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _waits = wait(&self.shared.conversing, CONVERSATIONS_MAX)?;
        self.work(&self.shared.upstreams, None, work).await
    }

    async fn work<T: Send + 'static>(
        &self,
        among: &Arc<Semaphore>,
        turn: Option<OwnedMutexGuard<()>>,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(among).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Stopping)?;
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            // Both end with the work, also when nobody waits for it any more.
            let _held = (permit, turn);
            work(&shared)
        });
        done.await.map_err(|_| Error::Stopping)?
    }
}

fn wait(waiting: &AtomicUsize, most: usize) -> Result<Waits<'_>, Error> {
    if waiting.fetch_add(1, Ordering::Relaxed) >= most {
        waiting.fetch_sub(1, Ordering::Relaxed);
        return Err(Error::Busy);
    }
    Ok(Waits(waiting))
}

/// One that waits, for as long as it does.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn repository(&self, owner: &Owner) -> Repository {
        Repository::of(&self.root, owner)
    }

    /// The newest version; none where nothing was saved.
    pub(crate) fn snapshot(&self, owner: &Owner) -> Result<Option<Arc<Snapshot>>, Error> {
        let repository = self.repository(owner);
        let Some(head) = repository.head()? else {
            return Ok(None);
        };
        if let Some(kept) = self.cache.get(owner, head) {
            return Ok(Some(kept));
        }
        let mut reader = Reader::open(&repository.objects())?;
        let mut index = Index::load(&repository)?;
        let commit = Commit::get(&mut reader, head)?;
        let snapshot = Arc::new(Snapshot::read(&mut reader, &mut index, commit)?);
        self.cache.put(owner, Arc::clone(&snapshot));
        if index.has_news() {
            // It was lost, or others have written here. What was found is right without it, too,
            // and somebody who only reads waits for no writer.
            if let Ok(locked) = repository.lock_within(Duration::ZERO) {
                let _ = index.save(&locked);
            }
        }
        Ok(Some(snapshot))
    }

    /// The version `version`, which must be one of this profile's.
    pub(crate) fn version(&self, owner: &Owner, version: &str) -> Result<Arc<Snapshot>, Error> {
        let unknown = || Error::NoSuchVersion(version.chars().take(80).collect());
        let head = self.snapshot(owner)?.ok_or_else(unknown)?;
        let id = parse_version(version);
        if id == Some(head.commit.id) {
            return Ok(head);
        }
        let repository = self.repository(owner);
        let mut reader = Reader::open(&repository.objects())?;
        // What an upstream has sent may be here without being a version of this profile, so that each
        // is looked for among the versions before the newest.
        let commit = match id {
            Some(id) => {
                let commit = Commit::find(&mut reader, id)?.ok_or_else(unknown)?;
                let is_ours = Walk::from(&mut reader, head.commit.id)?.meets(id)?;
                Some(commit).filter(|_| is_ours)
            }
            None => {
                let prefix = parse_prefix(version).ok_or_else(unknown)?;
                Walk::from(&mut reader, head.commit.id)?.only(prefix)?
            }
        };
        let commit = commit.ok_or_else(unknown)?;
        let mut index = Index::load(&repository)?;
        Snapshot::read(&mut reader, &mut index, commit).map(Arc::new)
    }

    /// Makes a new version of what `edit` says. `None` from it means that nothing changes.
    pub(crate) fn change(
        &self,
        owner: &Owner,
        change: &Change<'_>,
        edit: impl FnOnce(&mut Ground<'_, '_>) -> Result<Option<Vec<Entry>>, Error>,
    ) -> Result<Option<Arc<Snapshot>>, Error> {
        let repository = self.repository(owner);
        let locked = repository.lock()?;
        let before = self.snapshot_locked(owner, &locked)?;
        let current = before.as_ref().map(|it| it.version()).unwrap_or_default();
        if matches!(change.condition, Condition::Is(version) if version != current) {
            return Err(Error::Stale { current });
        }
        let mut index = Index::load(&repository)?;
        if let Some(before) = &before {
            index.learn_all(before);
        }
        let reader = Reader::open_locked(&repository.objects())?;
        let mut writer = Writer::new(repository.objects(), &reader);
        let mut ground = Ground {
            before: before.as_ref(),
            reader: &reader,
            writer: &mut writer,
            index: &mut index,
        };
        let Some(entries) = edit(&mut ground)? else {
            return Ok(before);
        };
        check(&entries)?;
        let named = entries.iter();
        let named = named.map(|entry| (entry.path.as_str(), entry.id, entry.executable));
        let tree = trees::build(&mut writer, named)?;
        let is_same = before.as_ref().is_some_and(|it| it.commit.tree == tree);
        if is_same && !change.always {
            return Ok(before);
        }
        let made;
        let message = if change.message.trim().is_empty() {
            made = made_message(before.as_deref(), &entries);
            &made
        } else {
            change.message
        };
        let draft = Draft {
            tree,
            parents: before.iter().map(|it| it.commit.id).collect(),
            author: change.author,
            message,
            now: self.clock.now(),
        };
        let id = draft.add_to(&mut writer)?;
        let known = before.as_ref().and_then(|it| it.stored.get().copied());
        let stored = fits(&repository, known, writer.bytes())?;
        writer.flush()?;
        locked.advance(before.as_ref().map(|it| it.commit.id), id)?;
        // From here on it is done, whatever happens.
        let _ = index.save(&locked);
        let mut reader = Reader::open(&repository.objects())?;
        let commit = Commit::get(&mut reader, id)?;
        let after = Snapshot::read(&mut reader, &mut index, commit)?;
        let total = match &before {
            None => Some(1),
            Some(before) => before.total.get().map(|total| total + 1),
        };
        if let Some(total) = total {
            let _ = after.total.set(total);
        }
        let _ = after.stored.set(stored);
        let after = Arc::new(after);
        self.cache.put(owner, Arc::clone(&after));
        Ok(Some(after))
    }

    /// As [`Shared::snapshot`], by whoever holds the lock already.
    pub(crate) fn snapshot_locked(
        &self,
        owner: &Owner,
        locked: &Locked<'_>,
    ) -> Result<Option<Arc<Snapshot>>, Error> {
        let repository = locked.repository();
        let Some(head) = repository.head()? else {
            return Ok(None);
        };
        if let Some(kept) = self.cache.get(owner, head) {
            return Ok(Some(kept));
        }
        let mut reader = Reader::open(&repository.objects())?;
        let mut index = Index::load(repository)?;
        let commit = Commit::get(&mut reader, head)?;
        let snapshot = Arc::new(Snapshot::read(&mut reader, &mut index, commit)?);
        let _ = index.save(locked);
        self.cache.put(owner, Arc::clone(&snapshot));
        Ok(Some(snapshot))
    }
}

/// The id of a version as it is given out: 40 hexadecimal digits.
pub(crate) fn parse_version(text: &str) -> Option<ObjectId> {
    (text.len() == 40)
        .then(|| ObjectId::from_hex(text.as_bytes()).ok())
        .flatten()
}

/// The first digits of one, by which people know it.
fn parse_prefix(text: &str) -> Option<Prefix> {
    (text.len() >= VERSION_DIGITS_MIN)
        .then(|| Prefix::from_hex(text).ok())
        .flatten()
}

/// What holds of all files together.
pub(crate) fn check(entries: &[Entry]) -> Result<(), Error> {
    if entries.len() > FILES_MAX {
        let what = "files";
        let limit = FILES_MAX;
        return Err(Error::TooMany { what, limit });
    }
    let bytes = entries.iter().map(|entry| entry.size).sum::<u64>();
    if bytes > TREE_MAX as u64 {
        return Err(error_too_large("the configuration", TREE_MAX));
    }
    let mut names = Names::default();
    let mut problems = Problems::default();
    for entry in entries {
        names.take(&entry.path, &mut problems);
    }
    problems.refuse()
}

pub(crate) fn error_too_large(what: &str, limit: usize) -> Error {
    Error::TooLarge {
        what: what.to_owned(),
        limit,
    }
}

/// How much a repository has with `more` bytes in it, at the most. `known` is what it had when
/// somebody looked, which is done again only where it would decide: what is written is packed, so
/// that there is less than was counted.
///
/// # Errors
/// [`Error::Full`] where that is more than it may have.
pub(crate) fn fits(repository: &Repository, known: Option<u64>, more: u64) -> Result<u64, Error> {
    let within = |stored: u64| {
        let after = stored.saturating_add(more);
        (after <= REPOSITORY_MAX).then_some(after)
    };
    if let Some(after) = known.and_then(within) {
        return Ok(after);
    }
    let stored = stored_bytes(&repository.objects())?;
    let limit = REPOSITORY_MAX;
    within(stored).ok_or(Error::Full { limit })
}

/// Checks one new content of the file at `path`.
pub(crate) fn check_content(path: &str, content: &[u8], problems: &mut Problems) {
    if let Some(line) = crate::keys::private_key(content) {
        let problem = Problem::new(path, "it has a private key in it");
        problems.add(problem.at_line(line));
    }
}

/// «Add a, change b, remove c», or how many of each.
fn made_message(before: Option<&Snapshot>, entries: &[Entry]) -> String {
    let mut old: HashMap<&str, (ObjectId, bool)> = HashMap::new();
    if let Some(before) = before {
        for (file, id) in before.files.iter().zip(&before.ids) {
            old.insert(file.path.as_str(), (*id, file.executable));
        }
    }
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for entry in entries {
        match old.remove(entry.path.as_str()) {
            None => added.push(entry.path.as_str()),
            Some(same) if same == (entry.id, entry.executable) => {}
            Some(_) => changed.push(entry.path.as_str()),
        }
    }
    let mut removed: Vec<&str> = old.into_keys().collect();
    removed.sort_unstable();
    let parts = [("add", added), ("change", changed), ("remove", removed)];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, paths)| !paths.is_empty())
        .map(|(verb, paths)| match paths.as_slice() {
            [path] => format!("{verb} {path}"),
            paths => format!("{verb} {} files", paths.len()),
        })
        .collect();
    let text = parts.join(", ");
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Keep as it is".to_owned(),
    }
}

/// The error of a repository that says something that it cannot.
pub(crate) fn damaged(what: &'static str) -> Error {
    error::git(what)("it is not as it was written")
}

#[cfg(test)]
mod tests {
    use wharf_model::Timestamp;

    use super::*;

    struct Epoch;

    impl Clock for Epoch {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
    }

    #[tokio::test]
    async fn conversations_are_bounded_and_not_in_the_way_of_readers() {
        let root = tempfile::tempdir().unwrap();
        let profiles = Profiles::open(root.path().to_owned(), Arc::new(Epoch));
        let conversing = &profiles.shared.conversing;
        let mut held: Vec<_> = (0..CONVERSATIONS_MAX)
            .map(|_| wait(conversing, CONVERSATIONS_MAX).unwrap())
            .collect();
        let refused = profiles.converse(|_| Ok(())).await;
        assert!(matches!(refused, Err(Error::Busy)));
        assert_eq!(profiles.shared.waiting.load(Ordering::Relaxed), 0);
        held.pop();
        profiles.converse(|_| Ok(())).await.unwrap();
        profiles.read(|_| Ok(())).await.unwrap();
    }

    #[test]
    fn a_repository_has_a_bound_and_is_looked_at_where_that_decides() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::of(folder.path(), &Owner::user("ada").unwrap());
        let packs = repository.objects().join("pack");
        std::fs::create_dir_all(&packs).unwrap();
        let pack = std::fs::File::create(packs.join("pack-x.pack")).unwrap();
        let fits = |known, more| match fits(&repository, known, more) {
            Ok(after) => Some(after),
            Err(Error::Full { limit }) if limit == REPOSITORY_MAX => None,
            Err(error) => panic!("{error}"),
        };
        pack.set_len(REPOSITORY_MAX - 10).unwrap();
        assert_eq!(fits(None, 10), Some(REPOSITORY_MAX));
        assert_eq!(fits(None, 11), None);
        assert_eq!(fits(Some(5), 11), Some(16), "it is not looked at");
        assert_eq!(fits(Some(REPOSITORY_MAX), 10), Some(REPOSITORY_MAX));
        assert_eq!(fits(Some(REPOSITORY_MAX), 11), None);
        assert_eq!(fits(Some(0), u64::MAX), None);
    }
}
