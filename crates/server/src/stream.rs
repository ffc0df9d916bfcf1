//! Following a run: `text/event-stream`.
//!
//! An event's id is `RUN:STDOUT_OFFSET:STDERR_OFFSET`, the place in both streams behind it, so a
//! client that lost its connection goes on exactly there. Nothing is held in memory between
//! events: what could not be sent yet (half of a UTF-8 sequence) is read again from the journal.
//! Dropping a stream drops the reader; the run does not notice.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use wharf_engine::Stream;
use wharf_model::RunId;

use crate::convert::answer::{self, Wanted};
use crate::convert::text::without_torn_end;
use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// The media type that clients ask for.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";
/// Bytes of a stream in one event.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;
/// The longest event id that is looked at.
const MAX_ID_BYTES: usize = 128;

pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A place in both streams of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) run: RunId,
    pub(crate) stdout: u64,
    pub(crate) stderr: u64,
}

impl Place {
    /// Before the first byte.
    pub(crate) fn start(run: RunId) -> Self {
        Self {
            run,
            stdout: 0,
            stderr: 0,
        }
    }

    /// Where a client says that its stream broke.
    pub(crate) fn resumed(headers: &HeaderMap) -> Result<Option<Self>, Failure> {
        let Some(value) = headers.get(LAST_EVENT_ID) else {
            return Ok(None);
        };
        let place = value.to_str().ok().and_then(Self::parse);
        place.map(Some).ok_or_else(|| {
            Failure::invalid_field("Last-Event-ID", "must be the id of an event of this server")
        })
    }

    fn parse(id: &str) -> Option<Self> {
        if id.len() > MAX_ID_BYTES {
            return None;
        }
        let mut parts = id.splitn(3, ':');
        let run = RunId::parse(parts.next()?).ok()?;
        let (stdout, stderr) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self {
            run,
            stdout,
            stderr,
        })
    }
}

/// What a stream is of, and what its last event says.
pub(crate) struct Follow {
    pub(crate) app: App,
    pub(crate) context: Context,
    pub(crate) place: Place,
    pub(crate) wanted: Wanted,
    /// Whether the first event says that the run has started; a resumed client knows.
    pub(crate) announce: bool,
    /// The run is an earlier one, found by its idempotency key.
    pub(crate) replayed: bool,
}

/// The answer that streams.
pub(crate) fn response(follow: Follow) -> Response {
    let phase = if follow.announce {
        Phase::Announce
    } else {
        Phase::Read
    };
    let reader = Reader {
        follow,
        phase,
        seen: (0, 0),
        silent: false,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok::<_, Infallible>(bytes), reader))
    });
    streamed(Body::from_stream(events))
}

/// An answer whose events are not to be held up on their way.
pub(crate) fn streamed(body: Body) -> Response {
    let kind = HeaderValue::from_static(EVENT_STREAM);
    let mut response = reply::with_type(kind, body);
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-transform"),
    );
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Announce,
    /// More may come.
    Read,
    /// It has ended; what is left is sent.
    Drain,
    Done,
}

struct Reader {
    follow: Follow,
    phase: Phase,
    /// Totals when the streams were last looked at.
    seen: (u64, u64),
    /// The last wait ended without anything new.
    silent: bool,
}

#[derive(Serialize)]
struct Started<'a> {
    command_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Piece<'a> {
    Text(&'a str),
    Base64(String),
}

impl Reader {
    /// The next bytes of the body; none after the last event.
    async fn next(&mut self) -> Option<Bytes> {
        if self.phase == Phase::Done {
            return None;
        }
        let events = match self.step().await {
            Ok(events) => events,
            Err(failure) => {
                self.phase = Phase::Done;
                let document = failure.document(self.follow.context.correlation.as_str());
                self.event("error", &document)
            }
        };
        Some(Bytes::from(events))
    }

    async fn step(&mut self) -> Result<Vec<u8>, Failure> {
        if self.phase == Phase::Announce {
            self.phase = Phase::Read;
            return self.started().await;
        }
        loop {
            let mut events = self.read(Stream::Stdout).await?;
            events.extend(self.read(Stream::Stderr).await?);
            if !events.is_empty() {
                self.silent = false;
                return Ok(events);
            }
            if self.phase == Phase::Drain {
                self.phase = Phase::Done;
                return self.exit().await;
            }
            if std::mem::take(&mut self.silent) {
                return Ok(b": still running\n\n".to_vec());
            }
            let (stdout, stderr) = self.seen;
            let Follow {
                app,
                context,
                place,
                ..
            } = &self.follow;
            let waiting = app.engine.output_changed(
                &context.caller,
                &place.run,
                stdout,
                stderr,
                app.heartbeat,
            );
            if waiting.await? {
                self.phase = Phase::Drain;
            } else {
                self.silent = true;
            }
        }
    }

