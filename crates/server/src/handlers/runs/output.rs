//! `GET /api/commands/{id}/output`: what a run wrote, by range.
//!
//! Raw bytes by default, because that is what a command wrote; the numbers stand in headers. A
//! long range is read piece by piece, so that it costs the same memory as a short one.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{Stream as Pieces, stream};
use wharf_api::OutputPage;
use wharf_engine::{OutputChunk, Stream};
use wharf_model::{Caller, RunId};

use crate::error::Failure;
use crate::extract::id::Run;
use crate::extract::query::{Params, size};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Bytes in an answer unless the request says otherwise.
const DEFAULT_BYTES: u64 = 1024 * 1024;
/// Bytes read at once, and the most in an answer that is JSON.
const PIECE_BYTES: u64 = 1024 * 1024;

const TOTAL: HeaderName = HeaderName::from_static("x-output-total");
const NEXT_OFFSET: HeaderName = HeaderName::from_static("x-output-next-offset");
const DROPPED: HeaderName = HeaderName::from_static("x-output-dropped");
const RUNNING: HeaderName = HeaderName::from_static("x-output-running");

/// What a run wrote
///
/// The bytes from `offset`, at most `limit`, while it runs and afterwards. The headers
/// `X-Output-Total`, `X-Output-Next-Offset`, `X-Output-Dropped` and `X-Output-Running` say how much
/// there is, where to go on, how much was written but not kept, and whether more may come. With
/// `Accept: application/json` the same in members, at most 1 MiB at once.
#[utoipa::path(
    get, path = "/api/commands/{id}/output", tag = "commands",
    params(
        ("id" = String, Path, description = "The run's id"),
        ("stream" = Option<String>, Query, description = "`stdout` (when absent) or `stderr`"),
        ("offset" = Option<u64>, Query, minimum = 0, description = "The first byte; 0 when absent"),
        ("limit" = Option<u64>, Query, minimum = 1, description = "Bytes at most; 1 MiB when absent"),
    ),
    responses((status = 200, description = "The range", content(
        (Vec<u8> = "application/octet-stream"), (OutputPage = "application/json")))),
)]
pub(crate) async fn output(
    State(app): State<App>,
    context: Context,
    Run(run): Run,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Failure> {
    let (stream, name) = match params.text("stream") {
        None | Some("stdout") => (Stream::Stdout, "stdout"),
        Some("stderr") => (Stream::Stderr, "stderr"),
        Some(_) => {
            params.wrong("stream", "must be stdout or stderr".to_owned());
            (Stream::Stdout, "stdout")
        }
    };
    let offset = params.number("offset", 0..=u64::MAX, 0);
    let limit = params.number("limit", 1..=u64::MAX, DEFAULT_BYTES);
    params.check()?;
    let mut range = Range {
        app,
        caller: context.caller,
        run,
        stream,
        offset,
        left: limit,
    };
    let first = range.read().await?;
    if reply::asks_for(&headers, "application/json") {
        return reply::json(&page(&range, name, &first));
    }
    Ok(raw(range, first))
}

/// What is still to be read.
struct Range {
    app: App,
    caller: Caller,
    run: RunId,
    stream: Stream,
    offset: u64,
    left: u64,
}

impl Range {
    async fn read(&mut self) -> Result<OutputChunk, Failure> {
        let most = size(self.left.min(PIECE_BYTES));
        let read = self
            .app
            .engine
            .output(&self.caller, &self.run, self.stream, self.offset, most);
        let chunk = read.await?;
        let got = length(&chunk.bytes);
        self.offset = self.offset.saturating_add(got);
        self.left = self.left.saturating_sub(got);
        Ok(chunk)
    }
}

fn raw(range: Range, first: OutputChunk) -> Response {
    let kept = first.total.saturating_sub(first.dropped);
    let rest = kept.saturating_sub(range.offset).min(range.left);
    let next_offset = range.offset.saturating_add(rest);
    let length = length(&first.bytes).saturating_add(rest);
    let body = if rest == 0 {
        Body::from(first.bytes)
    } else {
        let range = Range {
            left: rest,
            ..range
        };
        Body::from_stream(pieces(range, first.bytes))
    };
    let mut response = reply::with_type(HeaderValue::from_static("application/octet-stream"), body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(TOTAL, HeaderValue::from(first.total));
    headers.insert(NEXT_OFFSET, HeaderValue::from(next_offset));
    headers.insert(DROPPED, HeaderValue::from(first.dropped));
    let running = if first.running { "true" } else { "false" };
    headers.insert(RUNNING, HeaderValue::from_static(running));
    response
}

/// The promised bytes. If the journal was swept in between, the answer breaks off, which a client
/// sees because it is shorter than its length.
fn pieces(range: Range, first: Bytes) -> impl Pieces<Item = Result<Bytes, std::io::Error>> {
    stream::unfold((range, Some(first)), |(mut range, first)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (range, None)));
        }
        if range.left == 0 {
            return None;
        }
        let piece = match range.read().await {
            Ok(chunk) if !chunk.bytes.is_empty() => Ok(chunk.bytes),
            _ => {
                range.left = 0;
                Err(std::io::Error::other("the output is gone"))
            }
        };
        Some((piece, (range, None)))
    })
}

fn page(range: &Range, name: &str, chunk: &OutputChunk) -> OutputPage {
    let text = std::str::from_utf8(&chunk.bytes).ok().map(str::to_owned);
    let base64 = text.is_none().then(|| BASE64_STANDARD.encode(&chunk.bytes));
    OutputPage {
        command_id: range.run.to_string(),
        stream: name.to_owned(),
        offset: range.offset.saturating_sub(length(&chunk.bytes)),
        next_offset: range.offset,
        total: chunk.total,
        dropped: chunk.dropped,
        running: chunk.running,
        text,
        base64,
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
