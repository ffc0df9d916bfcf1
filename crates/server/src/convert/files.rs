//! How requests name files, and what is said of them.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wharf_api as api;
use wharf_engine::files::{Digest, Entry, FileRequest, Kind, Listing, Stat};
use wharf_engine::request::Access;
use wharf_model::{SessionId, Target, Timestamp};

use crate::convert::fields::MAX_PATH_BYTES;
use crate::convert::request::MAX_TOKEN_BYTES;
use crate::error::Failure;
use crate::extract::query::Params;

/// Says yes, as `confirmation_token` does in a body.
pub(crate) const CONFIRMATION: &str = "x-confirmation-token";
/// The digest of the whole content (RFC 9530).
const REPR_DIGEST: &str = "repr-digest";

/// Before the digest of the whole in the name of a partial file.
const PARTIAL_PREFIX: &str = ".wharf-part-";
/// Digits of the digest in that name.
const PARTIAL_DIGITS: usize = 24;

/// Which file, by the query and the headers.
pub(crate) fn request(params: &mut Params, headers: &HeaderMap) -> FileRequest {
    let path = params.text("path").unwrap_or_default().to_owned();
    if path.is_empty() {
        params.wrong("path", "is needed".to_owned());
    } else if path.len() > MAX_PATH_BYTES {
        params.wrong("path", format!("must have at most {MAX_PATH_BYTES} bytes"));
    } else if path.contains('\0') {
        params.wrong("path", "must not hold a NUL character".to_owned());
    }
    let session = params.text("session_id").map(SessionId::parse);
    let session = match session.transpose() {
        Ok(session) => session,
        Err(error) => {
            params.wrong("session_id", error.to_string());
            None
        }
    };
    if session.is_some() && params.text("target").is_some() {
        let message = "must be left out where session_id is given: a session has its own";
        params.wrong("target", message.to_owned());
    }
    let target = match params
        .text("target")
        .map_or(Ok(Target::Local), Target::parse)
    {
        Ok(target) => target,
        Err(error) => {
            params.wrong("target", error.to_string());
            Target::Local
        }
    };
    let token = headers
        .get(CONFIRMATION)
        .and_then(|value| value.to_str().ok());
    if token.is_some_and(|token| token.len() > MAX_TOKEN_BYTES) {
        params.wrong(
            CONFIRMATION,
            format!("must have at most {MAX_TOKEN_BYTES} bytes"),
        );
    }
    FileRequest {
        session,
        target,
        access: Access::default(),
        path: path.into(),
        confirmation: token.map(str::to_owned),
    }
}

/// Changes with the file, as far as size and time tell.
pub(crate) fn etag(stat: &Stat) -> String {
    let time = stat.modified.map_or(0, Timestamp::millis);
    format!("\"{:x}-{time:x}\"", stat.size)
}

/// What an [`etag`] stands for.
pub(crate) fn unetag(text: &str) -> Option<(u64, Option<Timestamp>)> {
    let (size, time) = text
        .trim()
        .strip_prefix('"')?
        .strip_suffix('"')?
        .split_once('-')?;
    let size = u64::from_str_radix(size, 16).ok()?;
    let time = i64::from_str_radix(time, 16).ok()?;
    Some((size, (time != 0).then(|| Timestamp::from_millis(time))))
}

/// The SHA-256 that a client gives of the whole content.
pub(crate) fn digest(headers: &HeaderMap) -> Result<Option<Digest>, Failure> {
    let Some(value) = headers.get(REPR_DIGEST) else {
        return Ok(None);
    };
    let wrong = || Failure::invalid_field(REPR_DIGEST, "must be sha-256=:BASE64:");
    let text = value.to_str().map_err(|_| wrong())?;
    let base64 = text
        .split(',')
        .find_map(|part| part.trim().strip_prefix("sha-256=:")?.strip_suffix(':'))
        .ok_or_else(wrong)?;
    let bytes = BASE64_STANDARD.decode(base64).map_err(|_| wrong())?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
    Ok(Some(Digest(bytes)))
}

/// How the partial file of a transfer that can be resumed is called.
pub(crate) fn partial_name(digest: &Digest) -> String {
    let digits = digest.to_string();
    let digits = digits.get(..PARTIAL_DIGITS).unwrap_or_default();
    format!("{PARTIAL_PREFIX}{digits}")
}

/// The same, by the digest's digits.
pub(crate) fn partial(digits: &str) -> Option<String> {
    Digest::parse(digits).as_ref().map(partial_name)
}

/// What is said of a file in headers.
pub(crate) fn describe(headers: &mut HeaderMap, stat: &Stat) {
    if let Ok(tag) = HeaderValue::from_str(&etag(stat)) {
        headers.insert(header::ETAG, tag);
    }
    if let Ok(mode) = HeaderValue::from_str(&mode(stat)) {
        headers.insert("x-file-mode", mode);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

fn mode(stat: &Stat) -> String {
    format!("{:04o}", stat.mode)
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}

pub(crate) fn info(path: &Path, stat: &Stat, digest: Option<Digest>) -> api::FileInfo {
    api::FileInfo {
        path: path.to_string_lossy().into_owned(),
        kind: kind(stat.kind).to_owned(),
        size: stat.size,
        mode: mode(stat),
        modified: stat.modified.map(|at| at.to_string()),
        etag: etag(stat),
        sha256: digest.map(|digest| digest.to_string()),
    }
}

pub(crate) fn listing(path: &Path, listing: &Listing) -> api::DirectoryListing {
    api::DirectoryListing {
        path: path.to_string_lossy().into_owned(),
        entries: listing.entries.iter().map(entry).collect(),
        more: listing.more,
    }
}

fn entry(entry: &Entry) -> api::DirectoryEntry {
    let bytes = entry.name.as_bytes();
    let lossy = std::str::from_utf8(bytes).is_err();
    api::DirectoryEntry {
        name: entry.name.to_string_lossy().into_owned(),
        name_base64: lossy.then(|| BASE64_STANDARD.encode(bytes)),
        kind: kind(entry.stat.kind).to_owned(),
        size: entry.stat.size,
        mode: mode(&entry.stat),
        modified: entry.stat.modified.map(|at| at.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_as_it_is_written() {
        let stat = Stat {
            kind: Kind::File,
            size: 77,
            mode: 0o644,
            owner: None,
            modified: Some(Timestamp::from_millis(1_796_027_330_010)),
        };
        assert_eq!(unetag(&etag(&stat)), Some((77, stat.modified)));
        for wrong in ["", "*", "77-1", "\"77\"", "\"x-y\"", "W/\"1-1\""] {
            assert_eq!(unetag(wrong), None, "{wrong}");
        }
    }
}
