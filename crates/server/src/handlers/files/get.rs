//! `GET /api/files`: a file's bytes or a part of them, and what a file is.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, stream};
use wharf_api::FileInfo;
use wharf_engine::files::{FilesError, Pieces, Read};

use crate::convert::files;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

const COMMAND_ID: HeaderName = HeaderName::from_static("x-command-id");

/// A file
///
/// The bytes of a file, or the part that `Range: bytes=…` names. With `Accept: application/json`
/// what there is; with `digest=true` a file's SHA-256 as well.
/// Judged, decided and recorded as the command that would do it.
#[utoipa::path(
    get, path = "/api/files", tag = "files",
    params(
        ("path" = String, Query, description = "Absolute, below `~/`, or from the session's directory"),
        ("target" = Option<String>, Query, description = "`local` (when absent) or `ssh://[USER@]HOST[:PORT]`"),
        ("session_id" = Option<String>, Query, description = "At this session's target, from its directory"),
        ("digest" = Option<bool>, Query, description = "With the SHA-256, in JSON"),
        ("partial" = Option<String>, Query, description = "What arrived of a transfer that broke off, by the SHA-256 of the whole, in JSON: `size` is where to go on"),
        ("Range" = Option<String>, Header, description = "`bytes=FIRST-LAST`, `bytes=FIRST-`, `bytes=-LENGTH`"),
        ("X-Confirmation-Token" = Option<String>, Header, description = "Says yes, after a 428"),
    ),
    responses(
        (status = 200, description = "The file", content(
            (Vec<u8> = "application/octet-stream"), (FileInfo = "application/json"))),
        (status = 206, description = "The part", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, description = "Denied by policy, or the account may not",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 416, description = "The part is not there",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 428, description = "It needs a yes",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    context: Context,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Failure> {
    let mut request = files::request(&mut params, &headers);
    let partial = params.text("partial").map(files::partial);
    if let Some(None) = &partial {
        params.wrong("partial", "must be 64 hexadecimal digits".to_owned());
    }
    let digest = params.flag("digest");
    params.check()?;
    let caller = &context.caller;
    if let Some(Some(name)) = partial {
        request.path.set_file_name(name);
        let (path, stat, _) = app.engine.look_at_file(caller, request, false).await?;
        return reply::json(&files::info(&path, &stat, None));
    }
    if digest || reply::asks_for(&headers, "application/json") {
        let (path, stat, digest) = app.engine.look_at_file(caller, request, digest).await?;
        return reply::json(&files::info(&path, &stat, digest));
    }
    let wanted = match headers.get(header::RANGE) {
        None => None,
        Some(value) => part(value)?,
    };
    let what = match wanted {
        // How long it is has to be known first.
        Some(Part::Last(length)) => {
            let (_, stat, _) = app
                .engine
                .look_at_file(caller, request.clone(), false)
                .await?;
            Read {
                from: stat.size.saturating_sub(length),
                ..Read::default()
            }
        }
        Some(Part::From(from, most)) => Read {
            from,
            most,
            steady: false,
        },
        None => Read {
            steady: true,
            ..Read::default()
        },
    };
    let reading = app.engine.read_file(caller, request, what).await?;
    let whole = reading.stat.size;
    // Files of /proc say that they are empty, and have content.
    let unknown = whole == 0;
    if wanted.is_some() && !unknown && what.from >= whole {
        return Err(Failure::range_not_there(whole));
    }
    let length = whole
        .saturating_sub(what.from)
        .min(what.most.unwrap_or(u64::MAX));
    let body = Body::from_stream(pieces(reading.pieces));
    let mut response = reply::with_type(HeaderValue::from_static("application/octet-stream"), body);
    let out = response.headers_mut();
    if !unknown {
        out.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    files::describe(out, &reading.stat);
    if let Ok(id) = HeaderValue::from_str(reading.run.as_str()) {
        out.insert(COMMAND_ID, id);
    }
    if wanted.is_some() && !unknown {
        let last = what.from.saturating_add(length).saturating_sub(1);
        let range = format!("bytes {}-{last}/{whole}", what.from);
        if let Ok(range) = HeaderValue::from_str(&range) {
            out.insert(header::CONTENT_RANGE, range);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// From a byte on, at most so many.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

/// What `Range` names. Several ranges at once, and other units, are passed over, as they may be.
fn part(value: &HeaderValue) -> Result<Option<Part>, Failure> {
    let wrong = || Failure::invalid_field("range", "must be bytes=FIRST-LAST, both from 0");
    let text = value.to_str().map_err(|_| wrong())?;
    let Some(range) = text
        .strip_prefix("bytes=")
        .filter(|range| !range.contains(','))
    else {
        return Ok(None);
    };
    let (first, last) = range.trim().split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let part = match (first, last) {
        ("", last) => Part::Last(number(last)?),
        (first, "") => Part::From(number(first)?, None),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            let most = last.checked_sub(first).ok_or_else(wrong)?.checked_add(1);
            Part::From(first, most)
        }
    };
    Ok(Some(part))
}

/// The promised bytes. What breaks off is seen by a client because it is shorter than its length.
fn pieces(pieces: Pieces) -> impl Stream<Item = Result<Bytes, FilesError>> {
    stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.next().await?;
        Some((piece, pieces))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_has_them() {
        let read = |text: &'static str| part(&HeaderValue::from_static(text));
        assert_eq!(read("bytes=0-0").unwrap(), Some(Part::From(0, Some(1))));
        assert_eq!(read("bytes=10-19").unwrap(), Some(Part::From(10, Some(10))));
        assert_eq!(read("bytes=10-").unwrap(), Some(Part::From(10, None)));
        assert_eq!(read("bytes=-5").unwrap(), Some(Part::Last(5)));
        assert_eq!(read("bytes=0-1,3-4").unwrap(), None);
        assert_eq!(read("lines=1-2").unwrap(), None);
        for wrong in ["bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
