//! Connections to agents' servers, kept for the next request of the same session and never for
//! another's.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::body::Sent;
use super::counts::Counts;

/// Bytes that a connection reads ahead or has ready to write; it must hold an answer's head.
const BUFFER_BYTES: usize = 64 * 1024;
/// How long a connection is kept that nobody uses.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// How long ago a connection was last used that takes what cannot be sent twice: one that has been
/// idle for longer may be closing at this moment.
const YOUNG: Duration = Duration::from_secs(1);
/// Idle connections of one session.
const IDLE_PER_SESSION: usize = 32;
/// Idle connections of all sessions.
const IDLE_IN_ALL: usize = 512;

/// An open connection, which closes when this is dropped, whatever goes on in it.
pub(super) struct Line {
    pub(super) sender: SendRequest<Sent>,
    address: SocketAddr,
    since: Instant,
    _end: DropGuard,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    #[error("the agent's server cannot be connected to")]
    Connect(#[source] io::Error),
    #[error("the agent's server cannot be spoken with")]
    Handshake(#[source] hyper::Error),
}

/// Those that are kept.
pub(super) struct Pool {
    idle: Mutex<Idle>,
    tasks: TaskTracker,
    stop: CancellationToken,
    connect_timeout: Duration,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Idle {
    sessions: HashMap<Arc<str>, Vec<Line>>,
    /// Of all sessions.
    lines: usize,
    /// A task looks for those that were kept for too long.
    swept: bool,
}

impl Pool {
    pub(super) fn new(tasks: TaskTracker, connect_timeout: Duration, counts: Arc<Counts>) -> Self {
        Self {
            idle: Mutex::default(),
            tasks,
            stop: CancellationToken::new(),
            connect_timeout,
            counts,
        }
    }

    /// A kept connection of the session to this address, the one that was used last. Where
    /// `repeatable` is false, only one of which it is sure that it is still open.
    pub(super) fn take(
        &self,
        session: &str,
        address: SocketAddr,
        repeatable: bool,
    ) -> Option<Line> {
        let most = if repeatable { IDLE_TIME } else { YOUNG };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = idle.sessions.get_mut(session)?;
        let before = lines.len();
        // A session that was moved has nothing to say to whoever has its old address now.
        lines.retain(|line| line.address == address && !line.sender.is_closed());
        let fit = lines
            .iter()
            .rposition(|line| line.sender.is_ready() && line.since.elapsed() < most);
        let line = fit.map(|at| lines.remove(at));
        let (gone, none) = (before.saturating_sub(lines.len()), lines.is_empty());
        if none {
            idle.sessions.remove(session);
        }
        idle.lines = idle.lines.saturating_sub(gone);
        line
    }

    /// Keeps a connection whose answer is complete, if there is room.
    pub(super) fn give(self: &Arc<Self>, session: &Arc<str>, mut line: Line) {
        if line.sender.is_closed() || self.stop.is_cancelled() {
            return;
        }
        line.since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.lines >= IDLE_IN_ALL {
            return;
        }
        let lines = idle.sessions.entry(Arc::clone(session)).or_default();
        if lines.len() >= IDLE_PER_SESSION {
            return;
        }
        lines.push(line);
        idle.lines = idle.lines.saturating_add(1);
        if !std::mem::replace(&mut idle.swept, true) {
            self.tasks.spawn(Arc::clone(self).sweep());
        }
    }

    /// A new connection.
    pub(super) async fn connect(&self, address: SocketAddr) -> Result<Line, NoLine> {
        let stream = tokio::time::timeout(self.connect_timeout, TcpStream::connect(address)).await;
        let stream = stream
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(NoLine::Connect)?;
        // Heads and pieces are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = Builder::new()
            .max_buf_size(BUFFER_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(NoLine::Handshake)?;
        let end = self.stop.child_token();
        let (ended, counts) = (end.clone(), Arc::clone(&self.counts));
        self.tasks.spawn(async move {
            let _there = counts.connection();
            tokio::select! {
                () = ended.cancelled() => {}
                // How it went is told to whoever waits for an answer.
                _ = connection.with_upgrades() => {}
            }
        });
        Ok(Line {
            sender,
            address,
            since: Instant::now(),
            _end: end.drop_guard(),
        })
    }

    /// Closes all connections, whatever goes on in them.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// Closes what nobody has used for too long, until nothing is kept.
    async fn sweep(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return self.clear(),
                () = tokio::time::sleep(IDLE_TIME / 2) => {}
            }
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.sessions.retain(|_, lines| {
                lines.retain(|line| !line.sender.is_closed() && line.since.elapsed() < IDLE_TIME);
                !lines.is_empty()
            });
            idle.lines = idle.sessions.values().map(Vec::len).sum();
            if idle.lines == 0 {
                idle.swept = false;
                return;
            }
        }
    }

    fn clear(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        *idle = Idle::default();
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A pool, and a server that accepts and says nothing.
    async fn pool() -> (Arc<Pool>, TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let timeout = Duration::from_secs(5);
        let pool = Pool::new(TaskTracker::new(), timeout, Arc::default());
        (Arc::new(pool), listener, address)
    }

    async fn line(pool: &Pool, address: SocketAddr) -> Line {
        let mut line = pool.connect(address).await.unwrap();
        line.sender.ready().await.unwrap();
        line
    }

    #[tokio::test]
    async fn a_session_keeps_so_many_and_all_keep_so_many() {
        let (pool, _listener, address) = pool().await;
        let (a, b) = (Arc::from("a"), Arc::from("b"));
        for _ in 0..=IDLE_PER_SESSION {
            pool.give(&a, line(&pool, address).await);
        }
        assert_eq!(pool.idle.lock().unwrap().lines, IDLE_PER_SESSION);
        pool.idle.lock().unwrap().lines = IDLE_IN_ALL - 1;
        for _ in 0..2 {
            pool.give(&b, line(&pool, address).await);
        }
        let idle = pool.idle.lock().unwrap();
        assert_eq!((idle.lines, idle.sessions[&b].len()), (IDLE_IN_ALL, 1));
    }

    #[tokio::test]
    async fn what_was_not_used_for_long_is_not_used_again() {
        let (pool, _listener, address) = pool().await;
        let session = Arc::from("a");
        let aged = async |age: Duration| {
            pool.give(&session, line(&pool, address).await);
            let mut idle = pool.idle.lock().unwrap();
            let kept = idle.sessions.get_mut(&session).unwrap().last_mut().unwrap();
            kept.since = kept.since.checked_sub(age).unwrap();
        };
        let take = |repeatable| pool.take("a", address, repeatable).is_some();
        aged(YOUNG).await;
        assert!(!take(false) && take(true) && !take(true));
        aged(YOUNG / 2).await;
        assert!(take(false));
        aged(IDLE_TIME).await;
        assert!(!take(true));
    }

    #[tokio::test]
    async fn what_was_closed_or_leads_elsewhere_is_not_kept() {
        let (pool, listener, address) = pool().await;
        let session = Arc::from("a");
        pool.give(&session, line(&pool, address).await);
        assert!(pool.take("b", address, true).is_none());
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
        assert!(pool.take("a", elsewhere, true).is_none());
        assert!(pool.idle.lock().unwrap().sessions.is_empty());

        let mut closing = line(&pool, address).await;
        for _ in 0..2 {
            drop(listener.accept().await.unwrap());
        }
        while closing.sender.ready().await.is_ok() {
            tokio::task::yield_now().await;
        }
        pool.give(&session, closing);
        assert_eq!(pool.idle.lock().unwrap().lines, 0);
    }
}
