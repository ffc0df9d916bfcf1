//! One channel with SFTP, shared by all that is done with a host's files.
//!
//! What the library would do and this does not let it: it gives up a request ten seconds after it
//! was asked for, which on a slow line is before its turn (each wait is bounded here instead); it
//! takes a handle for text, which holds as long as there are fewer than 128 of them
//! ([`MAX_OPEN`]); its queue of requests has no bound (whoever asks keeps to a window); and it takes
//! names for text (see [`text`]). Its two tasks end with the channel.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh_sftp::client::error::Error;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use wharf_model::Timestamp;
use wharf_ssh::{Opener, RemoteExit};

use crate::files::{FilesError, Kind, Owner, STEP_PATIENCE, Stat, within};

/// Files that are open at once on a host, listings included. More wait.
pub(super) const MAX_OPEN: usize = 32;
/// From asking for the channel to the first answer on it.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// The library's own limit must not be met: a whole window may be before a request.
const LIBRARY_PATIENCE_SECS: u64 = 24 * 60 * 60;
/// A packet that is longer is none of a server's.
const MAX_PACKET: u32 = 256 * 1024;
/// What every server takes, and what is moved by one request where more is not said.
const SAFE_CHUNK: usize = 32 * 1024;
/// What is moved by one request at the most.
const MAX_CHUNK: usize = 64 * 1024;

/// The bit of a file system that takes no changes.
const READ_ONLY: u64 = 1;

const POSIX_RENAME: &str = "posix-rename@openssh.com";
const FSYNC: &str = "fsync@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const LIMITS: &str = "limits@openssh.com";

pub(super) struct Session {
    raw: RawSftpSession,
    tasks: TaskTracker,
    lost: Arc<AtomicBool>,
    pub(super) home: String,
    pub(super) read_chunk: usize,
    pub(super) write_chunk: usize,
    pub(super) has_posix_rename: bool,
    pub(super) has_fsync: bool,
    has_statvfs: bool,
}

/// Why there is no session.
pub(super) enum NoSession {
    /// The host has no SFTP.
    Absent(String),
    /// For now, or altogether.
    For(FilesError),
}

/// An open file or directory there. It is closed when this is dropped.
pub(super) struct Handle {
    session: Arc<Session>,
    name: String,
    is_closed: AtomicBool,
}

impl Session {
    pub(super) async fn start(
        opener: &dyn Opener,
        tasks: &TaskTracker,
        path: &Path,
    ) -> Result<Arc<Self>, NoSession> {
        match tokio::time::timeout(START_PATIENCE, Self::start_now(opener, tasks, path)).await {
            Ok(started) => started,
            Err(_) => Err(NoSession::For(FilesError::TooSlow {
                path: path.to_owned(),
                what: "start SFTP on the host",
                within: START_PATIENCE,
            })),
        }
    }

    async fn start_now(
        opener: &dyn Opener,
        tasks: &TaskTracker,
        path: &Path,
    ) -> Result<Arc<Self>, NoSession> {
        let channel = match opener.subsystem("sftp").await {
            Ok(channel) => channel,
            Err(error @ wharf_ssh::Error::Channel { .. }) => {
                return Err(NoSession::Absent(error.to_string()));
            }
            Err(error) => return Err(NoSession::For(error.into())),
        };
        let lost = Arc::new(AtomicBool::new(false));
        let (ended, mut end) = oneshot::channel();
        let (exit, is_lost) = (channel.exit, Arc::clone(&lost));
        tasks.spawn(async move {
            let exit = exit.await;
            is_lost.store(true, Ordering::Release);
            let _nobody_asks = ended.send(exit);
        });
        let config = Config {
            max_packet_len: MAX_PACKET,
            request_timeout_secs: LIBRARY_PATIENCE_SECS,
            ..Config::default()
        };
        let stream = tokio::io::join(channel.stdout, channel.stdin);
        let raw = RawSftpSession::new_with_config(stream, config);
        let version = match raw.init().await {
            Ok(version) => version,
            Err(error) => {
                // A server that has no program for it says so by ending at once.
                let end = tokio::time::timeout(STEP_PATIENCE, &mut end).await;
                return Err(match end {
                    Ok(Ok(Ok(RemoteExit::Lost(_)) | Err(_))) => NoSession::For(FilesError::Lost {
                        path: path.to_owned(),
                    }),
                    _ => NoSession::Absent(format!("the host has no SFTP: {error}")),
                });
            }
        };
        let has = |name: &str| version.extensions.contains_key(name);
        let mut session = Self {
            has_posix_rename: has(POSIX_RENAME),
            has_fsync: has(FSYNC),
            has_statvfs: has(STATVFS),
            raw,
            tasks: tasks.clone(),
            lost,
            home: String::new(),
            read_chunk: SAFE_CHUNK,
            write_chunk: SAFE_CHUNK,
        };
        // Both are asked for in one round trip.
        let limits = async {
            if has(LIMITS) {
                session.raw.limits().await.ok()
            } else {
                None
            }
        };
        let (home, limits) = tokio::join!(session.raw.realpath("."), limits);
        if let Some(limits) = limits {
            session.read_chunk = chunk(limits.max_read_len);
            session.write_chunk = chunk(limits.max_write_len);
        }
        let home = home.map_err(|error| NoSession::Absent(error.to_string()))?;
        session.home = match home.files.into_iter().next() {
            Some(file) => file.filename,
            None => return Err(NoSession::Absent("the host names no directory".to_owned())),
        };
        Ok(Arc::new(session))
    }

