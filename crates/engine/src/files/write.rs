//! Writing files, whole or not at all.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wharf_exec::BoxFuture;
use wharf_exec::files::{Digest, FilesError, Write, Written};
use wharf_model::{Caller, RunId};

use super::{Begun, Deed, FileRequest, begin, failure};
use crate::engine::Inner;
use crate::error::Error;
use crate::record;
use crate::whole::Whole;

/// The kind of entry that says what a file has become.
const FILE_WRITTEN: &str = "file.written";

/// Where the content of a file comes from.
pub trait Incoming: Send {
    /// The next bytes; none at the end. An error means that the rest does not come.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, String>>;
}

pub(super) async fn write(
    inner: Arc<Inner>,
    caller: Caller,
    request: FileRequest,
    how: Write,
    directories: bool,
    mut incoming: Box<dyn Incoming>,
) -> Result<(RunId, Written, Digest), Error> {
    // The digest is compared before the file gets its name.
    let content = how.whole.map(|digest| {
        let mode = how.mode.map(|mode| format!("{mode:04o}"));
        format!("{digest} {} {directories}", mode.unwrap_or_default())
    });
    let begun = begin(&inner, &caller, request, Deed::Write, content).await?;
    let engine = Arc::clone(&inner);
    let work = async move {
        let inner = engine;
        let mut bytes = 0;
        let taken = tokio::select! {
            taken = take(&begun, how, directories, incoming.as_mut(), &mut bytes) => taken,
            () = inner.cancelled.cancelled() => Err(Failed::Sender("the server stops".to_owned())),
        };
        let word = taken.as_ref().err().map(|failed| match failed {
            Failed::Files(error) => failure(error),
            Failed::Sender(_) => "abandoned",
        });
        let id = begun.id.clone();
        if let Ok((written, digest)) = &taken {
            note(&inner, &id, written, digest);
        }
        begun.close(&inner, bytes, word).await;
        match taken {
            Ok((written, digest)) => Ok((id, written, digest)),
            Err(Failed::Files(error)) => Err(Error::File(error)),
            Err(Failed::Sender(why)) => Err(Error::invalid("body", why)),
        }
    };
    Whole::new(&inner.tasks, work).await
}

enum Failed {
    Files(FilesError),
    Sender(String),
}

impl From<FilesError> for Failed {
    fn from(error: FilesError) -> Self {
        Self::Files(error)
    }
}

async fn take(
    begun: &Begun,
    how: Write,
    directories: bool,
    incoming: &mut dyn Incoming,
    bytes: &mut u64,
) -> Result<(Written, Digest), Failed> {
    let parent = begun.path.parent().filter(|_| directories);
    if let Some(parent) = parent.filter(|parent| *parent != Path::new("")) {
        begun.files.make_directory(parent, None).await?;
    }
    let whole = how.whole;
    let mut sink = begun.files.write(&begun.path, how).await?;
    let resumed = sink.offset() > 0;
    let mut hash = Sha256::new();
    loop {
        match incoming.next().await {
            Ok(Some(piece)) => {
                hash.update(&piece);
                *bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                sink.write(piece).await?;
            }
            Ok(None) => break,
            Err(why) => {
                sink.abandon().await;
                return Err(Failed::Sender(why));
            }
        }
    }
    let written = sink.finish().await?;
    let digest = match (resumed, whole) {
        (false, _) => Digest(hash.finalize().into()),
        // What was there before did not pass here; it was compared as a whole.
        (true, Some(whole)) => whole,
        (true, None) => begun.files.digest(&written.path).await?,
    };
    Ok((written, digest))
}

/// Records what the file is now.
fn note(inner: &Inner, run: &RunId, written: &Written, digest: &Digest) {
    let file = json!({
        "path": wharf_shell::redact(&written.path.to_string_lossy()),
        "bytes": written.stat.size,
        "mode": format!("{:04o}", written.stat.mode),
        "sha256": digest.to_string(),
        "created": written.created,
    });
    let body = json!({ "run": run.to_string(), "extra": file });
    if let Err(error) = record::note(inner, FILE_WRITTEN, &body) {
        tracing::error!(target: "audit", %run, %error, "what a file has become cannot be recorded");
    }
}
