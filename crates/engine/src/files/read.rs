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
use crate::whole::Whole;

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

/// Whoever asked may go away: the record is closed all the same.
pub(super) async fn read(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: FileRequest,
    what: Read,
) -> Result<Reading, Error> {
    let (engine, caller) = (Arc::clone(inner), caller.clone());
    let work = async move { opened(&engine, &caller, request, what).await };
    Whole::new(&inner.tasks, work).await
}

async fn opened(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: FileRequest,
    what: Read,
) -> Result<Reading, Error> {
    let begun = begin(inner, caller, request, Deed::Read, None).await?;
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
    // The last piece waits for the word that the file has not changed meanwhile: a reader goes away
    // with it.
    let mut held: Option<Bytes> = None;
    let error = loop {
        let piece = tokio::select! {
            piece = source.next() => piece,
            () = taker.closed() => break Some("abandoned"),
            () = inner.cancelled.cancelled() => break Some("killed"),
        };
        let (ready, next) = match piece {
            Ok(None) => (held.take(), None),
            Ok(Some(piece)) => (held.take(), Some(piece)),
            Err(error) => {
                let word = failure(&error);
                let _gone = taker.send(Err(error)).await;
                break Some(word);
            }
        };
        if let Some(piece) = ready {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if taker.send(Ok(piece)).await.is_err() {
                break Some("abandoned");
            }
            bytes = bytes.saturating_add(length);
        }
        match next {
            Some(piece) => held = Some(piece),
            None => break None,
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
    let (engine, caller) = (Arc::clone(inner), caller.clone());
    // A digest tells of the content, so that it is reading.
    let deed = if digest { Deed::Read } else { Deed::Look };
    let work = async move {
        let begun = begin(&engine, &caller, request, deed, None).await?;
        let looked = async {
            let stat = begun.files.stat(&begun.path, Links::Follow).await?;
            let digest = match digest && stat.kind == Kind::File {
                true => Some(begun.files.digest(&begun.path).await?),
                false => None,
            };
            Ok((begun.path.clone(), stat, digest))
        };
        let looked = looked.await;
        ended(&engine, begun, looked).await
    };
    Whole::new(&inner.tasks, work).await
}

pub(super) async fn list(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: FileRequest,
    most: usize,
) -> Result<(PathBuf, Listing), Error> {
    let (engine, caller) = (Arc::clone(inner), caller.clone());
    let work = async move {
        let begun = begin(&engine, &caller, request, Deed::Look, None).await?;
        let listed = begun.files.list(&begun.path, most).await;
        let listed = listed.map(|listing| (begun.path.clone(), listing));
        ended(&engine, begun, listed).await
    };
    Whole::new(&inner.tasks, work).await
}

async fn ended<T>(inner: &Inner, begun: Begun, done: Result<T, FilesError>) -> Result<T, Error> {
    begun
        .close(inner, 0, done.as_ref().err().map(failure))
        .await;
    done.map_err(Error::File)
}
