//! The files of a host, over SFTP, and over plain commands where that is not to be had.
//!
//! One channel with SFTP is opened when it is needed and shared by all ([`session`]); it is closed
//! when nobody has used it for a while. Over plain commands ([`plain`], [`words`]) go: all files of a
//! host that has no SFTP; names that are not UTF-8, which the library for SFTP cannot carry; and
//! digests, which are to be made where the file is.
//!
//! Whatever is begun on the host by a request is waited for by a task that goes on when whoever
//! asked goes away, so that what was opened or made is closed or removed. What could not be removed
//! because the connection was lost is removed when there is a connection again.

mod command;
mod plain;
mod plain_sink;
mod session;
mod sink;
mod source;
mod words;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::Entropy;
use wharf_ssh::Opener;

use super::path::Place;
use super::{
    Digest, Entry, Files, FilesError, Kind, Links, Listing, MAX_ENTRIES, Read, Sink, Source, Stat,
    Write,
};
use crate::executor::BoxFuture;
use session::{MAX_OPEN, NoSession, Session, is_mangled, stat_of};
use source::SftpSource;

/// How often it is looked whether the channel is still used. Twice unused, it is closed.
const IDLE_LOOK: Duration = Duration::from_secs(30);
/// How long one waits for a place among the files that are open.
const PLACE_PATIENCE: Duration = Duration::from_secs(60);
/// From the end of the work on a host to the end of what it left there.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Files of which it is remembered that they are still to be removed.
const MAX_LEFT: usize = 64;

/// A host's files, as one user.
pub struct RemoteFiles {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

struct Shared {
    opener: Arc<dyn Opener>,
    entropy: Arc<dyn Entropy>,
    tasks: TaskTracker,
    slot: Mutex<Slot>,
    uses: AtomicU64,
    places: Arc<Semaphore>,
    gate: command::Gate,
    left: std::sync::Mutex<VecDeque<PathBuf>>,
}

/// The channel that is shared.
enum Slot {
    None,
    Open(Arc<Session>),
    /// The host has no SFTP. That is forgotten when the host is not used for a while.
    Absent,
}

/// How a path is reached.
enum Way {
    Sftp(Arc<Session>, String),
    Plain(Place),
}

impl RemoteFiles {
    /// For the host to which `opener` opens channels. Nothing is opened before it is needed.
    #[must_use]
    pub fn new(opener: Arc<dyn Opener>, entropy: Arc<dyn Entropy>) -> Self {
        let shared = Arc::new(Shared {
            opener,
            entropy,
            tasks: TaskTracker::new(),
            slot: Mutex::new(Slot::None),
            uses: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(MAX_OPEN)),
            gate: command::Gate::default(),
            left: std::sync::Mutex::new(VecDeque::new()),
        });
        let stop = CancellationToken::new();
        let kept = housekeeping(Arc::downgrade(&shared), IDLE_LOOK);
        shared
            .tasks
            .spawn(stop.clone().run_until_cancelled_owned(kept));
        Self { shared, stop }
    }

    /// Closes the channel, and waits until what was under way has ended on the host.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.shared.places.close();
        self.shared.tasks.close();
        *self.shared.slot.lock().await = Slot::None;
        let ended = tokio::time::timeout(END_PATIENCE, self.shared.tasks.wait()).await;
        if ended.is_err() {
            tracing::warn!(target: "system", "a host takes too long to end what was done with its files");
        }
    }
}

