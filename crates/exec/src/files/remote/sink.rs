//! A file of a host that is being written over SFTP: as much as a window has is on its way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags};
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::session::{Handle, Session, is_mangled};
use crate::executor::BoxFuture;
use crate::files::path::{self, MAX_LINKS};
use crate::files::{
    DEFAULT_MODE, Digest, Expect, FilesError, Kind, Owner, STEP_PATIENCE, Sink, Stat, WINDOW_BYTES,
    Write, Written, expectation, within,
};

pub(super) struct SftpSink {
    shared: Arc<Shared>,
    session: Arc<Session>,
    target: String,
    directory: String,
    old: Option<Stat>,
    how: Write,
    /// Where the next byte goes.
    at: u64,
    /// What is not a whole chunk yet.
    held: Vec<u8>,
    unfinished: Option<Unfinished>,
    broken: bool,
    _place: OwnedSemaphorePermit,
}

/// A file that has not got its name yet, and what is on its way into it.
struct Unfinished {
    first: String,
    handle: Arc<Handle>,
    flying: FuturesUnordered<BoxFuture<'static, Flown>>,
    /// Where the first write begins that has failed.
    hole: Option<u64>,
    is_partial: bool,
}

/// A write that was answered.
struct Flown {
    at: u64,
    length: usize,
    answer: Result<(), Error>,
}

/// Begins a file. By a task, so that it is also cleared away when whoever asked goes away.
pub(super) async fn open(
    shared: &Arc<Shared>,
    session: Arc<Session>,
    path: String,
    how: Write,
) -> Result<SftpSink, FilesError> {
    let place = shared.place(Path::new(&path)).await?;
    let working = shared.tasks.spawn({
        let (shared, path) = (Arc::clone(shared), path.clone());
        async move { begin(&shared, session, &path, how, place).await }
    });
    working
        .await
        .unwrap_or_else(|error| Err(FilesError::failed(Path::new(&path), "begin it", error)))
}

async fn begin(
    shared: &Arc<Shared>,
    session: Arc<Session>,
    path: &str,
    how: Write,
    place: OwnedSemaphorePermit,
) -> Result<SftpSink, FilesError> {
    let (target, old) = follow(&session, path).await?;
    let at = PathBuf::from(&target);
    check_found(shared, &at, &how, old.as_ref()).await?;
    let (directory, _) = path::split(&at)?;
    let name = path::temporary(&at, how.partial.as_ref(), shared.entropy.as_ref())?;
    let first = directory.join(name);
    let (Some(directory), Some(first)) = (directory.to_str(), first.to_str()) else {
        return Err(no_text(&at));
    };
    let (flags, is_partial) = match &how.partial {
        Some(_) => {
            // A link would be followed, and a pipe would hold up the server.
            if let Some(stat) = session.found(first, false).await?
                && stat.kind != Kind::File
            {
                return Err(FilesError::unfit(Path::new(first), stat.kind));
            }
            (OpenFlags::WRITE | OpenFlags::CREATE, true)
        }
        None => (
            OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE,
            false,
        ),
    };
    let opened = session.open(first, flags, mode(0o600)).await;
    let handle = match opened {
        Ok(handle) => Arc::new(handle),
        Err(error) => return Err(why_not_made(&session, &at, directory, error).await),
    };
    let mut sink = SftpSink {
        shared: Arc::clone(shared),
        session,
        directory: directory.to_owned(),
        target,
        old,
        how,
        at: 0,
        held: Vec::new(),
        unfinished: Some(Unfinished {
            first: first.to_owned(),
            handle: Arc::clone(&handle),
            flying: FuturesUnordered::new(),
            hole: None,
            is_partial,
        }),
        broken: false,
        _place: place,
    };
    if is_partial {
        sink.at = resume(
            &handle,
            Path::new(first),
            sink.how.partial.as_ref().and_then(|p| p.from),
        )
        .await?;
    }
    Ok(sink)
}

