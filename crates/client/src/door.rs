//! A door on this machine's loopback to the agent in a sandbox.
//!
//! The client of an agent takes an address on its command line, which everybody on the machine can
//! read, and asks there for as long as somebody sits in front of it. The address of a door holds no
//! secret: what opens it is a password, which the agent's client has from its environment (HTTP
//! Basic). Behind the door each request gets the session's ticket. The ticket is renewed as long as
//! the door is open, and never leaves this process.
//!
//! Requests and answers pass piece by piece, and so does what another protocol was agreed on for.
//! Limits: HTTP/1.1; [`CONNECTIONS_MAX`] at once.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyDataStream, BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE,
};
use reqwest::{Body, Method, StatusCode, Url};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_api::gateway::SandboxTicket;
use wharf_api::identity::Hidden;
use wharf_model::Secret;

use crate::client::{Client, is_loopback};
use crate::error::Error;
use crate::gateway::SANDBOX_TIMEOUT;

/// Connections through one door at once; the next one waits.
pub const CONNECTIONS_MAX: usize = 64;
/// How often the ticket is renewed: a few times in the shortest life of one.
pub const RENEW_EVERY: Duration = Duration::from_secs(60);
/// The pause before it is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(5);
/// After a failed accept, usually because no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection may take to say what it wants.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Where an agent says that it is well.
const HEALTH: &str = "/global/health";
/// What an address leads to begins with this behind the server's own.
const PROXY: &str = "/proxy/";
/// Bytes of a refusal that are read: what is in a sandbox may write without an end.
const REASON_BYTES_MAX: usize = 8 * 1024;
/// Characters of a refusal that are told.
const REASON_CHARS_MAX: usize = 300;

/// Who is to be given along with the password.
pub const USER: &str = "opencode";

/// Headers that are about one connection and not about what is asked (RFC 9110, 7.6.1).
const OF_THE_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

type Answer = hyper::Response<UnsyncBoxBody<Bytes, reqwest::Error>>;

/// An open door. Dropping it closes it, and ends what is under way through it.
pub struct Door {
    address: SocketAddr,
    password: Secret,
    inside: Arc<Inside>,
}

struct Inside {
    client: Client,
    session: String,
    /// What `Authorization` has to be.
    key: String,
    way: Mutex<Way>,
    renewing: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
    closed: CancellationToken,
}

/// The way to the agent, as long as its ticket is good.
#[derive(Clone)]
struct Way {
    ticket: Hidden,
    url: String,
    /// Counts renewals, so that nobody renews what somebody just has.
    number: u64,
}

impl Door {
    /// Opens one on a free port, in the runtime that this is called in. `password` is fresh
    /// randomness of the caller's.
    ///
    /// # Errors
    /// When nothing can listen on the loopback, or the ticket leads nowhere.
    pub async fn open(
        client: &Client,
        session: &str,
        ticket: SandboxTicket,
        password: Secret,
    ) -> io::Result<Self> {
        let way = Way::of(client, ticket, 0)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let pair = format!("{USER}:{}", password.expose());
        let inside = Arc::new(Inside {
            client: client.clone(),
            session: session.to_owned(),
            key: format!("Basic {}", STANDARD.encode(pair)),
            way: Mutex::new(way),
            renewing: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
        });
        inside.track(Arc::clone(&inside).accept(listener));
        inside.track(Arc::clone(&inside).keep());
        Ok(Self {
            address,
            password,
            inside,
        })
    }

