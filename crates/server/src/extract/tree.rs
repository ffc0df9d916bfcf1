//! `application/x-wharf-tree`: all files of a profile as they are to be, and contents.
//!
//! The size of the manifest (4 bytes, big endian), the manifest in JSON, and contents as
//! `wharf_profiles::frames` has them. Each bound is looked at before the bytes that it is about are
//! read: of a manifest and of a content its announced size, of files their number.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use bytes::{Buf as _, Bytes, BytesMut};
use wharf_api::profile::{ProfileUpload, TREE_TYPE};
use wharf_model::Caller;
use wharf_profiles::Upload;
use wharf_profiles::frames::{Decoder, HEADER};
use wharf_profiles::limits::{FILES_MAX, TREE_MAX};

use super::body::Pieces;
use super::media::{is_packed, says};
use crate::error::Failure;
use crate::state::App;

/// Largest manifest, in bytes: that of as many files as there may be, with long paths.
pub(crate) const MANIFEST_BYTES: usize = 8 * 1024 * 1024;
/// Largest body, in bytes.
pub(crate) const TREE_BYTES: usize = 4 + MANIFEST_BYTES + FILES_MAX * HEADER + TREE_MAX;
/// What bodies may take together, in bytes.
pub(crate) const TREE_BYTES_TOTAL: usize = 2 * TREE_BYTES;

/// From the beginning of a body to its end.
pub(crate) const TREE_TIME: Duration = Duration::from_secs(5 * 60);

/// What was sent, and what is said of it.
pub(crate) struct Sent {
    /// The files and the contents.
    pub(crate) upload: Upload,
    /// What is said of the version; empty where nothing is.
    pub(crate) message: String,
    /// Room for all of it.
    _pieces: Pieces,
}

/// Refuses a body that does not say that it is a tree.
pub(crate) fn is_tree(headers: &HeaderMap) -> Result<(), Failure> {
    if says(headers, TREE_TYPE) && !is_packed(headers) {
        Ok(())
    } else {
        Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "A tree is needed",
            format!("Send the body with `Content-Type: {TREE_TYPE}`, not compressed."),
        ))
    }
}

/// Reads all of it.
pub(crate) async fn read(app: &App, caller: &Caller, body: Body) -> Result<Sent, Failure> {
    let mut pieces = app.trees.open(caller.name(), body).await?;
    let (manifest, rest) = manifest(&mut pieces).await?;
    let wire = parse(&manifest)?;
    drop(manifest);
    let mut upload = Upload::new();
    for file in &wire.files {
        upload.file(&file.path, &file.sha256, file.executable)?;
    }
    let mut decoder = Decoder::new();
    decoder.push(&rest, &mut upload)?;
    drop(rest);
    while let Some(piece) = pieces.next().await? {
        decoder.push(&piece, &mut upload)?;
    }
    decoder.end()?;
    Ok(Sent {
        upload,
        message: wire.message.unwrap_or_default(),
        _pieces: pieces,
    })
}

/// The manifest, and what has arrived behind it.
async fn manifest(pieces: &mut Pieces) -> Result<(Bytes, Bytes), Failure> {
    let mut buffer = BytesMut::new();
    fill(pieces, &mut buffer, 4).await?;
    let size = usize::try_from(buffer.get_u32()).unwrap_or(usize::MAX);
    if size > MANIFEST_BYTES {
        return Err(Failure::body_too_large(MANIFEST_BYTES));
    }
    fill(pieces, &mut buffer, size).await?;
    let manifest = buffer.split_to(size);
    Ok((manifest.freeze(), buffer.freeze()))
}

async fn fill(pieces: &mut Pieces, buffer: &mut BytesMut, size: usize) -> Result<(), Failure> {
    while buffer.len() < size {
        let next = pieces.next().await?;
        let next =
            next.ok_or_else(|| Failure::invalid_field("body", "ends within the manifest"))?;
        buffer.extend_from_slice(&next);
    }
    Ok(())
}

/// One pass, and the first thing that is wrong: a manifest may be too large to look again for each.
fn parse(manifest: &[u8]) -> Result<ProfileUpload, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(manifest);
    let wire = serde_path_to_error::deserialize::<_, ProfileUpload>(&mut reader);
    let wire = wire.map_err(|error| {
        let place = match error.path().to_string() {
            path if path == "." => "manifest".to_owned(),
            path => path.chars().take(80).collect(),
        };
        Failure::invalid_field(&place, "does not have the form of a manifest")
    })?;
    reader
        .end()
        .map_err(|_| Failure::invalid_field("manifest", "has something behind its end"))?;
    Ok(wire)
}
