//! One file, sent as a form (RFC 7578).

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};
use wharf_profiles::error::Error;
use wharf_profiles::limits::CONTENT_MAX;

use super::media::{is_packed, says};
use crate::error::{Failure, sentence};
use crate::state::App;

/// The member that the file is.
const MEMBER: &str = "file";
/// Parts of one form: the file, and what a page may send beside it.
const PARTS_MAX: usize = 16;
/// Largest form, in bytes: the file, and room for what is around it.
pub(crate) const FORM_BYTES: usize = CONTENT_MAX + 64 * 1024;

/// A file that was sent.
pub(crate) struct Sent {
    /// What it is called where it comes from.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) content: Bytes,
}

/// Reads the member `file` of a form.
pub(crate) async fn file(app: &App, headers: &HeaderMap, body: Body) -> Result<Sent, Failure> {
    let boundary = boundary(headers)?;
    let whole = match app.imports.read(body).await {
        Ok(whole) => Bytes::copy_from_slice(&whole),
        Err(failure) if failure.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(refused("The file is larger than 1 MiB."));
        }
        Err(failure) => return Err(failure),
    };
    let limits = SizeLimit::new().whole_stream(FORM_BYTES as u64);
    let constraints = Constraints::new().size_limit(limits);
    let once = stream::once(async { Ok::<_, Infallible>(whole) });
    let mut form = Multipart::with_constraints(once, boundary, constraints);
    let malformed = |_| refused("The form cannot be read.");
    for _ in 0..PARTS_MAX {
        let Some(part) = form.next_field().await.map_err(malformed)? else {
            return Err(refused("The form has no member `file`."));
        };
        if part.name() != Some(MEMBER) {
            continue;
        }
        let name = part.file_name().unwrap_or_default().to_owned();
        let content = part.bytes().await.map_err(malformed)?;
        return Ok(Sent { name, content });
    }
    Err(refused("The form has too many members."))
}

/// 400: this is nothing to import.
pub(crate) fn refused(why: &str) -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        "not_importable",
        "It cannot be imported",
        why,
    )
}

/// What is wrong with a file is a 400 as well, where it is another status elsewhere.
pub(crate) fn unfit(error: Error) -> Failure {
    match error {
        Error::TooLarge { .. } => refused("The file is larger than 1 MiB."),
        Error::Refused(_) => refused(&sentence(&error.to_string())),
        error => error.into(),
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, Failure> {
    let fits = says(headers, "multipart/form-data") && !is_packed(headers);
    let kind = headers.get(CONTENT_TYPE).filter(|_| fits);
    let kind = kind.and_then(|value| value.to_str().ok());
    let boundary = kind.and_then(|kind| multer::parse_boundary(kind).ok());
    boundary.ok_or_else(|| {
        refused("Send the file with `Content-Type: multipart/form-data`, not compressed.")
    })
}