    /// The next piece of a stream as an event; empty when there is nothing to send yet.
    async fn read(&mut self, stream: Stream) -> Result<Vec<u8>, Failure> {
        let Follow {
            app,
            context,
            place,
            ..
        } = &mut self.follow;
        let (offset, seen, name) = match stream {
            Stream::Stdout => (&mut place.stdout, &mut self.seen.0, "stdout"),
            Stream::Stderr => (&mut place.stderr, &mut self.seen.1, "stderr"),
        };
        let chunk = app
            .engine
            .output(&context.caller, &place.run, stream, *offset, PIECE_BYTES)
            .await?;
        *seen = chunk.total;
        let whole = self.phase == Phase::Drain && chunk.bytes.len() < PIECE_BYTES;
        let ready = if whole {
            &chunk.bytes[..]
        } else {
            without_torn_end(&chunk.bytes)
        };
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        *offset = offset.saturating_add(u64::try_from(ready.len()).unwrap_or(u64::MAX));
        let piece = match std::str::from_utf8(ready) {
            Ok(text) => Piece::Text(text),
            Err(_) => Piece::Base64(BASE64_STANDARD.encode(ready)),
        };
        let data = serde_json::to_vec(&piece).map_err(Failure::internal)?;
        Ok(self.event(name, &data))
    }

    async fn started(&self) -> Result<Vec<u8>, Failure> {
        let Follow {
            app,
            context,
            place,
            replayed,
            ..
        } = &self.follow;
        let view = app.engine.view(&context.caller, &place.run).await?;
        let started = Started {
            command_id: place.run.as_str(),
            pid: view.pid,
            session_id: view.session.as_ref().map(wharf_model::SessionId::as_str),
            replayed: *replayed,
        };
        let data = serde_json::to_vec(&started).map_err(Failure::internal)?;
        Ok(self.event("started", &data))
    }

    /// The run's answer without its streams. A background run's own answer was written when it
    /// was launched, so its end is added.
    async fn exit(&self) -> Result<Vec<u8>, Failure> {
        let Follow {
            app,
            context,
            place,
            wanted,
            ..
        } = &self.follow;
        let mut finished = app.engine.finished(&context.caller, &place.run, 0).await?;
        if finished.exit_code.is_none() {
            let view = app.engine.view(&context.caller, &place.run).await?;
            finished.exit_code = view.exit_code;
        }
        let known = app
            .engine
            .knowledge(&context.caller, &finished, wanted.knowledge, &app.machine)
            .await?;
        let data = answer::json_without_streams(&finished, known).map_err(Failure::internal)?;
        Ok(self.event("exit", &data))
    }

    /// `data` is one line: JSON without line ends.
    fn event(&self, name: &str, data: &[u8]) -> Vec<u8> {
        let Place {
            run,
            stdout,
            stderr,
        } = &self.follow.place;
        let head = format!("event: {name}\nid: {run}:{stdout}:{stderr}\ndata: ");
        [head.as_bytes(), data, b"\n\n"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "run_00000000000000000000000000";

    #[test]
    fn an_id_is_a_run_and_two_offsets() {
        let place = Place::parse(&format!("{RUN}:17:0")).unwrap();
        assert_eq!(
            place,
            Place {
                run: RunId::parse(RUN).unwrap(),
                stdout: 17,
                stderr: 0
            }
        );
    }

    #[test]
    fn anything_else_is_none() {
        let max = u64::MAX;
        for odd in [
            String::new(),
            RUN.to_owned(),
            format!("{RUN}:1"),
            format!("{RUN}:1:2:3"),
            format!("{RUN}:-1:0"),
            format!("{RUN}:1:"),
            format!("{RUN}:{max}0:0"),
            "../../etc:0:0".to_owned(),
            format!("{RUN}:0:{}", "0".repeat(MAX_ID_BYTES)),
        ] {
            assert_eq!(Place::parse(&odd), None, "{odd}");
        }
        assert!(Place::parse(&format!("{RUN}:{max}:{max}")).is_some());
    }

    #[test]
    fn a_piece_is_text_or_base64() {
        let json = |piece: &Piece<'_>| serde_json::to_string(piece).unwrap();
        assert_eq!(json(&Piece::Text("a\nb")), r#"{"text":"a\nb"}"#);
        assert_eq!(
            json(&Piece::Base64("AA==".to_owned())),
            r#"{"base64":"AA=="}"#
        );
    }
}