impl Drop for RemoteFiles {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    /// The shared channel; none where the host has no SFTP.
    async fn session(self: &Arc<Self>, path: &Path) -> Result<Option<Arc<Session>>, FilesError> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        let mut slot = self.slot.lock().await;
        match &*slot {
            Slot::Open(session) if !session.is_over() => return Ok(Some(Arc::clone(session))),
            Slot::Absent => {
                drop(slot);
                self.clear_left(None);
                return Ok(None);
            }
            Slot::Open(_) | Slot::None => *slot = Slot::None,
        }
        match Session::start(self.opener.as_ref(), &self.tasks, path).await {
            Ok(session) => {
                *slot = Slot::Open(Arc::clone(&session));
                self.clear_left(Some(&session));
                Ok(Some(session))
            }
            Err(NoSession::Absent(why)) => {
                tracing::debug!(target: "system", %why, "files go over plain commands");
                *slot = Slot::Absent;
                Ok(None)
            }
            Err(NoSession::For(error)) => Err(error),
        }
    }

    async fn way(self: &Arc<Self>, path: &Path) -> Result<Way, FilesError> {
        let place = Place::of(path)?;
        if session::text(path).is_none() {
            return Ok(Way::Plain(place));
        }
        let Some(session) = self.session(path).await? else {
            return Ok(Way::Plain(place));
        };
        if matches!(place, Place::Home(_)) && is_mangled(&session.home) {
            return Ok(Way::Plain(place));
        }
        let at = place.clone().at(Path::new(&session.home));
        Ok(match at.to_str() {
            Some(at) => Way::Sftp(session, at.to_owned()),
            None => Way::Plain(place),
        })
    }

    /// A place among the files that are open at once.
    async fn place(&self, path: &Path) -> Result<OwnedSemaphorePermit, FilesError> {
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(PLACE_PATIENCE, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(FilesError::failed(
                path,
                "open it",
                "no more is done on the host",
            )),
            Err(_) => Err(FilesError::TooSlow {
                path: path.to_owned(),
                what: "wait for another file to be closed",
                within: PLACE_PATIENCE,
            }),
        }
    }

    /// Remembers a file that could not be removed.
    fn leave(&self, path: PathBuf) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() == MAX_LEFT {
            left.pop_front();
        }
        left.push_back(path);
    }

    /// Removes what could not be removed before.
    fn clear_left(self: &Arc<Self>, session: Option<&Arc<Session>>) {
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        if left.is_empty() {
            return;
        }
        let (shared, session) = (Arc::clone(self), session.cloned());
        self.tasks.spawn(async move {
            for path in left {
                let _gone = match (&session, path.to_str()) {
                    (Some(session), Some(text)) => {
                        let asked = session.raw().remove(text);
                        session.ask(&path, "remove it", asked).await.map(drop)
                    }
                    _ => shared.plain_forget(&path).await,
                };
            }
        });
    }

    /// The digest of a file, made there, or here where the host cannot.
    async fn digest(self: &Arc<Self>, path: &Path) -> Result<Digest, FilesError> {
        // The two ways may begin at different directories.
        let place = match self.way(path).await? {
            Way::Sftp(_, at) => Place::Root(at.into()),
            Way::Plain(place) => place,
        };
        match self.plain_digest(path, &place).await {
            Err(FilesError::NoWay { .. }) => {}
            made => return made,
        }
        let mut source = self.read(path, Read::default()).await?;
        let mut hasher = Sha256::new();
        while let Some(piece) = source.next().await? {
            hasher.update(&piece);
        }
        Ok(Digest(hasher.finalize().into()))
    }

    async fn read(
        self: &Arc<Self>,
        path: &Path,
        what: Read,
    ) -> Result<Box<dyn Source>, FilesError> {
        match self.way(path).await? {
            Way::Sftp(session, at) => Ok(Box::new(self.sftp_read(&session, &at, what).await?)),
            Way::Plain(place) => Ok(Box::new(self.plain_read(path, &place, what).await?)),
        }
    }

    async fn sftp_read(
        &self,
        session: &Arc<Session>,
        at: &str,
        what: Read,
    ) -> Result<SftpSource, FilesError> {
        let path = Path::new(at);
        let place = self.place(path).await?;
        // Before it is opened: a pipe would hold up the server.
        let stat = session.stat(at, true).await?;
        if stat.kind != Kind::File {
            return Err(FilesError::unfit(path, stat.kind));
        }
        let handle = session
            .open(at, OpenFlags::READ, FileAttributes::empty())
            .await?;
        let stat = handle.stat(path).await?;
        Ok(SftpSource::new(path.to_owned(), handle, stat, what, place))
    }

    async fn sftp_list(
        &self,
        session: &Arc<Session>,
        at: &str,
        most: usize,
    ) -> Result<Listing, FilesError> {
        let path = Path::new(at);
        let _place = self.place(path).await?;
        let handle = match session.open_directory(at).await {
            Ok(handle) => handle,
            // OpenSSH says of a file that there is no such directory.
            Err(error @ (FilesError::Failed { .. } | FilesError::NotFound { .. })) => {
                return Err(match session.found(at, true).await? {
                    Some(stat) if stat.kind != Kind::Directory => FilesError::NotDirectory {
                        path: path.to_owned(),
                    },
                    _ => error,
                });
            }
            Err(error) => return Err(error),
        };
        let (mut entries, mut more) = (Vec::new(), false);
        while !more {
            let asked = async {
                match session.raw().readdir(handle.name()).await {
                    Err(Error::Status(status)) if status.status_code == StatusCode::Eof => Ok(None),
                    answer => answer.map(Some),
                }
            };
            let Some(answer) = session.ask(path, "list it", asked).await? else {
                break;
            };
            for file in answer.files {
                if file.filename == "." || file.filename == ".." {
                    continue;
                }
                if entries.len() == most {
                    more = true;
                    break;
                }
                entries.push(Entry {
                    stat: stat_of(&file.attrs),
                    name: file.filename.into(),
                });
            }
        }
        handle.close(path).await?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing { entries, more })
    }

    async fn sftp_remove(&self, session: &Session, at: &str) -> Result<(), FilesError> {
        let path = Path::new(at);
        let what = "remove it";
        if session.stat(at, false).await?.kind != Kind::Directory {
            let asked = session.raw().remove(at);
            return session.ask(path, what, asked).await.map(drop);
        }
        match session.ask(path, what, session.raw().rmdir(at)).await {
            // There is no code for a directory that has something in it.
            Err(error @ FilesError::Failed { .. }) => Err(match self.is_empty(session, at).await {
                Ok(false) => FilesError::NotEmpty {
                    path: path.to_owned(),
                },
                _ => error,
            }),
            removed => removed.map(drop),
        }
    }

    async fn is_empty(&self, session: &Session, at: &str) -> Result<bool, FilesError> {
        let path = Path::new(at);
        let what = "list it";
        let handle = session.ask(path, what, session.raw().opendir(at)).await?;
        let asked = session.raw().readdir(handle.handle.as_str());
        let first = session.ask(path, what, asked).await;
        let asked = session.raw().close(handle.handle.as_str());
        session.ask(path, what, asked).await?;
        let names = first?.files;
        Ok(names
            .iter()
            .all(|file| file.filename == "." || file.filename == ".."))
    }

    async fn sftp_make_directory(
        &self,
        session: &Session,
        at: &str,
        mode: Option<u32>,
    ) -> Result<(), FilesError> {
        // Upwards to what is there, then down again.
        let mut missing = Vec::new();
        for path in Path::new(at).ancestors() {
            let Some(text) = path.to_str() else { break };
            match session.found(text, true).await {
                Ok(Some(stat)) if stat.kind == Kind::Directory => break,
                Ok(Some(_)) => {
                    return Err(FilesError::NotDirectory {
                        path: path.to_owned(),
                    });
                }
                Ok(None) => missing.push(path),
                // Something above is a file: the next look says so.
                Err(FilesError::Failed { .. }) => missing.push(path),
                Err(error) => return Err(error),
            }
        }
        while let Some(path) = missing.pop() {
            let Some(text) = path.to_str() else { break };
            let asked = session.raw().mkdir(text, FileAttributes::empty());
            if let Err(error) = session.ask(path, "make it", asked).await {
                // Somebody else may have been as quick.
                let found = session.found(text, true).await?;
                if found.is_none_or(|stat| stat.kind != Kind::Directory) {
                    return Err(error);
                }
                continue;
            }
            if let Some(mode) = mode.filter(|_| missing.is_empty()) {
                let attrs = FileAttributes {
                    permissions: Some(mode & 0o7777),
                    ..FileAttributes::empty()
                };
                let asked = session.raw().setstat(text, attrs);
                session.ask(path, "set its mode", asked).await?;
            }
        }
        Ok(())
    }
}