    /// Waits until the agent answers. Its server starts it where it does not run.
    ///
    /// # Errors
    /// Why it does not answer, in the server's words.
    pub async fn ready(&self) -> Result<(), String> {
        let way = self.inside.way();
        let url = Url::parse(&format!("{}{HEALTH}", way.url));
        let url = url.map_err(|_| "the server gave an address that is none".to_owned())?;
        let asked = self.inside.client.raw(Method::GET, url);
        let answer = asked.timeout(SANDBOX_TIMEOUT).send().await;
        let mut answer = answer.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status().as_u16();
        let mut said = Vec::new();
        while said.len() < REASON_BYTES_MAX
            && let Ok(Some(piece)) = answer.chunk().await
        {
            said.extend_from_slice(&piece);
        }
        said.truncate(REASON_BYTES_MAX);
        Err(reason(&said).unwrap_or_else(|| format!("it answered with status {status}")))
    }

    /// Where it is. Nothing in it is secret.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What opens it, with [`USER`].
    #[must_use]
    pub const fn password(&self) -> &Secret {
        &self.password
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.inside.closed.cancel();
    }
}

impl Way {
    fn of(client: &Client, ticket: SandboxTicket, number: u64) -> io::Result<Self> {
        // The address is not told: whoever has it is let in.
        let wrong = || io::Error::other("the server gave an address that is none");
        let url = led(client.url(), ticket.url.expose()).ok_or_else(wrong)?;
        Ok(Self {
            ticket: ticket.ticket,
            url,
            number,
        })
    }
}

/// Where a ticket leads whose address is `url`, for a client that knows the server as `base`.
///
/// A server that is reached over the loopback may be known to others by a name that leads nowhere
/// from here, or by one that this client trusts no certificates for; and what is asked is not to
/// leave for another host in plain text. So the rest of the address goes behind `base` there. A
/// server elsewhere may be one of several, of which only the one that is named has the machine.
fn led(base: &str, url: &str) -> Option<String> {
    let (own, other) = (Url::parse(base).ok()?, Url::parse(url).ok()?);
    if other.query().is_some() || other.fragment().is_some() {
        return None;
    }
    let url = url.trim_end_matches('/');
    if !is_loopback(base) && own.scheme() == other.scheme() {
        return Some(url.to_owned());
    }
    let at = url.rfind(PROXY)?;
    Some(format!("{}{}", base.trim_end_matches('/'), url.get(at..)?))
}