/// Where a partial file goes on. What is behind that is cut off.
async fn resume(handle: &Handle, first: &Path, from: Option<u64>) -> Result<u64, FilesError> {
    let have = handle.stat(first).await?.size;
    let from = from.unwrap_or(have);
    if from > have {
        return Err(FilesError::Partial {
            path: first.to_owned(),
            have,
            from,
        });
    }
    if from < have {
        handle.set(first, "cut it off", size(from)).await?;
    }
    Ok(from)
}

/// Where the links at the end of a path lead, and what is there.
async fn follow(session: &Session, path: &str) -> Result<(String, Option<Stat>), FilesError> {
    let mut at = path.to_owned();
    for _ in 0..=MAX_LINKS {
        let found = session.found(&at, false).await?;
        if found.as_ref().is_none_or(|stat| stat.kind != Kind::Link) {
            return Ok((at, found));
        }
        let here = Path::new(&at);
        let asked = session.raw().readlink(at.as_str());
        let names = session.ask(here, "follow the link", asked).await?;
        let to = names.files.into_iter().next().map(|file| file.filename);
        let to = to
            .filter(|to| !is_mangled(to))
            .ok_or_else(|| no_text(here))?;
        let linked = path::linked(here, Path::new(&to));
        at = linked.to_str().ok_or_else(|| no_text(here))?.to_owned();
    }
    Err(FilesError::TooManyLinks {
        path: Path::new(path).to_owned(),
    })
}

fn no_text(path: &Path) -> FilesError {
    FilesError::NoWay {
        path: path.to_owned(),
        what: "SFTP cannot carry a name that is not UTF-8".to_owned(),
    }
}

async fn why_not_made(
    session: &Session,
    target: &Path,
    directory: &str,
    error: FilesError,
) -> FilesError {
    let at = Path::new(directory).to_owned();
    match (session.found(directory, true).await, error) {
        // OpenSSH says of a file on the way that there is no such file.
        (Ok(Some(stat)), FilesError::NotFound { .. } | FilesError::Failed { .. })
            if stat.kind != Kind::Directory =>
        {
            FilesError::NotDirectory { path: at }
        }
        // The name that was made up says nothing to whoever asked.
        (_, FilesError::NotFound { .. }) => FilesError::NotFound { path: at },
        (_, FilesError::PermissionDenied { .. }) => FilesError::PermissionDenied { path: at },
        (_, error) => session.why_not_written(target, directory, 1, error).await,
    }
}

/// Holds what was found against what the writer expects there.
pub(super) async fn check_found(
    shared: &Arc<Shared>,
    target: &Path,
    how: &Write,
    found: Option<&Stat>,
) -> Result<(), FilesError> {
    if expectation::judge(target, &how.expect, found)? {
        let digest = shared.digest(target).await?;
        expectation::judge_content(target, &how.expect, digest)?;
    }
    Ok(())
}

impl Unfinished {
    /// Takes in an answer.
    fn settle(&mut self, flown: Flown) -> Result<(), (Error, usize)> {
        let at = flown.at;
        flown.answer.map_err(|error| {
            self.hole = Some(self.hole.map_or(at, |hole| hole.min(at)));
            (error, flown.length)
        })
    }

    /// Closes what is left, and removes it or cuts it to what is whole.
    async fn clear(mut self, shared: &Shared) {
        let session = Arc::clone(self.handle.session());
        let path = PathBuf::from(&self.first);
        if self.is_partial {
            while let Ok(Some(flown)) =
                within(&path, "write it", async { Ok(self.flying.next().await) }).await
            {
                let _known = self.settle(flown);
            }
            if let Some(hole) = self.hole {
                let _lost = self.handle.set(&path, "cut it off", size(hole)).await;
            }
        }
        self.flying.clear();
        let _lost = self.handle.close(&path).await;
        if !self.is_partial {
            let asked = session.raw().remove(self.first.as_str());
            if let Err(FilesError::Lost { .. } | FilesError::TooSlow { .. }) =
                session.ask(&path, "remove it", asked).await
            {
                shared.leave(path);
            }
        }
    }
}

