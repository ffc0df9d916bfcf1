//! Contents by their digest: from this machine where they are here, from the server otherwise.

use std::collections::BTreeSet;

use wharf_client::Error as ClientError;
use wharf_sync::plan::Contents;
use wharf_sync::profile::{Digest, Manifest};
use wharf_sync::select::Selection;

use super::patience::patiently;
use super::session::{Session, There, away};
use super::shelf::Shelf;
use crate::error::{CommandError, Kind};

/// The code of the error that the server no longer has what its tree lists: it changed between the
/// tree and the contents, and another look will see it.
const MOVED: &str = "moved_on";
/// How often it is looked because the server changes between its tree and the contents.
const LOOKS_MAX: usize = 5;

/// Where contents may be on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Near<'a> {
    pub(super) here: Option<&'a Selection>,
    pub(super) shelf: Option<&'a Shelf>,
    pub(super) fresh: Option<&'a Contents>,
}

/// Does something, and again where what the server has changed between its tree and the contents. It
/// is told how often it was done before.
///
/// Whatever asks for contents goes through here, and asks for the tree again whenever it is begun
/// again. Nothing is to have been asked of a person, and nothing to have been written, before the
/// contents are there.
///
/// # Errors
/// What it says itself, and that the server does not come to rest.
pub(super) async fn settled<T>(
    mut verb: impl AsyncFnMut(usize) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let mut went = verb(0).await;
    for looks in 1..LOOKS_MAX {
        match &went {
            Err(error) if error.code == MOVED => went = verb(looks).await,
            _ => break,
        }
    }
    went
}

/// Those contents, each of which is what its digest says. [`settled`] begins again where the server
/// no longer has them.
pub(super) async fn gather(
    session: &Session<'_>,
    there: &There,
    near: Near<'_>,
    wanted: BTreeSet<Digest>,
) -> Result<Contents, CommandError> {
    let mut contents = find(near, &wanted);
    let mut missing = wanted;
    missing.retain(|digest| !contents.contains_key(digest));
    if missing.is_empty() {
        return Ok(contents);
    }
    let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let asked = patiently(&session.cx.ui, async || {
        session.client.profile_blobs(None, list.clone()).await
    });
    let mut blobs = asked.await.map_err(moved_or_away)?;
    while let Some(blob) = blobs.next().await.map_err(away)? {
        let digest = Digest::from_bytes(blob.sha256);
        if Digest::of(&blob.bytes) != digest {
            let what = "what arrived is not what was announced (its SHA-256 differs)";
            return Err(wrong(&there.manifest, &digest, what));
        }
        if missing.remove(&digest) {
            contents.insert(digest, blob.bytes.as_ref().into());
        }
    }
    match missing.first() {
        Some(digest) => Err(wrong(&there.manifest, digest, "its content did not arrive")),
        None => Ok(contents),
    }
}

fn moved_or_away(error: ClientError) -> CommandError {
    let problem = error.problem();
    if problem.is_none_or(|it| it.code != "missing_contents") {
        return away(error);
    }
    let text = "what the server has changes faster than it can be fetched";
    let mut moved = CommandError::new(Kind::TryLater, text);
    MOVED.clone_into(&mut moved.code);
    moved.hint("try again in a moment")
}

/// Those that are on this machine.
pub(super) fn find(near: Near<'_>, wanted: &BTreeSet<Digest>) -> Contents {
    let mut contents = Contents::new();
    for (digest, bytes) in near.fresh.into_iter().flatten() {
        if wanted.contains(digest) {
            contents.insert(*digest, bytes.clone());
        }
    }
    if contents.len() < wanted.len()
        && let Some(shelf) = near.shelf
    {
        contents.extend(shelf.read(wanted));
    }
    if let Some(here) = near.here {
        for (path, entry) in here.manifest.iter() {
            let is_wanted = wanted.contains(&entry.sha256) && !contents.contains_key(&entry.sha256);
            // One that changed meanwhile comes from the server.
            if is_wanted && let Ok(bytes) = here.content(path) {
                contents.insert(entry.sha256, bytes.into());
            }
        }
    }
    contents
}

fn wrong(manifest: &Manifest, digest: &Digest, what: &str) -> CommandError {
    let found = manifest.iter().find(|(_, entry)| entry.sha256 == *digest);
    let path = found.map_or("a file", |(path, _)| path.as_str());
    CommandError::failed(format!("{path}: {what}"))
        .hint("nothing was written; whoever looks after the server should know")
}
