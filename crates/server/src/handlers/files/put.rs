//! `PUT /api/files`: a file, whole or not at all.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use wharf_api::FileWritten;
use wharf_engine::files::{Expect, Incoming, Partial, Write};

use crate::convert::files;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// How long a sender may be silent in the middle of a file.
const STALL: Duration = Duration::from_secs(60);

/// Write a file
///
/// Whoever reads it sees the old content or the new one. `If-None-Match: *` writes only where there
/// is nothing, `If-Match` only over the file of that `ETag`. With `Repr-Digest: sha-256=:…:` what
/// arrives is compared before the file gets its name, and with `resume=true` as well what arrived of
/// a transfer that broke off is kept: `GET` with `partial` says how much that is, and `Content-Range:
/// bytes FIRST-LAST/SIZE` goes on from there.
#[utoipa::path(
    put, path = "/api/files", tag = "files", request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(
        ("path" = String, Query, description = "Absolute, below `~/`, or from the session's directory"),
        ("target" = Option<String>, Query, description = "`local` (when absent) or `ssh://[USER@]HOST[:PORT]`"),
        ("session_id" = Option<String>, Query, description = "At this session's target, from its directory"),
        ("mode" = Option<String>, Query, description = "Permissions in octal digits; those of the file that is replaced, or 0644, when absent"),
        ("directories" = Option<bool>, Query, description = "Make the directories above it"),
        ("resume" = Option<bool>, Query, description = "Keep what arrived when the rest does not come"),
        ("X-Confirmation-Token" = Option<String>, Header, description = "Says yes, after a 428"),
    ),
    responses(
        (status = 200, description = "It was replaced", body = FileWritten),
        (status = 201, description = "It was made", body = FileWritten),
        (status = 403, description = "Denied by policy, or the account may not",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 412, description = "It is not what was expected",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 428, description = "It needs a yes",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 507, description = "No space is left",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn put(
    State(app): State<App>,
    context: Context,
    mut params: Params,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let asked = files::request(&mut params, headers);
    let directories = params.flag("directories");
    let resume = params.flag("resume");
    let mode = mode(&mut params);
    params.check()?;
    let whole = files::digest(headers)?;
    let range = content_range(headers)?;
    let partial = match (resume, whole) {
        (true, Some(digest)) => Some(Partial {
            name: files::partial_name(&digest).into(),
            from: range.map_or(Some(0), |(first, _)| Some(first)),
        }),
        (true, None) => {
            let message = "is needed to resume: the SHA-256 of the whole";
            return Err(Failure::invalid_field("repr-digest", message));
        }
        (false, _) if range.is_some() => {
            let message = "goes with resume=true";
            return Err(Failure::invalid_field("content-range", message));
        }
        (false, _) => None,
    };
    let how = Write {
        mode,
        expect: expectation(headers)?,
        partial,
        whole,
    };
    let incoming = Box::new(Sent(body));
    let written = app
        .engine
        .write_file(&context.caller, asked, how, directories, incoming);
    let (run, written, digest) = written.await?;
    let answer = FileWritten {
        file: files::info(&written.path, &written.stat, Some(digest)),
        created: written.created,
        owner_kept: written.owner_kept,
        command_id: run.to_string(),
    };
    let mut response = reply::json(&answer)?;
    files::describe(response.headers_mut(), &written.stat);
    if written.created {
        *response.status_mut() = StatusCode::CREATED;
    }
    Ok(response)
}

/// What a client sends, piece by piece.
struct Sent(Body);

impl Incoming for Sent {
    fn next(&mut self) -> wharf_engine::BoxFuture<'_, Result<Option<Bytes>, String>> {
        Box::pin(async move {
            loop {
                let frame = tokio::time::timeout(STALL, self.0.frame()).await;
                let frame = frame.map_err(|_| format!("nothing came for {} s", STALL.as_secs()))?;
                match frame {
                    None => return Ok(None),
                    Some(Err(_)) => return Err("the body broke off".to_owned()),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Ok(Some(data));
                        }
                    }
                }
            }
        })
    }
}

fn mode(params: &mut Params) -> Option<u32> {
    let text = params.text("mode")?.to_owned();
    let digits = text.len() <= 5 && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let mode = digits.then(|| u32::from_str_radix(&text, 8).ok()).flatten();
    let mode = mode.filter(|mode| *mode <= 0o7777);
    if mode.is_none() {
        params.wrong("mode", "must be octal digits, at most 7777".to_owned());
    }
    mode
}

/// The first byte of what is sent, and how many there are in all.
fn content_range(headers: &HeaderMap) -> Result<Option<(u64, u64)>, Failure> {
    let Some(value) = headers.get(header::CONTENT_RANGE) else {
        return Ok(None);
    };
    let wrong = || Failure::invalid_field("content-range", "must be bytes FIRST-LAST/SIZE");
    let text = value.to_str().map_err(|_| wrong())?;
    let rest = text.strip_prefix("bytes ").ok_or_else(wrong)?;
    let (range, size) = rest.split_once('/').ok_or_else(wrong)?;
    let (first, _last) = range.split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    Ok(Some((number(first)?, number(size)?)))
}

/// What must be there before.
fn expectation(headers: &HeaderMap) -> Result<Expect, Failure> {
    let text = |name: header::HeaderName| headers.get(name).map(HeaderValue::to_str);
    match (text(header::IF_NONE_MATCH), text(header::IF_MATCH)) {
        (None, None) => Ok(Expect::Anything),
        (Some(Ok("*")), None) => Ok(Expect::Absent),
        (None, Some(Ok(tag))) => match files::unetag(tag) {
            Some((size, modified)) => Ok(Expect::Unchanged { size, modified }),
            None => Err(Failure::invalid_field(
                "if-match",
                "must be an ETag that was given here",
            )),
        },
        _ => Err(Failure::invalid_field(
            "if-none-match",
            "must be *, without If-Match",
        )),
    }
}
