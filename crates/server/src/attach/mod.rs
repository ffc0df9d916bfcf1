//! The way from a client to the agent's server in a sandbox:
//! `ANY /proxy/{id}/{token}/opencode/…`.
//!
//! The port [`Attachments`] says where a session's agent listens and what opens it; here what is
//! asked goes there and what is answered comes back, piece by piece, with nothing of it kept. Each
//! request is looked at anew, also on a connection that is kept: its ticket, its place, its head.
//!
//! What it may not do: decide whose a session is or what a ticket is worth, start anything, read
//! a body, or name a ticket in a log, a metric, a message. Start reading at `exchange.rs`, which is
//! one request's life; `head.rs` has what of a head goes on; `body.rs` the streams; `raw.rs` what
//! another protocol was agreed on for.
//!
//! Limits, each in [`AttachLimits`] or a constant beside its code. HTTP/1.1 only, since an older
//! client cannot tell a broken answer from a whole one. Early answers (1xx) do not go on, because
//! hyper does not let them through. A sandbox is a stranger: its cookies, its `Strict-Transport-Security`
//! and whatever else would speak for this server's name stay behind, and its pages run in a browser
//! as if they were from nowhere.

mod address;
mod body;
mod counts;
mod exchange;
mod head;
mod live;
mod places;
mod pool;
mod raw;

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use axum::http::HeaderValue;
pub use tokio_util::sync::CancellationToken;

pub(crate) use counts::Counts;
pub(crate) use exchange::Attach;
pub(crate) use head::stays;
pub(crate) use raw::Guest;

use crate::auth::Peer;

/// Requests of one session that are under way at once. A client of OpenCode begins with about
/// seventeen and goes on with two.
pub const DEFAULT_PER_SESSION: usize = 128;
/// Requests of all sessions of one account that are under way at once. Half of all, so that nobody
/// keeps everybody else out.
pub const DEFAULT_PER_ACCOUNT: usize = 384;
/// Requests of all sessions that are under way at once. Fewer than connections may be open, so that
/// the rest of the server can still be asked.
pub const DEFAULT_IN_ALL: usize = 768;
/// How long a request waits for a place before it is told to come again. A client that starts asks
/// for much at once and is soon done with it.
pub const DEFAULT_PLACE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the port may take to say where a session is.
pub const DEFAULT_ATTACH_TIMEOUT: Duration = Duration::from_secs(30);
/// How long connecting to the agent's server may take.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence of a client in the middle of its body, before there is an answer. Longer than other routes
/// give, since what is sent may be large and come over a bad line.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence before the head of an answer, counted from the last byte of the request. An agent's turn
/// is one request, and its answer may begin when the turn is over.
pub const DEFAULT_HEAD_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Silence in both directions afterwards, and in a connection that was taken over. A stream of
/// events has a heartbeat; somebody at a terminal goes to lunch.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

/// Where the agent of a session listens.
#[derive(Clone)]
pub struct Upstream {
    /// Its address, reachable from this machine.
    pub address: SocketAddr,
    /// What opens it: goes along as `Authorization`, in place of whatever the client sent.
    pub authorization: HeaderValue,
    /// What the session is charged to.
    pub account: Arc<str>,
    /// Cancelled when the session ends or is not to be attached to any more. All that is under way
    /// ends then.
    pub ended: CancellationToken,
}

/// Its authorization is a secret.
impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("address", &self.address)
            .field("ended", &self.ended.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// Why a session cannot be attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachRefusal {
    /// The ticket is unknown, has expired, or is for another session; or there is no such session,
    /// which nobody without a ticket for it is told. 401.
    Ticket,
    /// The ticket is good, and the session is not there. 503.
    Unavailable {
        /// Why, in words for the person: no address, no ticket.
        reason: String,
        /// When asking again may help.
        retry_after: Option<Duration>,
    },
}

/// What [`Attachments::attach`] comes to.
pub type Attaching<'a> = Pin<Box<dyn Future<Output = Result<Upstream, AttachRefusal>> + Send + 'a>>;

/// Sessions that can be attached to. Asked at each request, so that a ticket that was taken back
/// opens nothing from then on; it should answer from memory where it can.
pub trait Attachments: Send + Sync {
    /// Where a session's agent listens, for whoever has this ticket. Both come as they stand in the
    /// address, unreserved letters only (RFC 3986, 2.3). It may wake the session first, within
    /// [`AttachLimits::attach_timeout`]. `from` is where the request comes from.
    fn attach<'a>(&'a self, session: &'a str, ticket: &'a str, from: Peer) -> Attaching<'a>;

    /// Something was sent in one direction or the other: at each request, and every few seconds
    /// while bytes move. Must not block.
    fn touched(&self, session: &str);
}

/// What attaching takes.
#[derive(Clone)]
pub struct AttachOptions {
    /// The sessions.
    pub sessions: Arc<dyn Attachments>,
    /// Bounds.
    pub limits: AttachLimits,
}

impl AttachOptions {
    /// With the usual bounds.
    #[must_use]
    pub fn new(sessions: Arc<dyn Attachments>) -> Self {
        Self {
            sessions,
            limits: AttachLimits::default(),
        }
    }
}

impl fmt::Debug for AttachOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachOptions")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Bounds of attaching.
#[derive(Clone, Debug)]
pub struct AttachLimits {
    /// Requests of one session at once; one more waits, and then is told 429.
    pub per_session: usize,
    /// Requests of one account's sessions at once; one more waits, and then is told 429.
    pub per_account: usize,
    /// Requests of all sessions at once; one more waits, and then is told 503.
    pub in_all: usize,
    /// That waiting.
    pub place_patience: Duration,
    /// For the port to answer.
    pub attach_timeout: Duration,
    /// For a connection to the agent's server.
    pub connect_timeout: Duration,
    /// Silence of a client in the middle of its body.
    pub body_timeout: Duration,
    /// Silence before the head of an answer.
    pub head_timeout: Duration,
    /// Silence afterwards.
    pub idle_timeout: Duration,
}

impl Default for AttachLimits {
    fn default() -> Self {
        Self {
            per_session: DEFAULT_PER_SESSION,
            per_account: DEFAULT_PER_ACCOUNT,
            in_all: DEFAULT_IN_ALL,
            place_patience: DEFAULT_PLACE_PATIENCE,
            attach_timeout: DEFAULT_ATTACH_TIMEOUT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            body_timeout: DEFAULT_BODY_TIMEOUT,
            head_timeout: DEFAULT_HEAD_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
        }
    }
}