impl Inside {
    /// Runs it until it ends or the door is closed.
    fn track(&self, work: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                () = closed.cancelled() => {}
            }
        });
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let inside = Arc::clone(&self);
                    self.track(async move {
                        inside.serve(stream).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let _slower = stream.set_nodelay(true);
        let service = service_fn(move |request| {
            let inside = Arc::clone(&self);
            async move { Ok::<_, Infallible>(inside.answer(request).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        // A connection that breaks is the agent's affair, which makes another.
        let _broken = connection.with_upgrades().await;
    }

    async fn answer(&self, mut request: hyper::Request<Incoming>) -> Answer {
        if !self.opens(request.headers()) {
            return said(
                StatusCode::UNAUTHORIZED,
                "This door opens for one program only.\n",
            );
        }
        let taken_over = request
            .headers()
            .contains_key(UPGRADE)
            .then(|| hyper::upgrade::on(&mut request));
        let (head, body) = request.into_parts();
        let has_body = !body.is_end_stream();
        let mut body = has_body.then(|| Body::wrap_stream(BodyDataStream::new(body)));
        // A ticket may be refused for as long as the server likes, however often it is renewed.
        let mut was_renewed = false;
        loop {
            let way = self.way();
            let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
            let Ok(url) = Url::parse(&format!("{}{path}", way.url)) else {
                return said(StatusCode::BAD_REQUEST, "That is no address.\n");
            };
            let mut headers = passed_on(&head.headers);
            headers.remove(AUTHORIZATION);
            headers.remove(HOST);
            if let Some(protocol) = head.headers.get(UPGRADE) {
                headers.insert(UPGRADE, protocol.clone());
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            }
            let mut asked = self.client.raw(head.method.clone(), url).headers(headers);
            if let Some(body) = body.take() {
                asked = asked.body(body);
            }
            let response = match asked.send().await {
                Ok(response) => response,
                Err(error) => {
                    let text = format!("The server is not reached: {}\n", error.without_url());
                    return said(StatusCode::BAD_GATEWAY, &text);
                }
            };
            let is_late = response.status() == StatusCode::UNAUTHORIZED && !was_renewed;
            if is_late && self.renew(way.number).await {
                was_renewed = true;
                if has_body {
                    // What was sent of it is gone.
                    let text = "The way to the agent was lost and is there again; try again.\n";
                    return said(StatusCode::SERVICE_UNAVAILABLE, text);
                }
                continue;
            }
            return match taken_over {
                Some(near) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    self.take_over(near, response)
                }
                _ => handed_back(response),
            };
        }
    }

    fn opens(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        shown.is_some_and(|shown| self.key.as_bytes().ct_eq(shown).into())
    }

    /// What is said from now on is another protocol's.
    fn take_over(&self, near: OnUpgrade, response: reqwest::Response) -> Answer {
        let mut headers = passed_on(response.headers());
        for name in [UPGRADE, CONNECTION] {
            if let Some(value) = response.headers().get(&name) {
                headers.insert(name, value.clone());
            }
        }
        self.track(async move {
            let (Ok(near), Ok(mut far)) = tokio::join!(near, response.upgrade()) else {
                return;
            };
            let mut near = TokioIo::new(near);
            let _broken = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        let mut answer = said(StatusCode::SWITCHING_PROTOCOLS, "");
        *answer.headers_mut() = headers;
        answer
    }

    fn way(&self) -> Way {
        self.way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Renews the ticket, unless it is another one than `number` already.
    async fn renew(&self, number: u64) -> bool {
        let _renewing = self.renewing.lock().await;
        let old = self.way();
        if old.number != number {
            return true;
        }
        let renewed = self.client.renew_sandbox_ticket(&self.session, &old.ticket);
        let ticket = match renewed.await {
            // A server keeps so many of a session: others took its place.
            Err(error) if is_forgotten(&error) => self.client.sandbox_ticket(&self.session).await,
            renewed => renewed,
        };
        let Ok(ticket) = ticket else {
            return false;
        };
        let Ok(way) = Way::of(&self.client, ticket, number + 1) else {
            return false;
        };
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
        true
    }

    /// Keeps the ticket good.
    async fn keep(self: Arc<Self>) {
        let mut pause = RENEW_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let renewed = self.renew(self.way().number).await;
            pause = if renewed { RENEW_EVERY } else { RENEW_AGAIN };
        }
    }
}

fn is_forgotten(error: &Error) -> bool {
    error.problem().is_some_and(|problem| problem.status == 404)
}

/// What a refusal says: `{error, details: {reason}}`, or the text as it is.
fn reason(said: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(said);
    let read: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let member = |name: &str| read.as_ref()?.pointer(name)?.as_str().map(str::to_owned);
    let told = member("/details/reason").or_else(|| member("/error"));
    let told = told.unwrap_or_else(|| text.trim().to_owned());
    let told: String = told.chars().take(REASON_CHARS_MAX).collect();
    (!told.is_empty()).then_some(told)
}

fn handed_back(response: reqwest::Response) -> Answer {
    let status = response.status();
    let headers = passed_on(response.headers());
    let body = hyper::Response::<Body>::from(response).into_body();
    let mut answer = hyper::Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

/// Without what is about the connection, named by us or by the header itself.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(CONNECTION).iter();
    let named: Vec<String> = named
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let is_kept = |name: &HeaderName| {
        let name = name.as_str();
        !OF_THE_CONNECTION.contains(&name) && !named.iter().any(|it| it == name)
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in kept {
        passed.append(name.clone(), value.clone());
    }
    passed
}

/// Words of our own. An answer without any makes OpenCode show the whole address.
fn said(status: StatusCode, text: &str) -> Answer {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    let mut answer = hyper::Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

#[cfg(test)]
mod tests;
