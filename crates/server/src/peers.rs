//! The port to other servers on the same database: a request that is theirs goes to them.
//!
//! What is sent and what comes back are plain HTTP; the adapter, which has the connections, is the
//! binary's.

use std::io;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

pub use axum::http::{HeaderMap, Method, StatusCode};

/// A body as it comes.
pub type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A request for another server.
pub struct PeerRequest {
    /// What is to be done.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// The caller's own headers, as far as they are handed on, and ours.
    pub headers: HeaderMap,
    /// The body; none where there is none.
    pub body: Option<Pieces>,
}

/// What another server has answered.
pub struct PeerAnswer {
    /// How it came out.
    pub status: StatusCode,
    /// With these headers.
    pub headers: HeaderMap,
    /// And this.
    pub body: Pieces,
}

/// Reaches other servers.
pub trait Peers: Send + Sync {
    /// Sends a request, once and nowhere else than to its address. Ready when the answer's head is
    /// there.
    ///
    /// # Errors
    /// Why there is no answer, in words without secrets.
    fn send(
        &self,
        request: PeerRequest,
    ) -> Pin<Box<dyn Future<Output = Result<PeerAnswer, String>> + Send + '_>>;
}
