//! `POST /api/v1/profile/blobs`.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use wharf_api::FieldError;
use wharf_api::profile::{BLOBS_TYPE, BlobsRequest};
use wharf_profiles::frames::{self, HEADER};
use wharf_profiles::limits::{BLOBS_MAX, FILE_MAX};
use wharf_profiles::{File, Sha256};

use crate::error::Failure;
use crate::extract::json;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::reply;
use crate::room::Held;
use crate::state::App;

/// Hashes that are no hashes and are named in one answer.
const WRONG_SHOWN: usize = 20;

/// Contents by hash
///
/// Each of them once, as `application/x-wharf-blobs`: for each its size (4 bytes, big endian), its
/// SHA-256 (32 bytes), its bytes. Without `profile` those of what applies to who asks; with it those
/// of any version of that profile. What applied until a moment ago may be found still. Where some are
/// not there the answer is 422 with their hashes in `missing`: the tree has to be read again.
#[utoipa::path(
    post, path = "/api/v1/profile/blobs", tag = "configuration", request_body = BlobsRequest,
    params(("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; what applies when absent")),
    responses(
        (status = 200, description = "The contents", body = Vec<u8>, content_type = "application/x-wharf-blobs"),
    ),
)]
pub(crate) async fn blobs(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<BlobsRequest>(&app, request).await?;
    let hashes = parse(&wire)?;
    let asker = Asker::of(&app, &context.caller).await?;
    let profiles = &asker.configuration.profiles;
    let caller = context.caller.name();
    let (found, room) = match params.text("profile") {
        Some(profile) => {
            let owner = asker.reads(profile)?;
            let tree = profiles.tree(&owner, None).await?;
            let room = app
                .answers
                .take(caller, size(&hashes, tree.files.iter()))
                .await?;
            (profiles.blobs(&owner, hashes).await?, room)
        }
        None => {
            let layers = asker.layers()?;
            let view = profiles.view(&layers).await?;
            let files = view.files.iter().map(|it| &it.file);
            let room = app.answers.take(caller, size(&hashes, files)).await?;
            (profiles.view_blobs(&layers, hashes).await?, room)
        }
    };
    let length: usize = found.iter().map(|(_, it)| HEADER + it.len()).sum();
    let body = Body::from_stream(framed(found, room));
    let mut response = reply::with_type(HeaderValue::from_static(BLOBS_TYPE), body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

fn parse(wire: &BlobsRequest) -> Result<Vec<Sha256>, Failure> {
    if wire.sha256.len() > BLOBS_MAX {
        let message = format!("must be at most {BLOBS_MAX}");
        return Err(Failure::invalid_field("sha256", message));
    }
    let mut hashes = Vec::with_capacity(wire.sha256.len());
    let mut wrong = Vec::new();
    for (place, text) in wire.sha256.iter().enumerate() {
        match Sha256::parse(text) {
            Some(hash) => hashes.push(hash),
            None if wrong.len() < WRONG_SHOWN => wrong.push(FieldError {
                field: format!("sha256[{place}]"),
                message: "must be 64 hexadecimal digits".to_owned(),
            }),
            None => {}
        }
    }
    if wrong.is_empty() {
        Ok(hashes)
    } else {
        Err(Failure::invalid(wrong))
    }
}

/// The most that the contents with these hashes may be, so that there is room for them before they
/// are read. One of an older version may have any size.
fn size<'a>(hashes: &[Sha256], files: impl Iterator<Item = &'a File>) -> usize {
    let sizes: HashMap<Sha256, u64> = files.map(|file| (file.sha256, file.size)).collect();
    let size = |hash| sizes.get(hash).copied().unwrap_or(FILE_MAX as u64);
    let all: u64 = hashes.iter().map(size).sum();
    usize::try_from(all).unwrap_or(usize::MAX)
}

/// The contents, each behind its header. The room is theirs until all is sent.
fn framed(
    found: Vec<(Sha256, Bytes)>,
    room: Held,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let frames = found.into_iter().flat_map(move |(hash, content)| {
        let _held = &room;
        [frames::header(&hash, &content), content]
    });
    stream::iter(frames.map(Ok))
}