    /// It can be used no more.
    pub(super) fn is_over(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub(super) const fn raw(&self) -> &RawSftpSession {
        &self.raw
    }

    /// Waits for one answer.
    pub(super) async fn ask<T>(
        &self,
        path: &Path,
        what: &'static str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, FilesError> {
        within(path, what, async {
            answer.await.map_err(|error| self.error(path, what, error))
        })
        .await
    }

    pub(super) fn error(&self, path: &Path, what: &'static str, error: Error) -> FilesError {
        let at = path.to_owned();
        match error {
            Error::Status(status) => match status.status_code {
                StatusCode::NoSuchFile => FilesError::NotFound { path: at },
                StatusCode::PermissionDenied => FilesError::PermissionDenied { path: at },
                StatusCode::NoConnection | StatusCode::ConnectionLost => self.over(path),
                _ => FilesError::failed(path, what, status.error_message),
            },
            Error::IO(_) | Error::UnexpectedBehavior(_) | Error::Timeout => self.over(path),
            other => FilesError::failed(path, what, other),
        }
    }

    fn over(&self, path: &Path) -> FilesError {
        self.lost.store(true, Ordering::Release);
        FilesError::Lost {
            path: path.to_owned(),
        }
    }

    /// What is there; nothing, where nothing is.
    pub(super) async fn found(&self, path: &str, follow: bool) -> Result<Option<Stat>, FilesError> {
        let at = Path::new(path);
        let looked = self.ask(at, "look at it", async {
            if follow {
                self.raw.stat(path).await
            } else {
                self.raw.lstat(path).await
            }
        });
        match looked.await {
            Ok(found) => Ok(Some(stat_of(&found.attrs))),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn stat(&self, path: &str, follow: bool) -> Result<Stat, FilesError> {
        match self.found(path, follow).await? {
            Some(stat) => Ok(stat),
            None => Err(FilesError::NotFound {
                path: Path::new(path).to_owned(),
            }),
        }
    }

    /// Opens a file. The answer is waited for by a task, so that a handle which comes after whoever
    /// asked has gone is closed all the same.
    pub(super) async fn open(
        self: &Arc<Self>,
        path: &str,
        flags: OpenFlags,
        attrs: FileAttributes,
    ) -> Result<Handle, FilesError> {
        let (session, name) = (Arc::clone(self), path.to_owned());
        let opening = self.tasks.spawn(async move {
            let handle = session.raw.open(name, flags, attrs).await?;
            Ok::<_, Error>(Handle::new(session, handle.handle))
        });
        self.opened(path, opening).await
    }

    /// Opens a directory, in the same way.
    pub(super) async fn open_directory(self: &Arc<Self>, path: &str) -> Result<Handle, FilesError> {
        let (session, name) = (Arc::clone(self), path.to_owned());
        let opening = self.tasks.spawn(async move {
            let handle = session.raw.opendir(name).await?;
            Ok::<_, Error>(Handle::new(session, handle.handle))
        });
        self.opened(path, opening).await
    }

    async fn opened(
        &self,
        path: &str,
        opening: tokio::task::JoinHandle<Result<Handle, Error>>,
    ) -> Result<Handle, FilesError> {
        let path = Path::new(path);
        self.ask(path, "open it", async {
            opening
                .await
                .unwrap_or_else(|error| Err(Error::UnexpectedBehavior(error.to_string())))
        })
        .await
    }

    /// Gives `from` the name `to`, whatever has it now.
    pub(super) async fn replace(&self, from: &str, to: &str) -> Result<(), FilesError> {
        let mut names = Vec::with_capacity(from.len().saturating_add(to.len()).saturating_add(8));
        for name in [from, to] {
            let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
            names.extend_from_slice(&length.to_be_bytes());
            names.extend_from_slice(name.as_bytes());
        }
        let renamed = self.ask(Path::new(to), "give it its name", async {
            match self.raw.extended(POSIX_RENAME, names).await? {
                Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
                Packet::Status(status) => Err(Error::Status(status)),
                _ => Err(Error::UnexpectedPacket),
            }
        });
        renamed.await
    }

    /// A failure of a write of so many bytes may be a full disk, for which there is no code.
    pub(super) async fn why_not_written(
        &self,
        path: &Path,
        directory: &str,
        bytes: usize,
        error: FilesError,
    ) -> FilesError {
        if !self.has_statvfs || !matches!(error, FilesError::Failed { .. }) {
            return error;
        }
        let asked = self.ask(path, "look at the disk", self.raw.statvfs(directory));
        match asked.await {
            Ok(disk) if disk.flags & READ_ONLY != 0 => FilesError::ReadOnly {
                path: path.to_owned(),
            },
            Ok(disk) if disk.blocks_avail.saturating_mul(disk.fragment_size) < bytes as u64 => {
                FilesError::NoSpace {
                    path: path.to_owned(),
                }
            }
            _ => error,
        }
    }
}

impl Handle {
    const fn new(session: Arc<Session>, name: String) -> Self {
        Self {
            session,
            name,
            is_closed: AtomicBool::new(false),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(super) async fn stat(&self, path: &Path) -> Result<Stat, FilesError> {
        let asked = self.session.raw.fstat(self.name.as_str());
        let found = self.session.ask(path, "look at it", asked).await?;
        Ok(stat_of(&found.attrs))
    }

    pub(super) async fn set(
        &self,
        path: &Path,
        what: &'static str,
        attrs: FileAttributes,
    ) -> Result<(), FilesError> {
        let asked = self.session.raw.fsetstat(self.name.as_str(), attrs);
        self.session.ask(path, what, asked).await.map(drop)
    }

    /// Closes it, and says whether that went well: some file systems complain only then.
    pub(super) async fn close(&self, path: &Path) -> Result<(), FilesError> {
        // By then the server may have given the handle to another file.
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let asked = self.session.raw.close(self.name.as_str());
        self.session.ask(path, "close it", asked).await.map(drop)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.is_closed.load(Ordering::Relaxed) || self.session.is_over() {
            return;
        }
        let (session, name) = (Arc::clone(&self.session), std::mem::take(&mut self.name));
        let tasks = session.tasks.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let close = async move {
                let _late = tokio::time::timeout(STEP_PATIENCE, session.raw.close(name)).await;
            };
            let _tracked = tasks.spawn_on(close, &runtime);
        }
    }
}

fn chunk(limit: u64) -> usize {
    match usize::try_from(limit) {
        Ok(0) | Err(_) => SAFE_CHUNK,
        Ok(limit) => limit.min(MAX_CHUNK),
    }
}

pub(super) fn stat_of(attrs: &FileAttributes) -> Stat {
    let mode = attrs.permissions.unwrap_or_default();
    let owner = attrs.uid.zip(attrs.gid);
    Stat {
        kind: Kind::of_mode(mode),
        size: attrs.size.unwrap_or_default(),
        mode: mode & 0o7777,
        owner: owner.map(|(uid, gid)| Owner { uid, gid }),
        modified: attrs
            .mtime
            .map(|seconds| Timestamp::from_millis(i64::from(seconds).saturating_mul(1000))),
    }
}

/// A path as the library takes it. Names that are no text go over plain commands.
pub(super) fn text(path: &Path) -> Option<&str> {
    path.to_str()
}

/// A name that the library has made text of although it was none.
pub(super) fn is_mangled(name: &str) -> bool {
    name.contains(char::REPLACEMENT_CHARACTER)
}
