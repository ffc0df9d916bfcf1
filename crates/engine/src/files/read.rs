//! Reading files and looking at directories.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use wharf_exec::files::{Digest, FilesError, Kind, Links, Listing, Read, Source, Stat};
use wharf_model::{Caller, RunId};

use super::{Begun, Deed, FileRequest, begin, failure};
use crate::engine::Inner;
use crate::error::Error;

/// Pieces that wait for a slow reader.
const PIECES_AHEAD: usize = 4;

/// A file that is being read.
pub struct Reading {
    /// The run under which it is on record.
    pub run: RunId,
    /// Where it is.
    pub path: PathBuf,
    /// What it was when it was opened.
    pub stat: Stat,
    /// Its content.
    pub pieces: Pieces,
}

/// The content, piece by piece. When it is dropped, reading ends.
pub struct Pieces(mpsc::Receiver<Result<Bytes, FilesError>>);

impl Pieces {
    /// The next piece; none at the end. Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Result<Bytes, FilesError>> {
        self.0.recv().await
    }
}

pub(super) async fn read(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: FileRequest,
    what: Read,
) -> Result<Reading, Error> {
    let begun = begin(inner, caller, request, Deed::Read).await?;
    let source = match begun.files.read(&begun.path, what).await {
        Ok(source) => source,
        Err(error) => {
            begun.close(inner, 0, Some(failure(&error))).await;
            return Err(Error::File(error));
        }
    };
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let reading = Reading {
        run: begun.id.clone(),
        path: begun.path.clone(),
        stat: source.stat().clone(),
        pieces: Pieces(receiver),
    };
    let engine = Arc::clone(inner);
    inner.tasks.spawn(async move {
        hand_over(engine, begun, source, sender).await;
    });
    Ok(reading)
}

/// Reads on as long as somebody takes it, and closes the record.
async fn hand_over(
    inner: Arc<Inner>,
    begun: Begun,
    mut source: Box<dyn Source>,
    taker: mpsc::Sender<Result<Bytes, FilesError>>,
) {
    let mut bytes = 0_u64;
    let error = loop {
        let piece = tokio::select! {
            piece = source.next() => piece,
            () = taker.closed() => break Some("abandoned"),
            () = inner.cancelled.cancelled() => break Some("killed"),
        };
        match piece {
            Ok(None) => break None,
            Ok(Some(piece)) => {
                let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                if taker.send(Ok(piece)).await.is_err() {
                    break Some("abandoned");
                }
                bytes = bytes.saturating_add(length);
            }
            Err(error) => {
                let word = failure(&error);
                let _gone = taker.send(Err(error)).await;
                break Some(word);
            }
        }
    };
    drop(source);
    begun.close(&inner, bytes, error).await;
}

pub(super) async fn look(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: FileRequest,
    digest: bool,
) -> Result<(PathBuf, Stat, Option<Digest>), Error> {
    let begun = begin(inner, caller, request, Deed::Look).await?;
    let looked = async {
        let stat = begun.files.stat(&begun.path, Links::Follow).await?;
        let wanted = digest && stat.kind == Kind::File;
        let digest = match wanted {
            true => Some(begun.files.digest(&begun.path).await?),
            false => None,
        };
        Ok((begun.path.clone(), stat, digest))
    };
    let looked = looked.await;
    ended(inner, begun, looked).await
}

pub(super) async fn list(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: FileRequest,
    most: usize,
) -> Result<(PathBuf, Listing), Error> {
    let begun = begin(inner, caller, request, Deed::Look).await?;
    let listed = begun.files.list(&begun.path, most).await;
    let listed = listed.map(|listing| (begun.path.clone(), listing));
    ended(inner, begun, listed).await
}

async fn ended<T>(inner: &Inner, begun: Begun, done: Result<T, FilesError>) -> Result<T, Error> {
    begun
        .close(inner, 0, done.as_ref().err().map(failure))
        .await;
    done.map_err(Error::File)
}
