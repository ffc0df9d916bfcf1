//! Sessions that can be attached to, with an agent's server of the test's own behind them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use wharf_engine::Engine;
use wharf_server::attach::{Attaching, CancellationToken, HeaderValue};
use wharf_server::{
    AttachLimits, AttachOptions, AttachRefusal, Attachments, Peer, ServerOptions, Upstream,
};
use wharf_testkit::TestUpstream;

use super::port::{Open, open};
use super::{options, with_server};

/// The ticket for each session of a test.
pub(crate) const TICKET: &str = "t1cket-0f-the-session";
/// A session of which it is never known where it is.
pub(crate) const NEVER: &str = "never";
/// What opens the agent's server.
pub(crate) const OWN: &str = "Basic b3BlbmNvZGU6b3du";

/// The port, as simple as can be.
#[derive(Default)]
pub(crate) struct Sessions {
    known: Mutex<HashMap<String, Result<Upstream, AttachRefusal>>>,
    touched: watch::Sender<Vec<String>>,
    from: Mutex<Peer>,
}

impl Attachments for Sessions {
    fn attach<'a>(&'a self, session: &'a str, ticket: &'a str, from: Peer) -> Attaching<'a> {
        *self.from.lock().unwrap() = from;
        let known = self.known.lock().unwrap().get(session).cloned();
        let found = known.filter(|_| ticket == TICKET);
        if session == NEVER {
            return Box::pin(std::future::pending());
        }
        Box::pin(async move { found.unwrap_or(Err(AttachRefusal::Ticket)) })
    }

    fn touched(&self, session: &str) {
        self.touched
            .send_modify(|known| known.push(session.to_owned()));
    }
}

impl Sessions {
    /// A session whose agent listens there. Cancelled, what comes back ends it.
    pub(crate) fn put(&self, session: &str, address: SocketAddr) -> CancellationToken {
        self.put_with(session, address, OWN)
    }

    /// The same, opened by something of its own.
    pub(crate) fn put_with(
        &self,
        session: &str,
        address: SocketAddr,
        own: &str,
    ) -> CancellationToken {
        let ended = CancellationToken::new();
        let upstream = Upstream {
            address,
            authorization: HeaderValue::from_str(own).unwrap(),
            account: "acme".into(),
            ended: ended.clone(),
        };
        let mut known = self.known.lock().unwrap();
        known.insert(session.to_owned(), Ok(upstream));
        ended
    }

    /// Charges a session to somebody else.
    pub(crate) fn charge(&self, session: &str, account: &str) {
        let mut known = self.known.lock().unwrap();
        let upstream = known.get_mut(session).unwrap().as_mut().unwrap();
        upstream.account = account.into();
    }

    /// A session that is not there.
    pub(crate) fn refuse(&self, session: &str, refusal: AttachRefusal) {
        let mut known = self.known.lock().unwrap();
        known.insert(session.to_owned(), Err(refusal));
    }

    /// Where the last one came from who asked.
    pub(crate) fn came_from(&self) -> Peer {
        *self.from.lock().unwrap()
    }

    /// How often the port was told of a session.
    pub(crate) fn touches(&self, session: &str) -> usize {
        count(&self.touched.borrow(), session)
    }

    /// Waits until it is told once more.
    pub(crate) async fn touched_beyond(&self, session: &str, before: usize) {
        let mut touched = self.touched.subscribe();
        let more = touched.wait_for(|touched| count(touched, session) > before);
        more.await.unwrap();
    }
}

fn count(touched: &[String], session: &str) -> usize {
    touched.iter().filter(|known| *known == session).count()
}

/// Options with these sessions.
pub(crate) fn options_with(sessions: &Arc<Sessions>, limits: AttachLimits) -> ServerOptions {
    let attach = AttachOptions {
        sessions: Arc::clone(sessions) as Arc<dyn Attachments>,
        limits,
    };
    ServerOptions {
        attach: Some(attach),
        ..options()
    }
}

/// The address of a path of the agent's.
pub(crate) fn path(session: &str, rest: &str) -> String {
    format!("/proxy/{session}/{TICKET}/opencode{rest}")
}

/// A server on a port, with a session `a` and what stands behind it.
pub(crate) struct Attached {
    pub(crate) engine: Engine,
    pub(crate) open: Open,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) upstream: TestUpstream,
    /// Ends session `a`.
    pub(crate) ended: CancellationToken,
}

/// Runs `test` with an agent's server that gives these answers.
pub(crate) fn with_attached<F: Future<Output = Attached>>(
    answers: &[(&str, &str)],
    test: impl FnOnce(Attached) -> F,
) {
    with_attached_of(AttachLimits::default(), answers, test);
}

/// The same with bounds of the test's own.
pub(crate) fn with_attached_of<F: Future<Output = Attached>>(
    limits: AttachLimits,
    answers: &[(&str, &str)],
    test: impl FnOnce(Attached) -> F,
) {
    with_server(async |server| {
        let sessions = Arc::<Sessions>::default();
        let upstream = TestUpstream::start(answers).await;
        let ended = sessions.put("a", upstream.address());
        let open = open(server.engine.clone(), options_with(&sessions, limits));
        let attached = Attached {
            engine: server.engine.clone(),
            open,
            sessions,
            upstream,
            ended,
        };
        test(attached).await.open.end().await;
    });
}

impl Attached {
    /// A kept connection to the server.
    pub(crate) async fn client(&self) -> Client {
        let stream = self.open.connect().await;
        stream.set_nodelay(true).unwrap();
        Client::over(stream).await
    }

    /// What `/metrics` says of one thing.
    pub(crate) async fn metric(&self, line: &str) -> u64 {
        let token = super::TOKEN;
        let text = self
            .open
            .exchange(&format!(
                "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                 authorization: Bearer {token}\r\n\r\n"
            ))
            .await;
        let found = text.lines().find_map(|known| known.strip_prefix(line));
        let found = found.unwrap_or_else(|| panic!("no {line} in\n{text}"));
        found.trim().parse().unwrap()
    }
}

/// An HTTP client on one connection.
pub(crate) struct Client {
    sender: SendRequest<Body>,
    /// Closes the connection when it is dropped.
    _connection: Connection,
}

struct Connection(tokio::task::JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    async fn over(stream: TcpStream) -> Self {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(async move {
            let _ended = connection.await;
        });
        Self {
            sender,
            _connection: Connection(connection),
        }
    }

    /// The head of the answer, with its body still to be read.
    pub(crate) async fn begin(
        &mut self,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> Response<Incoming> {
        self.sender.ready().await.unwrap();
        let request = Request::builder().method(method).uri(path);
        let request = request.header("host", "localhost").body(body.into());
        self.sender.send_request(request.unwrap()).await.unwrap()
    }

    /// Status and body.
    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> (u16, Bytes) {
        let answer = self.begin(method, path, body).await;
        let status = answer.status().as_u16();
        (
            status,
            answer.into_body().collect().await.unwrap().to_bytes(),
        )
    }
}

/// The next piece of a body; none at its end, and an error where it breaks off.
pub(crate) async fn piece(body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    let frame = body.frame().await?;
    Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
}
