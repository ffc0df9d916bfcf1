//! A connection that another protocol has taken over, such as WebSocket: bytes either way, until
//! both sides have said that they are done.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::sync::OwnedSemaphorePermit;

use super::body::Lease;
use super::counts::{Cut, Way};
use super::live::{Kind, Live};

/// Bytes that are on their way in each direction.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long the two connections may take to leave HTTP behind.
const SWITCH_PATIENCE: Duration = Duration::from_secs(10);

/// The client's place among the connections, which it keeps when its connection is not HTTP's any
/// more.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    _place: Arc<OwnedSemaphorePermit>,
}

impl Guest {
    pub(crate) const fn new(place: Arc<OwnedSemaphorePermit>) -> Self {
        Self { _place: place }
    }
}

/// Two connections that are to become one.
pub(super) struct Switch {
    pub(super) client: OnUpgrade,
    pub(super) upstream: OnUpgrade,
    /// Not closed before it has left HTTP behind.
    pub(super) lease: Lease,
    pub(super) guest: Option<Guest>,
    pub(super) live: Arc<Live>,
    pub(super) idle: Duration,
}

impl Switch {
    /// Hands on what comes, until both sides are done or there is a reason to cut it.
    pub(super) async fn run(self) {
        let Self {
            client,
            upstream,
            lease,
            guest: _guest,
            live,
            idle,
        } = self;
        let both = async { tokio::join!(client, upstream) };
        let switched = tokio::select! {
            switched = tokio::time::timeout(SWITCH_PATIENCE, both) => switched,
            why = live.end(idle, Cut::Idle, Kind::Endless) => return live.cut(why),
        };
        drop(lease);
        let Ok((Ok(client), Ok(upstream))) = switched else {
            return live.cut(Cut::Upstream);
        };
        let _there = live.counts().raw();
        let mut client = Counted::new(client, &live, Way::In);
        let mut upstream = Counted::new(upstream, &live, Way::Out);
        let copied =
            copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER_BYTES, BUFFER_BYTES);
        tokio::select! {
            // One that ends with an error has ended.
            _ = copied => {}
            why = live.end(idle, Cut::Idle, Kind::Endless) => live.cut(why),
        }
    }
}

/// What counts the bytes that are read from a connection.
struct Counted<'a> {
    stream: TokioIo<Upgraded>,
    live: &'a Live,
    way: Way,
}

impl<'a> Counted<'a> {
    fn new(stream: Upgraded, live: &'a Live, way: Way) -> Self {
        let stream = TokioIo::new(stream);
        Self { stream, live, way }
    }
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len().saturating_sub(before);
        if bytes > 0 {
            this.live.moved(this.way, bytes);
        }
        read
    }
}

impl AsyncWrite for Counted<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
