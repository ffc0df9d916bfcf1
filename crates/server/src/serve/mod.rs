//! The socket: accepting, bounding and ending connections.
//!
//! Connections are built here and not by `axum::serve`, because that installs no timer, and
//! without one hyper's time limit for a request's head does nothing: a thousand clients that send
//! a byte now and then would hold a thousand connections for ever.

mod again;
mod exchange;
mod stall;
mod wire;

use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_engine::Engine;

use self::again::Again;
use self::exchange::{Exchange, watched};
use self::stall::Stall;
use self::wire::Wire;
use crate::attach::{Attach, Guest};
use crate::auth::Peer;
use crate::options::{ServerLimits, ServerOptions};
use crate::routes;
use crate::state::App;

/// Headers in one request.
const MAX_HEADERS: usize = 100;
/// hyper's smallest buffer; it must hold a request's head.
const LEAST_BUFFER_BYTES: usize = 8192;
/// After a failed accept, usually because no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For answers to leave after the last run has ended.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// After so long without a byte a client's machine is asked whether it is still there.
const PROBED_AFTER: Duration = Duration::from_secs(60);
/// Between two such questions.
const PROBED_EVERY: Duration = Duration::from_secs(15);
/// Unanswered ones after which it is gone.
const PROBES: u32 = 4;
/// Said to a connection over the bound, without reading what it wants.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 198\r\n\r\n\
    {\"type\":\"/problems/overloaded\",\"title\":\"Too many connections\",\"status\":503,\
    \"detail\":\"As many connections as may be are open; try again.\",\"code\":\"overloaded\",\
    \"retryable\":true,\"correlation_id\":\"none\"}";

/// Why the server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener could not be taken over.
    #[error("the listening socket cannot be used")]
    Listener(#[source] std::io::Error),
}

/// Serves until `shutdown`, then ends in order: no new connections; runs finish or, when
/// [`ServerLimits::patience`] is over, are ended by the engine; their answers leave; what is still
/// open is cut. Returns when nothing of it is left running.
///
/// # Errors
/// When the listener cannot be used at all. Whatever goes wrong later is the connection's.
pub async fn serve(
    listener: std::net::TcpListener,
    engine: Engine,
    mut options: ServerOptions,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    listener
        .set_nonblocking(true)
        .map_err(ServeError::Listener)?;
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    let listener = TcpListener::from_std(listener).map_err(ServeError::Listener)?;
    match address.ip() {
        ip if ip.is_unspecified() => options.allow_addresses = true,
        ip => options.allowed_hosts.push(ip.to_string()),
    }

    let app = App::new(engine.clone(), &options);
    let attach = app.attach.clone();
    let server = Server::new(routes::of(app), options.limits.clone(), attach);
    server.accept(&listener, &shutdown).await;
    drop(listener);
    tracing::info!(target: "system", connections = server.tasks.len(), "stopping");
    server.stop(&engine).await;
    Ok(())
}

struct Server {
    router: Router,
    http: http1::Builder,
    limits: ServerLimits,
    places: Arc<Semaphore>,
    attach: Option<Attach>,
    tasks: TaskTracker,
    /// Connections finish the request they are at.
    drain: CancellationToken,
    /// Connections end.
    cut: CancellationToken,
}

impl Server {
    fn new(router: Router, limits: ServerLimits, attach: Option<Attach>) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.head_timeout)
            .max_headers(MAX_HEADERS)
            .max_header_size(limits.head_bytes)
            .max_buf_size(limits.head_bytes.max(LEAST_BUFFER_BYTES));
        Self {
            router,
            http,
            places: Arc::new(Semaphore::new(limits.connections)),
            limits,
            attach,
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    async fn accept(&self, listener: &TcpListener, shutdown: &CancellationToken) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.take(socket, peer),
                Err(error) => {
                    tracing::warn!(target: "system", %error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, socket: TcpStream, peer: SocketAddr) {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => {
                self.tasks.spawn(self.connection(socket, peer, place));
            }
            Err(_) => {
                tracing::warn!(target: "system", %peer, limit = self.limits.connections,
                    "turned away: too many connections");
                // A fresh socket's buffer is empty, so this does not wait. The runtime has not
                // heard yet that the socket can be written to, so it is asked directly.
                if let Ok(mut socket) = socket.into_std() {
                    let _ = socket.write(FULL);
                }
            }
        }
    }

    /// One connection, from accept to close.
    fn connection(
        &self,
        socket: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + use<> {
        if let Err(error) = kept_alive(&socket) {
            tracing::debug!(target: "api", %error, "a connection is not probed");
        }
        // Answers are written whole; waiting for more to send would only delay them.
        let _ = socket.set_nodelay(true);
        let exchange = Arc::new(Exchange::default());
        let peer = Peer {
            address: Some(peer.ip().to_canonical()),
            secure: false,
        };
        let guest = Guest::new(Arc::new(place));
        let service = watched(self.router.clone(), peer, &exchange, guest.clone());
        let service = TowerToHyperService::new(service);
        let socket = Stall::new(socket, self.limits.stall_timeout);
        let io = TokioIo::new(Wire::new(socket, exchange, self.limits.head_bytes));
        let connection = self.http.serve_connection(io, service).with_upgrades();
        let (drain, cut) = (self.drain.clone(), self.cut.clone());
        Again::new(Box::pin(async move {
            let _guest = guest;
            let mut connection = pin!(connection);
            let mut ended = tokio::select! {
                result = connection.as_mut() => Some(result),
                () = drain.cancelled() => None,
            };
            if ended.is_none() {
                connection.as_mut().graceful_shutdown();
                ended = tokio::select! {
                    result = connection.as_mut() => Some(result),
                    () = cut.cancelled() => None,
                };
            }
            // Clients break off and send nonsense; that is theirs, and of interest to few.
            if let Some(Err(error)) = ended {
                tracing::debug!(target: "api", %error, "connection ended early");
            }
        }))
    }

    async fn stop(&self, engine: &Engine) {
        self.drain.cancel();
        self.tasks.close();
        let attach = async {
            if let Some(attach) = &self.attach {
                attach.stop().await;
            }
        };
        tokio::join!(engine.shutdown(self.limits.patience), attach);
        if tokio::time::timeout(LAST_ANSWERS, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(target: "system", connections = self.tasks.len(), "cutting connections");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Has the system find out about a machine that vanished: it is as silent as one that waits for an
/// answer for an hour.
fn kept_alive(socket: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, PROBED_AFTER)?;
    sockopt::set_tcp_keepintvl(socket, PROBED_EVERY)?;
    sockopt::set_tcp_keepcnt(socket, PROBES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_probed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_client, (socket, _)) = (client.unwrap(), accepted.unwrap());
        kept_alive(&socket).unwrap();
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), PROBED_AFTER);
    }

    #[test]
    fn the_ready_made_answer_has_the_length_it_says() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
        serde_json::from_str::<wharf_api::Problem>(body).unwrap();
    }
}
