//! A file of a host that is being read over SFTP: as much as a window has is asked for ahead.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use super::session::Handle;
use crate::executor::BoxFuture;
use crate::files::{FilesError, Read, Source, Stat, WINDOW_BYTES, within};

pub(super) struct SftpSource {
    path: PathBuf,
    handle: Arc<Handle>,
    stat: Stat,
    /// What is asked for next.
    at: u64,
    /// Where to stop asking.
    end: u64,
    /// The length is known.
    is_sized: bool,
    asked: FuturesOrdered<BoxFuture<'static, Result<Piece, Error>>>,
    steady: bool,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

struct Piece {
    bytes: Vec<u8>,
    is_last: bool,
}

impl SftpSource {
    pub(super) fn new(
        path: PathBuf,
        handle: Handle,
        stat: Stat,
        what: Read,
        place: OwnedSemaphorePermit,
    ) -> Self {
        // Files of /proc say 0 and have content.
        let is_sized = stat.size > 0;
        let wanted = what.from.saturating_add(what.most.unwrap_or(u64::MAX));
        Self {
            path,
            handle: Arc::new(handle),
            at: what.from,
            end: if is_sized {
                wanted.min(stat.size)
            } else {
                wanted
            },
            is_sized,
            stat,
            asked: FuturesOrdered::new(),
            steady: what.steady,
            is_over: false,
            _place: place,
        }
    }

    /// Asks for as much as may be on its way.
    fn ask(&mut self) {
        let chunk = self.handle.session().read_chunk;
        // What has no length is read piece by piece, up to its end.
        let most = if self.is_sized {
            (WINDOW_BYTES / chunk).max(1)
        } else {
            1
        };
        while self.at < self.end && self.asked.len() < most {
            let left = usize::try_from(self.end - self.at).unwrap_or(chunk);
            let length = left.min(chunk);
            let piece = piece(Arc::clone(&self.handle), self.at, length);
            self.asked.push_back(Box::pin(piece));
            self.at = self.at.saturating_add(length as u64);
        }
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, FilesError> {
        if !self.is_over {
            self.ask();
            let next = within(&self.path, "read it", async { Ok(self.asked.next().await) });
            if let Some(answer) = next.await? {
                let session = self.handle.session();
                let piece = answer.map_err(|error| session.error(&self.path, "read it", error))?;
                if piece.is_last {
                    self.is_over = true;
                    self.asked.clear();
                }
                if !piece.bytes.is_empty() {
                    return Ok(Some(piece.bytes.into()));
                }
            }
            self.is_over = true;
        }
        if std::mem::take(&mut self.steady) {
            let now = self.handle.stat(&self.path).await?;
            if now.size != self.stat.size || now.modified != self.stat.modified {
                return Err(FilesError::Changed {
                    path: self.path.clone(),
                });
            }
        }
        Ok(None)
    }
}

impl Source for SftpSource {
    fn stat(&self) -> &Stat {
        &self.stat
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, FilesError>> {
        Box::pin(self.next_piece())
    }
}

/// Reads so many bytes, or up to the end: an answer may be shorter than what was asked for.
async fn piece(handle: Arc<Handle>, at: u64, length: usize) -> Result<Piece, Error> {
    let raw = handle.session().raw();
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let from = at.saturating_add(bytes.len() as u64);
        let left = u32::try_from(length - bytes.len()).unwrap_or(u32::MAX);
        match raw.read(handle.name(), from, left).await {
            Ok(answer) if answer.data.is_empty() || answer.data.len() > left as usize => {
                return Err(Error::UnexpectedPacket);
            }
            Ok(answer) if bytes.is_empty() => bytes = answer.data,
            Ok(answer) => bytes.extend_from_slice(&answer.data),
            Err(Error::Status(status)) if status.status_code == StatusCode::Eof => {
                return Ok(Piece {
                    bytes,
                    is_last: true,
                });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Piece {
        bytes,
        is_last: false,
    })
}
