//! The log as its callers hold it.

use std::fmt;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use super::AuditError;
use super::disk::{Disk, RealDisk};
use super::entry::{Entry, FRAME_BYTES_MAX, Head, Position};
use super::limits::{
    CLOSE_ROOM_BYTES, KIND_BYTES_MAX, LINE_BYTES_MAX, RESERVE_BYTES, SEGMENT_BYTES,
};
use super::lock::{self, Lock};
use super::recover::{Recovery, recover};
use super::sync::GroupCommit;
use super::writer::{Purpose, Writer};

/// What an acknowledged entry survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A crash of the process.
    #[default]
    Process,
    /// A power cut, for entries that were waited for.
    Full,
}

/// How a log is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What an acknowledged entry survives.
    pub durability: Durability,
    /// Size in bytes at which a new file is begun.
    pub segment_bytes: u64,
    /// Step in bytes in which room is taken ahead.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Process,
            segment_bytes: SEGMENT_BYTES,
            reserve_bytes: RESERVE_BYTES,
        }
    }
}

/// The writing end of the log. Cheap to clone; the directory is free for another writer when the
/// last clone and the last [`CloseRoom`] are gone.
#[derive(Clone)]
pub struct AuditLog {
    shared: Arc<Shared>,
}

struct Shared {
    writer: Mutex<Writer>,
    commit: Option<GroupCommit>,
    appended: Notify,
    // Last, so that it is released after everything else has stopped.
    _lock: Lock,
}

/// Room on the disk for one closing entry. Dropped without use, the room is free again.
#[must_use = "dropping it gives the room back"]
pub struct CloseRoom {
    shared: Arc<Shared>,
    used: bool,
}

impl AuditLog {
    /// Opens the log in `dir`, making it when there is none, and cuts a torn last line.
    ///
    /// # Errors
    /// [`AuditError::InUse`] when somebody else writes it, [`AuditError::Damaged`] when its last
    /// lines do not verify, [`AuditError::Open`] or [`AuditError::Read`] when the disk refuses.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery), AuditError> {
        Self::open_on(dir, options, || Box::new(RealDisk))
    }

    pub(super) fn open_on(
        dir: &Path,
        options: Options,
        disk: impl Fn() -> Box<dyn Disk>,
    ) -> Result<(Self, Recovery), AuditError> {
        let failed = |source| AuditError::Open {
            path: dir.to_owned(),
            source,
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed)?;
        let lock = lock::take(dir)?;
        let (writer, recovery) = recover(dir, options, disk())?;
        let commit = match options.durability {
            Durability::Process => None,
            Durability::Full => {
                let file = Arc::clone(&writer.file);
                disk().sync_dir(dir).map_err(failed)?;
                Some(GroupCommit::start(disk(), file, writer.head.seq).map_err(failed)?)
            }
        };
        let (writer, appended) = (Mutex::new(writer), Notify::new());
        Ok((
            Self {
                shared: Arc::new(Shared {
                    writer,
                    commit,
                    appended,
                    _lock: lock,
                }),
            },
            recovery,
        ))
    }

    /// Appends an entry that stands alone. `body` must serialise to an object without the members
    /// of the chain (`seq`, `time`, `kind`, `prev`, `hash`).
    ///
    /// # Errors
    /// Any; nothing of the entry remains then.
    pub fn append(
        &self,
        kind: &str,
        time_ms: i64,
        body: &impl Serialize,
    ) -> Result<Entry, AuditError> {
        self.shared.append(Purpose::Plain, kind, time_ms, body)
    }

    /// Appends an entry and waits until it is as durable as [`Options::durability`] asks.
    ///
    /// # Errors
    /// As [`append`](Self::append); with [`AuditError::Sync`] the entry is written but not safe.
    pub async fn append_durable(
        &self,
        kind: &str,
        time_ms: i64,
        body: &impl Serialize,
    ) -> Result<Entry, AuditError> {
        let entry = self.append(kind, time_ms, body)?;
        self.durable(entry.seq).await?;
        Ok(entry)
    }

    /// Appends an entry that will be closed later, and reserves the room for that.
    ///
    /// # Errors
    /// As [`append`](Self::append): what it announces must not happen then.
    pub fn open_entry(
        &self,
        kind: &str,
        time_ms: i64,
        body: &impl Serialize,
    ) -> Result<(Entry, CloseRoom), AuditError> {
        let entry = self.shared.append(Purpose::Opening, kind, time_ms, body)?;
        Ok((
            entry,
            CloseRoom {
                shared: Arc::clone(&self.shared),
                used: false,
            },
        ))
    }

    /// Reserves room for closing an entry that an earlier process has opened.
    ///
    /// # Errors
    /// [`AuditError::NoSpace`] when there is none.
    pub fn reserve_close(&self) -> Result<CloseRoom, AuditError> {
        self.shared.writer().promise()?;
        Ok(CloseRoom {
            shared: Arc::clone(&self.shared),
            used: false,
        })
    }

    /// Appends the closing entry for which `room` was reserved. On an error the room is kept, so
    /// that it can be tried again; once used, a second call appends as [`append`](Self::append).
    ///
    /// # Errors
    /// As [`append`](Self::append), but never for lack of space if the line is at most
    /// [`CLOSE_ROOM_BYTES`] long.
    pub fn close_entry(
        &self,
        room: &mut CloseRoom,
        kind: &str,
        time_ms: i64,
        body: &impl Serialize,
    ) -> Result<Entry, AuditError> {
        let ours = Arc::ptr_eq(&room.shared, &self.shared) && !room.used;
        let purpose = if ours {
            Purpose::Closing
        } else {
            Purpose::Plain
        };
        let entry = self.shared.append(purpose, kind, time_ms, body)?;
        room.used |= ours;
        Ok(entry)
    }

    /// Waits until entry `seq` is as durable as [`Options::durability`] asks: at once for
    /// [`Durability::Process`], after a flush shared with others for [`Durability::Full`].
    ///
    /// # Errors
    /// [`AuditError::Sync`] when the disk refused to flush.
    pub async fn durable(&self, seq: u64) -> Result<(), AuditError> {
        match &self.shared.commit {
            None => Ok(()),
            Some(commit) => commit.durable(seq).await,
        }
    }

    /// The last entry.
    #[must_use]
    pub fn head(&self) -> Head {
        self.shared.writer().head
    }

    /// The end of the log.
    #[must_use]
    pub fn position(&self) -> Position {
        self.shared.writer().position()
    }

    /// Waits until something was appended since the last time this returned. For one waiter: the
    /// projector's loop.
    pub async fn appended(&self) {
        self.shared.appended.notified().await;
    }
}

