//! Whose turn it is on a connection: what its socket has to know of its requests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body as AxumBody;
use axum::http::StatusCode;
use axum::http::header::UPGRADE;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tower::{Service, ServiceExt};

use crate::attach::Guest;
use crate::auth::Peer;

/// Nobody asks: whatever is written now is hyper's own.
const IDLE: u8 = 0;
/// A request is being answered.
const ASKED: u8 = 1;
/// The answer is complete, and perhaps not written yet.
const TOLD: u8 = 2;
/// Another protocol has taken the connection over, and nothing on it is hyper's any more.
const RAW: u8 = 3;

/// What a connection's service and its socket tell each other.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    turn: AtomicU8,
    /// The client may still be sending what nobody will read.
    sending: AtomicBool,
}

impl Exchange {
    /// Whether no request is being answered and no answer is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.turn.load(Ordering::Relaxed) == IDLE
    }

    /// Everything that was to be written has been.
    pub(super) fn written(&self) {
        if self.turn.load(Ordering::Relaxed) == TOLD {
            self.turn.store(IDLE, Ordering::Relaxed);
        }
    }

    /// What the client goes on sending will not be read.
    pub(super) fn refused(&self) {
        self.sending.store(true, Ordering::Relaxed);
    }

    /// Whether the client may still be sending.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.load(Ordering::Relaxed)
    }

    fn asked(&self) {
        self.turn.store(ASKED, Ordering::Relaxed);
        self.sending.store(false, Ordering::Relaxed);
    }
}

/// `router` for one connection from `peer`, telling `exchange` of each request and each answer.
/// Whoever takes the connection over has it as `guest`.
pub(super) fn watched(
    router: Router,
    peer: Peer,
    exchange: &Arc<Exchange>,
    guest: Guest,
) -> impl Service<
    hyper::Request<Incoming>,
    Response = hyper::Response<Told>,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send
+ use<> {
    let (asked, told) = (Arc::clone(exchange), Arc::clone(exchange));
    router
        .map_request(move |mut request: hyper::Request<Incoming>| {
            asked.asked();
            request.extensions_mut().insert(peer);
            if request.headers().contains_key(UPGRADE) {
                request.extensions_mut().insert(guest.clone());
            }
            request.map(|body| Asked {
                ended: body.is_end_stream(),
                body,
                exchange: Arc::clone(&asked),
            })
        })
        .map_response(move |response: Response| {
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                told.turn.store(RAW, Ordering::Relaxed);
            }
            response.map(|body| Told {
                body,
                exchange: told,
            })
        })
}

/// A request's body that says when it is left unread.
struct Asked {
    body: Incoming,
    exchange: Arc<Exchange>,
    ended: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.ended {
            self.exchange.refused();
        }
    }
}

impl Body for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        this.ended |= matches!(frame, Poll::Ready(None)) || this.body.is_end_stream();
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body that says when it is over.
pub(super) struct Told {
    body: AxumBody,
    exchange: Arc<Exchange>,
}

impl Drop for Told {
    fn drop(&mut self) {
        let turn = &self.exchange.turn;
        let _raw = turn.compare_exchange(ASKED, TOLD, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