impl SftpSink {
    fn path(&self) -> PathBuf {
        PathBuf::from(&self.target)
    }

    fn unfinished(&mut self) -> Result<&mut Unfinished, FilesError> {
        match &mut self.unfinished {
            Some(unfinished) if !self.broken => Ok(unfinished),
            _ => Err(FilesError::failed(
                Path::new(&self.target),
                "go on writing it",
                "an earlier write has failed",
            )),
        }
    }

    async fn put(&mut self, mut bytes: Bytes) -> Result<(), FilesError> {
        self.unfinished()?;
        let chunk = self.session.write_chunk;
        while !bytes.is_empty() {
            let room = chunk.saturating_sub(self.held.len()).max(1);
            let piece = bytes.split_to(bytes.len().min(room));
            self.held.extend_from_slice(&piece);
            self.at = self.at.saturating_add(piece.len() as u64);
            if self.held.len() >= chunk {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Sends what is held, as soon as there is room in the window.
    async fn send(&mut self) -> Result<(), FilesError> {
        let most = (WINDOW_BYTES / self.session.write_chunk).max(1);
        while self.unfinished()?.flying.len() >= most {
            self.settle_one().await?;
        }
        if self.held.is_empty() {
            return Ok(());
        }
        let chunk = Vec::with_capacity(self.session.write_chunk);
        let bytes = std::mem::replace(&mut self.held, chunk);
        let length = bytes.len();
        let at = self.at.saturating_sub(length as u64);
        let unfinished = self.unfinished()?;
        let handle = Arc::clone(&unfinished.handle);
        unfinished.flying.push(Box::pin(async move {
            let raw = handle.session().raw();
            let answer = raw.write(handle.name(), at, bytes).await.map(drop);
            Flown { at, length, answer }
        }));
        // A request is sent when it is first looked at.
        while let Some(Some(flown)) = self.unfinished()?.flying.next().now_or_never() {
            self.settle(flown).await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), FilesError> {
        let path = self.path();
        let unfinished = self.unfinished()?;
        let answered = within(&path, "write it", async {
            Ok(unfinished.flying.next().await)
        });
        match answered.await? {
            Some(flown) => self.settle(flown).await,
            None => Ok(()),
        }
    }

    async fn settle(&mut self, flown: Flown) -> Result<(), FilesError> {
        let Err((error, length)) = self.unfinished()?.settle(flown) else {
            return Ok(());
        };
        self.broken = true;
        let path = self.path();
        let error = self.session.error(&path, "write it", error);
        Err(self
            .session
            .why_not_written(&path, &self.directory, length, error)
            .await)
    }

    async fn commit(mut self: Box<Self>) -> Result<Written, FilesError> {
        let path = self.path();
        self.send().await?;
        while !self.unfinished()?.flying.is_empty() {
            self.settle_one().await?;
        }
        let unfinished = self.unfinished()?;
        let (first, handle) = (unfinished.first.clone(), Arc::clone(&unfinished.handle));
        let owner_kept = self.dress(&handle, &path).await?;
        handle.close(&path).await?;
        if let Some(whole) = self.how.whole {
            self.compare(&path, Path::new(&first), whole).await?;
        }
        let found = self.session.found(&self.target, false).await?;
        check_found(&self.shared, &path, &self.how, found.as_ref()).await?;
        self.rename(&path, &first).await?;
        let stat = self.session.stat(&self.target, false).await?;
        self.unfinished = None;
        Ok(Written {
            path,
            stat,
            created: self.old.is_none(),
            owner_kept,
        })
    }

    /// Gives the file the owner and mode that it is to have, and waits until it is on the disk.
    async fn dress(&mut self, handle: &Handle, path: &Path) -> Result<bool, FilesError> {
        let old = self.old.as_ref();
        let mut bits = self
            .how
            .mode
            .or(old.map(|old| old.mode))
            .unwrap_or(DEFAULT_MODE);
        let mut owner_kept = true;
        if let Some(owner) = old.and_then(|old| old.owner) {
            owner_kept = handle.stat(path).await?.owner == Some(owner);
            if !owner_kept {
                match handle.set(path, "give it to its owner", given(owner)).await {
                    Ok(()) => owner_kept = true,
                    Err(FilesError::PermissionDenied { .. } | FilesError::Failed { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !owner_kept && self.how.mode.is_none() {
            // What ran with its owner's rights must not run with the account's.
            bits &= 0o1777;
        }
        let sync = async {
            if self.session.has_fsync {
                let asked = self.session.raw().fsync(handle.name());
                self.session
                    .ask(path, "bring it to the disk", asked)
                    .await
                    .map(drop)
            } else {
                Ok(())
            }
        };
        let (moded, synced) = tokio::join!(handle.set(path, "set its mode", mode(bits)), sync);
        moded?;
        match synced {
            Err(error @ FilesError::Failed { .. }) => {
                let why = self
                    .session
                    .why_not_written(path, &self.directory, 1, error);
                return Err(why.await);
            }
            other => other?,
        }
        Ok(owner_kept)
    }

    async fn compare(
        &mut self,
        path: &Path,
        first: &Path,
        whole: Digest,
    ) -> Result<(), FilesError> {
        if self.shared.digest(first).await? == whole {
            return Ok(());
        }
        if let Some(unfinished) = &mut self.unfinished {
            // To resume it would never make it right.
            unfinished.is_partial = false;
        }
        Err(FilesError::Damaged {
            path: path.to_owned(),
        })
    }

    async fn rename(&mut self, path: &Path, first: &str) -> Result<(), FilesError> {
        if self.how.expect == Expect::Absent {
            // The plain request replaces nothing.
            let asked = self.session.raw().rename(first, self.target.as_str());
            return match self.session.ask(path, "give it its name", asked).await {
                Err(FilesError::Failed { .. })
                    if self.session.found(&self.target, false).await?.is_some() =>
                {
                    Err(FilesError::Exists {
                        path: path.to_owned(),
                    })
                }
                renamed => renamed,
            }
            .map(drop);
        }
        if self.session.has_posix_rename {
            self.session.replace(first, &self.target).await
        } else {
            // Without the extension SFTP can only remove the old file first.
            self.shared.plain_replace(Path::new(first), path).await
        }
    }
}

impl Sink for SftpSink {
    fn offset(&self) -> u64 {
        self.at
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), FilesError>> {
        Box::pin(self.put(bytes))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Written, FilesError>> {
        Box::pin(self.commit())
    }

    fn abandon(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let _sent = self.send().await;
            if let Some(unfinished) = self.unfinished.take() {
                let shared = Arc::clone(&self.shared);
                let clearing = self
                    .shared
                    .tasks
                    .spawn(async move { unfinished.clear(&shared).await });
                let _late = tokio::time::timeout(STEP_PATIENCE, clearing).await;
            }
        })
    }
}

impl Drop for SftpSink {
    fn drop(&mut self) {
        let Some(unfinished) = self.unfinished.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let shared = Arc::clone(&self.shared);
            let tasks = self.shared.tasks.clone();
            let _tracked = tasks.spawn_on(async move { unfinished.clear(&shared).await }, &runtime);
        }
    }
}

fn mode(bits: u32) -> FileAttributes {
    FileAttributes {
        permissions: Some(bits),
        ..FileAttributes::empty()
    }
}

fn size(bytes: u64) -> FileAttributes {
    FileAttributes {
        size: Some(bytes),
        ..FileAttributes::empty()
    }
}

fn given(owner: Owner) -> FileAttributes {
    FileAttributes {
        uid: Some(owner.uid),
        gid: Some(owner.gid),
        ..FileAttributes::empty()
    }
}
