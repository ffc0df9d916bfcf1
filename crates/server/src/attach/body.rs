//! The two bodies of a request, each handed on piece by piece as it comes. Nothing is read before
//! the other side takes it, which is what bounds the memory: hyper keeps one piece and a buffer of
//! each connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body as AxumBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::counts::{Cut, Way};
use super::live::{Kind, Live};
use super::pool::{Line, Pool};

/// What the client sends.
pub(super) struct Sent {
    body: AxumBody,
    /// None where there is nothing to be sent.
    live: Option<Arc<Live>>,
}

impl Sent {
    pub(super) fn new(body: AxumBody, live: &Arc<Live>) -> Self {
        let live = (!body.is_end_stream()).then(|| Arc::clone(live));
        Self { body, live }
    }

    /// No body.
    pub(super) fn nothing() -> Self {
        Self {
            body: AxumBody::empty(),
            live: None,
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        let Some(live) = &this.live else {
            return frame;
        };
        match &frame {
            Poll::Pending => live.awaits(),
            Poll::Ready(_) => live.heard(),
        }
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                live.moved(Way::In, frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(Some(Err(_))) => live.broke_off(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    /// Nobody wants more of it.
    fn drop(&mut self) {
        if let Some(live) = &self.live {
            live.heard();
        }
    }
}

/// What the agent's server answers. One that breaks off breaks off here as well, so that nobody
/// takes half an answer for a whole one.
pub(super) struct Answered {
    body: Incoming,
    /// Where the body came from, until it is complete.
    lease: Option<Lease>,
    live: Arc<Live>,
    idle: Duration,
    kind: Kind,
    /// The wait for a reason to cut it; made when there is something to wait for.
    end: Option<Pin<Box<dyn Future<Output = Cut> + Send>>>,
    /// There is no body whatever its length says: the answer to a HEAD, and 204 and 304.
    headless: bool,
}

/// A connection in use. Dropped before the answer is complete it closes, and that is how the agent
/// hears at once that nobody wants the rest.
pub(super) struct Lease {
    pub(super) line: Line,
    pub(super) pool: Arc<Pool>,
    pub(super) session: Arc<str>,
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the answer of the agent's server broke off")]
    Upstream(#[source] hyper::Error),
    #[error("the answer was cut")]
    Cut,
}

impl Answered {
    pub(super) fn new(
        body: Incoming,
        lease: Lease,
        live: Arc<Live>,
        idle: Duration,
        kind: Kind,
        headless: bool,
    ) -> Self {
        let mut answered = Self {
            body,
            lease: Some(lease),
            live,
            idle,
            kind,
            end: None,
            headless,
        };
        answered.note_end();
        answered
    }

    /// Gives the connection back when the body is complete.
    fn note_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(Lease {
            line,
            pool,
            session,
        }) = self.lease.take()
        {
            pool.give(&session, line);
        }
    }

    fn cut(&mut self, why: Cut) {
        self.lease = None;
        self.live.cut(why);
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.live.moved(Way::Out, bytes);
                // Trailers are the end of a body, and nobody asks for more.
                if frame.is_trailers() {
                    this.give_back();
                }
                this.note_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.cut(Cut::Upstream);
                Poll::Ready(Some(Err(Broken::Upstream(error))))
            }
            Poll::Ready(None) => {
                this.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let (live, idle, kind) = (&this.live, this.idle, this.kind);
                let end = this.end.get_or_insert_with(|| {
                    let live = Arc::clone(live);
                    Box::pin(async move { live.end(idle, Cut::Idle, kind).await })
                });
                let Poll::Ready(why) = end.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                this.end = None;
                this.cut(why);
                Poll::Ready(Some(Err(Broken::Cut)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Of what has no body the length is not known to be none: axum would say 0 otherwise, and
    /// that is the length that another answer would have.
    fn size_hint(&self) -> SizeHint {
        if self.headless {
            SizeHint::new()
        } else {
            self.body.size_hint()
        }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        if self.lease.take().is_some() {
            self.live.cut(Cut::Client);
        }
    }
}
