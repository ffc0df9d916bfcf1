//! The way into a sandbox: a loopback port of this machine whose connections are carried to its
//! sshd.

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dial::Way;
use crate::error::Error;
use crate::provider::Connection;

/// Most connections at once to one sandbox over its port. What is above waits.
pub(crate) const MAX_RELAYED: usize = 64;
/// Room for what one side has sent and the other has not taken, each way.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long nothing is accepted after the system has refused to, for lack of descriptors.
pub(super) const BREATHER: Duration = Duration::from_millis(50);

/// When something last passed.
#[derive(Debug)]
pub(crate) struct Activity {
    since: Instant,
    last: AtomicU64,
}

impl Activity {
    pub(crate) fn begin() -> Arc<Self> {
        Arc::new(Self {
            since: Instant::now(),
            last: AtomicU64::new(0),
        })
    }

    fn mark(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// How long ago that was; since its start where nothing has passed yet.
    pub(crate) fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }
}

/// A connection whose bytes count as activity.
pub(crate) struct Counted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S: Connection> Counted<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        activity.mark();
        Self { stream, activity }
    }

    fn marked<T>(&self, outcome: Poll<T>) -> Poll<T> {
        if outcome.is_ready() {
            self.activity.mark();
        }
        outcome
    }
}

impl<S: Connection> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.marked(outcome)
    }
}

impl<S: Connection> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.marked(outcome)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Where the connections of a relay are carried to.
pub(crate) trait Inside: Clone + Send + Sync + 'static {
    /// One of them.
    type Stream: Connection;

    /// Makes one.
    fn enter(&self) -> impl Future<Output = Result<Self::Stream, Error>> + Send;
}

impl Inside for (Way, u16) {
    type Stream = TcpStream;

    async fn enter(&self) -> Result<TcpStream, Error> {
        self.0.connect(self.1).await
    }
}

/// A port of this machine that leads into a sandbox, until this is dropped.
pub(crate) struct Relay {
    pub(crate) port: u16,
    cancel: CancellationToken,
}

impl Relay {
    /// Listens, at the port `before` where that is free.
    pub(crate) async fn open(
        before: Option<u16>,
        to: impl Inside,
        activity: Arc<Activity>,
        tasks: &TaskTracker,
        cancel: CancellationToken,
    ) -> Result<Self, Error> {
        let listener = listen(before).await.map_err(|source| Error::System {
            what: "a port for the sandbox",
            source,
        })?;
        let port = listener.local_addr().map(|address| address.port());
        let port = port.map_err(|source| Error::System {
            what: "a port for the sandbox",
            source,
        })?;
        tasks.spawn(accept(
            listener,
            to,
            activity,
            tasks.clone(),
            cancel.clone(),
        ));
        Ok(Self { port, cancel })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn listen(before: Option<u16>) -> std::io::Result<TcpListener> {
    if let Some(port) = before
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

async fn accept(
    listener: TcpListener,
    to: impl Inside,
    activity: Arc<Activity>,
    tasks: TaskTracker,
    cancel: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(MAX_RELAYED));
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let (place, accepted) = tokio::select! {
            () = cancel.cancelled() => return,
            next = next => match next {
                Some(next) => next,
                None => return,
            },
        };
        let Ok((outer, _)) = accepted else {
            tokio::time::sleep(BREATHER).await;
            continue;
        };
        let (to, activity, cancel) = (to.clone(), Arc::clone(&activity), cancel.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = carry(outer, &to, activity) => {}
            }
            drop(place);
        });
    }
}

async fn carry(mut outer: TcpStream, to: &impl Inside, activity: Arc<Activity>) {
    let _works_without = outer.set_nodelay(true);
    let inner = match to.enter().await {
        Ok(inner) => inner,
        Err(error) => {
            // Whoever connected sees the connection closed.
            tracing::debug!(%error, "a sandbox could not be reached");
            return;
        }
    };
    let mut inner = Counted::new(inner, activity);
    // How it ended is for the two ends to tell each other.
    let _ended =
        copy_bidirectional_with_sizes(&mut outer, &mut inner, BUFFER_BYTES, BUFFER_BYTES).await;
}
