//! A request for what is another server's goes to that server, and its answer comes back.
//!
//! The handler asks the engine, which knows whose a session or a run is, and refuses. Then the
//! request goes on as it came: with its caller's own credentials, if they are an account's, and
//! with its body, of which what the handler has read was kept. It goes only to a server that is in the database and there, only
//! once (a marker says that it has been handed on), and only to the server that is meant: a marker
//! names it, and any other refuses.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_MATCH,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hyper::body::{Frame, SizeHint};
use wharf_engine::{Engine, ServerView};
use wharf_model::{Caller, is_local_host};

use super::correlation;
use crate::error::Failure;
use crate::hop::going_on;
use crate::peers::{PeerRequest, Peers, Pieces};

/// The server that has handed a request on.
const BY: HeaderName = HeaderName::from_static("wharf-forwarded-by");
/// The server that it is meant for.
const TO: HeaderName = HeaderName::from_static("wharf-forwarded-to");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Headers of the caller's that go along. What a browser adds by itself stays here: it was looked
/// at here.
const HANDED_ON: [HeaderName; 16] = [
    ACCEPT,
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_RANGE,
    RANGE,
    X_API_KEY,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("x-confirmation-token"),
    CONTENT_RANGE,
    correlation::HEADER,
];
/// The most of a body that is kept for handing on: what handlers read at once is less.
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// The most of the body of a file, of which nothing is read before it is known where it goes.
const KEPT_FILE_BYTES: usize = 64 * 1024;
/// What is kept of all bodies together. Beyond, a request that is another server's is refused and
/// can be sent again.
const KEPT_BYTES_TOTAL: usize = 128 * 1024 * 1024;
/// How often it is looked whether the other server is still there while its answer is waited for.
const LOOK: Duration = Duration::from_secs(5);

/// What handing on takes.
pub(crate) struct Forward {
    engine: Engine,
    peers: Option<Arc<dyn Peers>>,
    /// Whether tokens may leave the machine unencrypted.
    plain: bool,
    /// Bytes that are kept.
    kept: Arc<AtomicUsize>,
}

/// A request as it can be handed on.
pub(crate) struct Copy {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Arc<Mutex<Kept>>,
}

impl Forward {
    pub(crate) fn new(engine: Engine, peers: Option<Arc<dyn Peers>>, plain: bool) -> Self {
        Self {
            engine,
            peers,
            plain,
            kept: Arc::default(),
        }
    }

    /// Whether a request was meant for this server, by a server that has handed it on.
    pub(crate) fn is_meant(&self, headers: &HeaderMap) -> bool {
        let meant = headers.get(&TO);
        meant.is_none_or(|server| server.as_bytes() == self.engine.server().as_bytes())
    }

    /// Whether a request may have to be handed on.
    pub(crate) fn may_have_to(&self, request: &Request) -> bool {
        self.peers.is_some() && !request.headers().contains_key(&BY)
    }

    /// Keeps a request as it can be handed on.
    pub(crate) fn keep(&self, request: &mut Request) -> Copy {
        let body = std::mem::take(request.body_mut());
        let kept = Kept::new(body, most_kept(request.method()), Arc::clone(&self.kept));
        let body = Arc::new(Mutex::new(kept));
        *request.body_mut() = Body::new(Lent(Arc::clone(&body)));
        Copy {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            body,
        }
    }

    /// Hands a request on to the server whose business it is. None that came with the local token,
    /// which is this machine's: no other server may so much as see it.
    pub(crate) async fn send(
        &self,
        copy: Option<Copy>,
        to: &ServerView,
    ) -> Result<Response, Failure> {
        let (Some(peers), Some(url)) = (&self.peers, to.reachable()) else {
            return Err(Failure::elsewhere(to));
        };
        let Some(copy) = copy else {
            return Err(Failure::unknown_elsewhere(to));
        };
        if !self.plain && !is_private(url) {
            let why = "the way to its address is not encrypted, and serve.allow_plain_http is off";
            return Err(Failure::unreachable_server(to, why));
        }
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
        *response.headers_mut() = going_on(&answer.headers, |_| false);
        Ok(response)
    }