impl Files for RemoteFiles {
    fn stat(&self, path: &Path, links: Links) -> BoxFuture<'_, Result<Stat, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            match self.shared.way(&path).await? {
                Way::Sftp(session, at) => session.stat(&at, links == Links::Follow).await,
                Way::Plain(place) => self.shared.plain_stat(&path, &place, links).await,
            }
        })
    }

    fn list(&self, path: &Path, most: usize) -> BoxFuture<'_, Result<Listing, FilesError>> {
        let path = path.to_owned();
        let most = most.min(MAX_ENTRIES);
        Box::pin(async move {
            let place = match self.shared.way(&path).await? {
                Way::Sftp(session, at) => {
                    let listing = self.shared.sftp_list(&session, &at, most).await?;
                    let names = listing.entries.iter();
                    let is_whole =
                        |entry: &Entry| entry.name.to_str().is_some_and(|n| !is_mangled(n));
                    if names.clone().all(is_whole) {
                        return Ok(listing);
                    }
                    Place::Root(at.into())
                }
                Way::Plain(place) => place,
            };
            self.shared.plain_list(&path, &place, most).await
        })
    }

    fn read(&self, path: &Path, what: Read) -> BoxFuture<'_, Result<Box<dyn Source>, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move { self.shared.read(&path, what).await })
    }

    fn write(&self, path: &Path, how: Write) -> BoxFuture<'_, Result<Box<dyn Sink>, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let place = match self.shared.way(&path).await? {
                Way::Sftp(session, at) => {
                    match sink::open(&self.shared, session, at.clone(), how.clone()).await {
                        // A link leads to a name that cannot be carried.
                        Err(FilesError::NoWay { .. }) => Place::Root(at.into()),
                        opened => return Ok(Box::new(opened?) as Box<dyn Sink>),
                    }
                }
                Way::Plain(place) => place,
            };
            let sink = plain_sink::open(&self.shared, &path, &place, how).await?;
            Ok(Box::new(sink) as Box<dyn Sink>)
        })
    }

    fn remove(&self, path: &Path) -> BoxFuture<'_, Result<(), FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            match self.shared.way(&path).await? {
                Way::Sftp(session, at) => self.shared.sftp_remove(&session, &at).await,
                Way::Plain(place) => self.shared.plain_remove(&path, &place).await,
            }
        })
    }

    fn make_directory(
        &self,
        path: &Path,
        mode: Option<u32>,
    ) -> BoxFuture<'_, Result<(), FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            match self.shared.way(&path).await? {
                Way::Sftp(session, at) => {
                    self.shared.sftp_make_directory(&session, &at, mode).await
                }
                Way::Plain(place) => self.shared.plain_make_directory(&path, &place, mode).await,
            }
        })
    }

    fn digest(&self, path: &Path) -> BoxFuture<'_, Result<Digest, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move { self.shared.digest(&path).await })
    }
}

/// Closes a channel that nobody uses.
async fn housekeeping(shared: Weak<Shared>, look: Duration) {
    let mut seen = 0;
    loop {
        tokio::time::sleep(look).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let uses = shared.uses.load(Ordering::Relaxed);
        let mut slot = shared.slot.lock().await;
        let is_idle = match &*slot {
            Slot::Open(session) => Arc::strong_count(session) == 1,
            Slot::Absent | Slot::None => true,
        };
        if uses == seen && is_idle {
            *slot = Slot::None;
        }
        seen = uses;
    }
}
