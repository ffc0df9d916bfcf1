//! A request for what is another server's goes to that server, and its answer comes back.
//!
//! The handler asks the engine, which knows whose a session or a run is, and refuses. Then the
//! request goes on as it came: with its caller's own credentials, and with its body, of which what
//! the handler has read was kept. It goes only to a server that is in the database and there, only
//! once (a marker says that it has been handed on), and only to the server that is meant: a marker
//! names it, and any other refuses.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH,
    IF_RANGE, RANGE, TRANSFER_ENCODING,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::body::{Frame, SizeHint};
use wharf_engine::{Engine, ServerView};

use super::correlation;
use crate::error::Failure;
use crate::peers::{PeerRequest, Peers, Pieces};

/// The server that has handed a request on.
const BY: HeaderName = HeaderName::from_static("wharf-forwarded-by");
/// The server that it is meant for.
const TO: HeaderName = HeaderName::from_static("wharf-forwarded-to");
/// Headers of the caller's that go along. What a browser adds by itself stays here: it was looked
/// at here.
const HANDED_ON: [HeaderName; 14] = [
    ACCEPT,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_RANGE,
    RANGE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("digest"),
    correlation::HEADER,
];
/// Headers of an answer that are between two machines.
const NEXT_HOP: [HeaderName; 4] = [
    axum::http::header::CONNECTION,
    TRANSFER_ENCODING,
    axum::http::header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];
/// The most of a body that is kept for handing on: what handlers read at once is less.
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// How often it is looked whether the other server is still there while its answer is waited for.
const LOOK: Duration = Duration::from_secs(5);

/// What handing on takes.
pub(crate) struct Forward {
    engine: Engine,
    peers: Option<Arc<dyn Peers>>,
}

/// A request as it can be handed on.
pub(crate) struct Copy {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Arc<Mutex<Kept>>,
}

impl Forward {
    pub(crate) fn new(engine: Engine, peers: Option<Arc<dyn Peers>>) -> Self {
        Self { engine, peers }
    }

    /// Whether a request was meant for this server, by a server that has handed it on.
    pub(crate) fn is_meant(&self, headers: &HeaderMap) -> bool {
        let meant = headers.get(&TO);
        meant.is_none_or(|server| server.as_bytes() == self.engine.server().as_bytes())
    }

    /// Keeps a request, if it may have to be handed on.
    pub(crate) fn keep(&self, request: &mut Request) -> Option<Copy> {
        self.peers.as_ref()?;
        if request.headers().contains_key(&BY) {
            return None;
        }
        let body = std::mem::take(request.body_mut());
        let body = Arc::new(Mutex::new(Kept::new(body)));
        *request.body_mut() = Body::new(Lent(Arc::clone(&body)));
        Some(Copy {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body,
        })
    }

    /// Hands a request on to the server whose business it is.
    pub(crate) async fn send(&self, copy: Copy, to: &ServerView) -> Result<Response, Failure> {
        let (Some(peers), Some(url)) = (&self.peers, to.reachable()) else {
            return Err(Failure::elsewhere(to));
        };
        let body = copy.rest().ok_or_else(|| Failure::elsewhere(to))?;
        let path = copy.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = PeerRequest {
            url: format!("{}{path}", url.trim_end_matches('/')),
            headers: self.headers(&copy, to)?,
            method: copy.method,
            body,
        };
        let answer = tokio::select! {
            answer = peers.send(request) => answer,
            () = self.gone(to) => Err("it has not been there for half a minute".to_owned()),
        };
        let answer = answer.map_err(|why| Failure::unreachable_server(to, &why))?;
        match answer.status {
            StatusCode::UNAUTHORIZED => return Err(Failure::unknown_elsewhere(to)),
            // Another server answers at that address.
            StatusCode::MISDIRECTED_REQUEST => {
                let why = "another server answers at its address";
                return Err(Failure::unreachable_server(to, why));
            }
            _ => {}
        }
        let mut response = Response::new(Body::from_stream(answer.body));
        *response.status_mut() = answer.status;
        for (name, value) in &answer.headers {
            if !NEXT_HOP.contains(name) {
                response.headers_mut().append(name.clone(), value.clone());
            }
        }
        Ok(response)
    }

    fn headers(&self, copy: &Copy, to: &ServerView) -> Result<HeaderMap, Failure> {
        let mut headers = HeaderMap::new();
        for name in HANDED_ON {
            for value in copy.headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
        for (name, id) in [(BY, self.engine.server()), (TO, to.id.as_str())] {
            let value = HeaderValue::from_str(id).map_err(Failure::internal)?;
            headers.insert(name, value);
        }
        Ok(headers)
    }

    /// Waits until a server is not there any more.
    async fn gone(&self, server: &ServerView) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Ok(servers) = self.engine.servers().await
                && !servers.iter().any(|it| it.id == server.id && it.live)
            {
                return;
            }
        }
    }
}

impl Copy {
    /// The body from its beginning; the inner one is none where there is none. None at all when too
    /// much of it was read.
    fn rest(&self) -> Option<Option<Pieces>> {
        let mut kept = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        let body = std::mem::take(&mut kept.body);
        let seen = kept.seen.take()?;
        if seen.is_empty() && body.is_end_stream() {
            return Some(None);
        }
        let seen = stream::iter(seen.into_iter().map(Ok));
        let rest = body
            .into_data_stream()
            .map(|piece| piece.map_err(std::io::Error::other));
        Some(Some(Box::pin(seen.chain(rest))))
    }
}

/// A body that is lent to a handler.
struct Kept {
    body: Body,
    /// What was read of it; none when that is too much.
    seen: Option<Vec<Bytes>>,
    bytes: usize,
}

impl Kept {
    const fn new(body: Body) -> Self {
        Self {
            body,
            seen: Some(Vec::new()),
            bytes: 0,
        }
    }

    fn note(&mut self, piece: &Bytes) {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > KEPT_BYTES {
            self.seen = None;
        }
        if let Some(seen) = &mut self.seen {
            seen.push(piece.clone());
        }
    }
}

struct Lent(Arc<Mutex<Kept>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = Pin::new(&mut kept.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(piece) = frame.data_ref()
        {
            let piece = piece.clone();
            kept.note(&piece);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.body.size_hint()
    }
}
