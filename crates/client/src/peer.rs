//! A request of somebody else's, handed on as it is: for a server that sends it to another.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use reqwest::header::HeaderMap;
use reqwest::{Body, Method, StatusCode, redirect};

use crate::error::{Error, innermost};

/// How long a connection to another server may take to come about: it is near, or not there.
pub const PEER_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// After such a silence it is asked whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A body as it comes.
pub type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Connections to other servers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PeerClient(reqwest::Client);

impl PeerClient {
    /// Without proxies and without following redirects: credentials go where they are sent and
    /// nowhere else.
    ///
    /// # Errors
    /// When the system lacks what connections take.
    pub fn new() -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(PEER_CONNECT_TIMEOUT)
            .tcp_keepalive(KEEPALIVE)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .build();
        client.map(Self).map_err(Error::Setup)
    }

    /// Sends a request and gives the head of its answer and the pieces of its body.
    ///
    /// # Errors
    /// Why there is no answer, without the address.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Option<Pieces>,
    ) -> Result<(StatusCode, HeaderMap, Pieces), String> {
        let mut request = self.0.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(Body::wrap_stream(body));
        }
        let answer = request.send().await;
        let answer = answer.map_err(|error| innermost(&error.without_url()))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes_stream().map_err(io::Error::other);
        Ok((status, headers, Box::pin(body)))
    }
}