    /// Asks another server for something of its own, for whoever asks here by a request with these
    /// headers. As with all that is handed on: not where another server has asked, and with the
    /// credentials of an account alone.
    pub(crate) async fn ask(
        &self,
        (caller, headers): (&Caller, &HeaderMap),
        (method, path): (Method, &str),
        to: &ServerView,
    ) -> Result<StatusCode, Failure> {
        if headers.contains_key(&BY) {
            return Err(Failure::elsewhere(to));
        }
        let mut own = HeaderMap::new();
        for name in [AUTHORIZATION, X_API_KEY, correlation::HEADER] {
            if let Some(value) = headers.get(&name) {
                own.insert(name, value.clone());
            }
        }
        let body = Kept::new(Body::empty(), 0, Arc::clone(&self.kept));
        let copy = Copy {
            method,
            uri: path.parse().map_err(Failure::internal)?,
            headers: own,
            body: Arc::new(Mutex::new(body)),
        };
        let has_account = caller.grants().person.is_some();
        let answer = self.send(has_account.then_some(copy), to).await?;
        Ok(answer.status())
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

/// How much of a body is kept.
const fn most_kept(method: &Method) -> usize {
    match *method {
        Method::PUT => KEPT_FILE_BYTES,
        _ => KEPT_BYTES,
    }
}

/// Whether nobody on the way to an address can read along: encrypted, or of this machine alone.
pub(crate) fn is_private(url: &str) -> bool {
    let scheme = url.parse::<Uri>();
    let scheme = scheme.ok().and_then(|url| url.scheme().cloned());
    scheme == Some(Scheme::HTTPS) || is_of_this_machine(url)
}

/// Whether an address leads to this machine only from this machine.
pub(crate) fn is_of_this_machine(url: &str) -> bool {
    let url = url.parse::<Uri>();
    url.is_ok_and(|url| url.host().is_some_and(is_local_host))
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
    most: usize,
    total: Arc<AtomicUsize>,
}

impl Kept {
    const fn new(body: Body, most: usize, total: Arc<AtomicUsize>) -> Self {
        Self {
            body,
            seen: Some(Vec::new()),
            bytes: 0,
            most,
            total,
        }
    }

    fn note(&mut self, piece: &Bytes) {
        let Some(seen) = &mut self.seen else {
            return;
        };
        seen.push(piece.clone());
        self.bytes += piece.len();
        let before = self.total.fetch_add(piece.len(), Ordering::Relaxed);
        if self.bytes > self.most || before.saturating_add(piece.len()) > KEPT_BYTES_TOTAL {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.seen = None;
        let bytes = std::mem::take(&mut self.bytes);
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.forget();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(total: &Arc<AtomicUsize>, most: usize, pieces: &[usize]) -> Kept {
        let mut kept = Kept::new(Body::empty(), most, Arc::clone(total));
        for size in pieces {
            kept.note(&Bytes::from(vec![b'x'; *size]));
        }
        kept
    }

    #[test]
    fn a_way_is_private_if_encrypted_or_within_the_machine() {
        for url in [
            "https://a.lan:7304",
            "http://127.0.0.1:7304",
            "http://[::1]:7304/",
            "http://localhost",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://10.0.0.2:7304",
            "http://a",
            "http://localhost.lan",
            "http://127.0.0.1@a.lan/",
            "/x",
            "",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }

    #[test]
    fn of_a_file_less_is_kept_than_of_another_body() {
        let total = Arc::default();
        let of = |method: Method, bytes: usize| {
            let kept = kept(&total, most_kept(&method), &[bytes]);
            kept.seen.is_some()
        };
        assert!(of(Method::PUT, KEPT_FILE_BYTES));
        assert!(!of(Method::PUT, KEPT_FILE_BYTES + 1));
        assert!(of(Method::POST, KEPT_FILE_BYTES + 1) && of(Method::POST, KEPT_BYTES));
        assert!(!of(Method::POST, KEPT_BYTES + 1));
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_all_is_given_back() {
        let total = Arc::default();
        let one = kept(&total, 10, &[4, 6]);
        assert_eq!(one.seen.as_ref().map(Vec::len), Some(2));
        let much = kept(&total, 10, &[4, 7, 1]);
        assert!(much.seen.is_none());
        assert_eq!(total.load(Ordering::Relaxed), 10);
        total.fetch_add(KEPT_BYTES_TOTAL - 12, Ordering::Relaxed);
        assert!(kept(&total, 10, &[2]).seen.is_some());
        assert!(kept(&total, 10, &[3]).seen.is_none());
        drop((one, much));
        assert_eq!(total.load(Ordering::Relaxed), KEPT_BYTES_TOTAL - 12);
    }
}
