//! A file of a host that is being written over plain commands. One takes the bytes; when it has
//! ended well, another gives the file its name. So input that ends too early, for whatever reason,
//! puts nothing in place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use super::Shared;
use super::command::{Command, parse_stat};
use super::sink::check_found;
use super::words::{self, Finish};
use crate::executor::BoxFuture;
use crate::files::path::{self, Place};
use crate::files::{DEFAULT_MODE, Expect, FilesError, STEP_PATIENCE, Sink, Stat, Write, Written};

/// What is given to the channel at once.
const CHUNK: usize = 32 * 1024;

pub(super) struct PlainSink {
    shared: Arc<Shared>,
    target: PathBuf,
    old: Option<Stat>,
    how: Write,
    at: u64,
    command: Option<Command>,
    unfinished: Option<PathBuf>,
    is_partial: bool,
    _place: OwnedSemaphorePermit,
}

/// Begins a file. By a task, so that it is also cleared away when whoever asked goes away.
pub(super) async fn open(
    shared: &Arc<Shared>,
    path: &Path,
    place: &Place,
    how: Write,
) -> Result<PlainSink, FilesError> {
    let permit = shared.place(path).await?;
    let working = shared.tasks.spawn({
        let (shared, path, place) = (Arc::clone(shared), path.to_owned(), place.clone());
        async move { begin(&shared, &path, &place, how, permit).await }
    });
    working
        .await
        .unwrap_or_else(|error| Err(FilesError::failed(path, "begin it", error)))
}

async fn begin(
    shared: &Arc<Shared>,
    path: &Path,
    place: &Place,
    how: Write,
    permit: OwnedSemaphorePermit,
) -> Result<PlainSink, FilesError> {
    let what = "begin it";
    let (target, old) = shared.plain_target(path, place).await?;
    check_found(shared, &target, &how, old.as_ref()).await?;
    let (directory, _) = path::split(&target)?;
    let name = path::temporary(&target, how.partial.as_ref(), shared.entropy.as_ref())?;
    let first = directory.join(name);
    let is_partial = how.partial.is_some();
    let line = words::begin(&first, is_partial);
    let from = how.partial.as_ref().and_then(|partial| partial.from);
    let mut sink = PlainSink {
        shared: Arc::clone(shared),
        target,
        old,
        how,
        at: 0,
        command: None,
        // From here on there may be a file, whatever is heard of it.
        unfinished: Some(first.clone()),
        is_partial,
        _place: permit,
    };
    let mut command = shared.command(&first, &line).await?;
    let said = match command.field(what).await {
        Ok(said) => said,
        Err(FilesError::Exists { .. }) if !is_partial => {
            // Somebody else's, who has guessed the name: not ours to remove.
            sink.unfinished = None;
            return Err(FilesError::Exists { path: first });
        }
        Err(error) => return Err(of_directory(error, &directory)),
    };
    let have = String::from_utf8_lossy(&said).trim().parse().unwrap_or(0);
    let from = from.unwrap_or(have);
    if from > have {
        return Err(FilesError::Partial {
            path: first,
            have,
            from,
        });
    }
    command.go_on();
    command.put(format!("{from}\n").as_bytes(), what).await?;
    sink.command = Some(command);
    sink.at = from;
    Ok(sink)
}

/// The name that was made up says nothing to whoever asked.
fn of_directory(error: FilesError, directory: &Path) -> FilesError {
    let path = directory.to_owned();
    match error {
        FilesError::NotFound { .. } => FilesError::NotFound { path },
        FilesError::PermissionDenied { .. } => FilesError::PermissionDenied { path },
        other => other,
    }
}

impl PlainSink {
    fn broken(&self) -> FilesError {
        FilesError::failed(
            &self.target,
            "go on writing it",
            "an earlier write has failed",
        )
    }

    async fn put(&mut self, mut bytes: Bytes) -> Result<(), FilesError> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(CHUNK));
            let Some(command) = &mut self.command else {
                return Err(self.broken());
            };
            match command.put(&piece, "write it").await {
                Ok(true) => self.at = self.at.saturating_add(piece.len() as u64),
                Ok(false) => {
                    let mut command = self.command.take();
                    return Err(match &mut command {
                        Some(command) => command.fault("write it", STEP_PATIENCE).await,
                        None => self.broken(),
                    });
                }
                Err(error) => {
                    self.command = None;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<Written, FilesError> {
        let what = "finish it";
        let command = self.command.take().ok_or_else(|| self.broken())?;
        let first = self.unfinished.clone().ok_or_else(|| self.broken())?;
        if command.end("write it", STEP_PATIENCE).await? != b"+" {
            return Err(FilesError::failed(
                &self.target,
                "write it",
                "it did not all arrive",
            ));
        }
        if let Some(whole) = self.how.whole
            && self.shared.digest(&first).await? != whole
        {
            // To resume it would never make it right.
            self.is_partial = false;
            return Err(FilesError::Damaged {
                path: self.target.clone(),
            });
        }
        let (_, found) = self
            .shared
            .plain_target(&self.target, &Place::Root(self.target.clone()))
            .await?;
        check_found(&self.shared, &self.target, &self.how, found.as_ref()).await?;
        let old = self.old.as_ref();
        let mode = self
            .how
            .mode
            .or(old.map(|old| old.mode))
            .unwrap_or(DEFAULT_MODE);
        let line = words::finish(&Finish {
            first: &first,
            target: &self.target,
            length: self.at,
            mode,
            bare_mode: self.how.mode.unwrap_or(mode & 0o1777),
            owner: old.and_then(|old| old.owner),
            only_new: self.how.expect == Expect::Absent,
        });
        let mut command = self.shared.command(&self.target, &line).await?;
        let kept = command.field(what).await?;
        let said = command.end(what, STEP_PATIENCE).await?;
        // From here on it has its name.
        self.unfinished = None;
        let stat = parse_stat(&said).ok_or_else(|| {
            FilesError::failed(
                &self.target,
                "look at it",
                "the host's answer is not understood",
            )
        })?;
        Ok(Written {
            path: self.target.clone(),
            stat,
            created: self.old.is_none(),
            owner_kept: kept == b"1",
        })
    }
}

/// Ends what takes the bytes, and removes what they went into.
async fn clear(shared: &Shared, command: Option<Command>, first: PathBuf, is_partial: bool) {
    if let Some(command) = command {
        let _however = command.end("write it", STEP_PATIENCE).await;
    }
    if is_partial {
        return;
    }
    if let Err(error) = shared.plain_forget(&first).await
        && !matches!(error, FilesError::PermissionDenied { .. })
    {
        shared.leave(first);
    }
}

impl Sink for PlainSink {
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
            if let Some(first) = self.unfinished.take() {
                let (shared, command) = (Arc::clone(&self.shared), self.command.take());
                let is_partial = self.is_partial;
                let clearing = self.shared.tasks.spawn(async move {
                    clear(&shared, command, first, is_partial).await;
                });
                let _late = tokio::time::timeout(STEP_PATIENCE, clearing).await;
            }
        })
    }
}

impl Drop for PlainSink {
    fn drop(&mut self) {
        let Some(first) = self.unfinished.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (shared, command) = (Arc::clone(&self.shared), self.command.take());
            let is_partial = self.is_partial;
            let tasks = self.shared.tasks.clone();
            let clearing = async move { clear(&shared, command, first, is_partial).await };
            let _tracked = tasks.spawn_on(clearing, &runtime);
        }
    }
}