impl Shared {
    fn append(
        &self,
        purpose: Purpose,
        kind: &str,
        time_ms: i64,
        body: &impl Serialize,
    ) -> Result<Entry, AuditError> {
        let json = body_json(kind, body)?;
        let members = json.get(1..json.len() - 1).unwrap_or_default();
        let entry = {
            let mut writer = self.writer();
            if let Some(commit) = &self.commit {
                commit.check()?;
            }
            let entry = writer.append(purpose, time_ms, kind, members)?;
            if let Some(commit) = &self.commit {
                commit.wrote(&writer.file, entry.seq);
            }
            entry
        };
        self.appended.notify_one();
        Ok(entry)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic under the lock cannot leave half an entry: the state changes after the write.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CloseRoom {
    fn drop(&mut self) {
        if !self.used {
            let mut writer = self.shared.writer();
            writer.promised = writer.promised.saturating_sub(CLOSE_ROOM_BYTES);
        }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("head", &self.head())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CloseRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloseRoom")
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}

/// The body as JSON, known to fit on a line and not to speak for the chain. Outside of the lock.
fn body_json(kind: &str, body: &impl Serialize) -> Result<Vec<u8>, AuditError> {
    let refused = |reason: String| AuditError::Body {
        kind: kind.to_owned(),
        reason,
    };
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if kind.is_empty() || kind.len() > KIND_BYTES_MAX || !kind.bytes().all(plain) {
        return Err(refused("the kind is not a short word".to_owned()));
    }
    let json = serde_json::to_vec(body).map_err(|error| refused(error.to_string()))?;
    if !json.starts_with(b"{") {
        return Err(refused("it is not an object".to_owned()));
    }
    if json.len() + kind.len() + FRAME_BYTES_MAX > LINE_BYTES_MAX {
        return Err(refused(format!(
            "it is longer than a line of {LINE_BYTES_MAX} bytes"
        )));
    }
    // Raw JSON in a body may hold line breaks, which nothing else that serialises does.
    if memchr::memchr(b'\n', &json).is_some() {
        return Err(refused("it holds a line break".to_owned()));
    }
    if let Some(name) = chain_member(&json) {
        return Err(refused(format!("it has a member {name}")));
    }
    Ok(json)
}

/// A member of the body that bears a name of the chain. The quick look finds it at any depth; only
/// then is it worth taking the body apart.
fn chain_member(json: &[u8]) -> Option<&'static str> {
    const NAMES: [(&str, &str); 5] = [
        ("seq", "\"seq\""),
        ("time", "\"time\""),
        ("kind", "\"kind\""),
        ("prev", "\"prev\""),
        ("hash", "\"hash\""),
    ];
    let suspects = || {
        NAMES
            .iter()
            .filter(|name| memchr::memmem::find(json, name.1.as_bytes()).is_some())
    };
    suspects().next()?;
    let object: std::collections::HashMap<String, serde::de::IgnoredAny> =
        serde_json::from_slice(json).ok()?;
    suspects()
        .map(|name| name.0)
        .find(|name| object.contains_key(*name))
}
