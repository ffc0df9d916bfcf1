//! `GET /api/sandboxes/{id}/events`: what happens to a session, as `text/event-stream`.
//!
//! Events are in the database before they are told, so that a stream that broke is taken up behind
//! its last number, at whatever later time. Nothing is held between two looks.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use wharf_gateway::views::EventView;

use super::answered;
use crate::convert::gateway::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::middleware::gate::Context;
use crate::state::App;
use crate::stream::{LAST_EVENT_ID, streamed};

/// Follow a sandbox session
///
/// What has happened to it and what does: `created`, `starting`, `running`, `warning`, `extended`,
/// `paused`, `snapshot`, `failed`, `ended`. It ends with the session. `Last-Event-ID` begins behind
/// that event.
#[utoipa::path(
    get, path = "/api/sandboxes/{id}/events", tag = "sandboxes",
    params(
        ("id" = String, Path, description = "The session, `gws_…`"),
        ("Last-Event-ID" = Option<String>, Header, description = "Begin behind this event"),
    ),
    responses((status = 200, description = "Events", body = String,
        content_type = "text/event-stream")),
)]
pub(crate) async fn events(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let last = behind(&headers)?;
    // The first look is before the answer begins: only then can what is another server's be handed
    // on to it.
    let gateway = app.gateway()?;
    let first = gateway.events(&context.caller, &id, last, Duration::ZERO);
    let first = answered(&app, first.await).await?;
    let reader = Reader {
        app,
        context,
        id,
        last,
        first,
        done: false,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok::<_, Infallible>(bytes), reader))
    });
    Ok(streamed(Body::from_stream(events)))
}

fn behind(headers: &HeaderMap) -> Result<u64, Failure> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(0);
    };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        Failure::invalid_field(
            "Last-Event-ID",
            "must be the id of an event of this session",
        )
    })
}

struct Reader {
    app: App,
    context: Context,
    id: String,
    last: u64,
    /// What was there before the answer began.
    first: Vec<EventView>,
    done: bool,
}

impl Reader {
    /// The next bytes of the body; none after the last event.
    async fn next(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        match self.step().await {
            Ok(bytes) => bytes,
            Err(failure) => {
                self.done = true;
                let document = failure.document(self.context.correlation.as_str());
                let head = format!("event: error\nid: {}\ndata: ", self.last);
                Some([head.as_bytes(), &document, b"\n\n"].concat().into())
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Bytes>, Failure> {
        let gateway = self.app.gateway()?;
        let (caller, patience) = (&self.context.caller, self.app.heartbeat);
        let mut events = std::mem::take(&mut self.first);
        if events.is_empty() {
            let found = gateway.events(caller, &self.id, self.last, patience).await;
            events = answered(&self.app, found).await?;
        }
        if events.is_empty() {
            let over =
                gateway.is_stopping() || gateway.show(caller, &self.id).await?.state.is_over();
            return Ok((!over).then(|| Bytes::from_static(b": still there\n\n")));
        }
        let mut bytes = Vec::new();
        for event in events {
            self.last = event.number;
            self.done = event.state.is_over();
            written(&mut bytes, event)?;
        }
        Ok(Some(bytes.into()))
    }
}

/// `data` is one line: JSON without line ends.
fn written(bytes: &mut Vec<u8>, event: EventView) -> Result<(), Failure> {
    let event = views::event(event);
    bytes.extend_from_slice(
        format!("event: {}\nid: {}\ndata: ", event.kind, event.number).as_bytes(),
    );
    let data = serde_json::to_vec(&event).map_err(Failure::internal)?;
    bytes.extend_from_slice(&data);
    bytes.extend_from_slice(b"\n\n");
    Ok(())
}
