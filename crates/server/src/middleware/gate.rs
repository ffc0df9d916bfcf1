//! The one layer: correlation id, host, origin, token, bound, access, then the handler, then the
//! log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use wharf_engine::Engine;
use wharf_model::Caller;

use super::correlation::{self, CorrelationId, Correlations};
use super::forward::Forward;
use super::host::HostPolicy;
use super::origin::{self, OriginPolicy, Source};
use super::proxy::Proxies;
use super::{auth, log};
use crate::access::{Class, Classes};
use crate::auth::{Asked, Authentication, Authenticator, Peer, Why};
use crate::error::Failure;
use crate::metrics::Metrics;
use crate::options::ServerOptions;
use crate::shape::{PAGES, Shape};

/// The paths that a browser's login box may open; they have no effects.
const READERS: [&str; 4] = ["/docs", "/docs/", "/docs/{*file}", "/openapi.json"];
/// What routes that do not exist are called in metrics and log.
const NO_ROUTE: &str = "none";

/// What the layer needs.
pub(crate) struct Gate {
    authenticator: Arc<dyn Authenticator>,
    classes: Classes,
    proxies: Proxies,
    ask_timeout: Duration,
    hosts: HostPolicy,
    origins: OriginPolicy,
    correlations: Correlations,
    most_requests: usize,
    requests: AtomicUsize,
    metrics: Arc<Metrics>,
    forward: Forward,
}

/// What a handler knows of its request beyond the request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Who asks.
    pub(crate) caller: Caller,
    /// Joins the answer to the log.
    pub(crate) correlation: CorrelationId,
}

/// What the checks found.
enum Admission {
    Enter(Entrant),
    Preflight,
}

/// Who would enter.
enum Entrant {
    /// A caller who may; none where none is asked for.
    Known(Option<Caller>),
    /// Somebody who may if the answer is a caller who may.
    Pending(Pending),
}

/// A caller who is not known yet.
struct Pending {
    asked: Asked,
    class: Class,
    scheme: &'static str,
}

impl Gate {
    pub(crate) fn new(options: &ServerOptions, engine: Engine, metrics: Arc<Metrics>) -> Self {
        Self {
            authenticator: Arc::clone(&options.authenticator),
            classes: Classes::new(),
            proxies: options.trusted_proxies.clone(),
            ask_timeout: options.limits.ask_timeout,
            hosts: HostPolicy::new(&options.allowed_hosts, options.allow_addresses),
            origins: OriginPolicy::new(&options.allowed_origins, options.public_url.as_deref()),
            correlations: Correlations::new(&options.instance),
            most_requests: options.limits.requests,
            requests: AtomicUsize::new(0),
            metrics,
            forward: Forward::new(engine, options.peers.clone(), options.plain_peers),
        }
    }

    /// Requests that handlers work on.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// The way to other servers.
    pub(crate) const fn forward(&self) -> &Forward {
        &self.forward
    }

    /// Host, origin, token, in this order; nothing of the body has been read.
    fn admit(
        &self,
        request: &Request,
        peer: &Peer,
        route: Option<&str>,
    ) -> (Option<HeaderValue>, Result<Admission, Failure>) {
        let headers = request.headers();
        let Some(host) = self.hosts.admit(request.uri(), headers) else {
            return (None, Err(Failure::host_refused()));
        };
        if !self.forward.is_meant(headers) {
            return (None, Err(Failure::not_meant()));
        }
        let page = route.is_some_and(|route| PAGES.contains(&route));
        let origin = match self.origins.source(headers, host, peer.secure) {
            Source::Foreign if page && origin::is_visit(request.method(), headers) => None,
            // Our forms are sent by our own pages and by nobody else's, whoever is configured.
            Source::Configured(_) if page => return (None, Err(Failure::origin_refused())),
            Source::Foreign => return (None, Err(Failure::origin_refused())),
            Source::Configured(origin) => Some(origin),
            Source::Own => None,
        };
        if origin::is_preflight(request.method(), headers) {
            let answer = match origin {
                Some(_) => Ok(Admission::Preflight),
                None => Err(Failure::no_preflight()),
            };
            return (origin, answer);
        }
        let entrant = self.identify(request, peer, route);
        (origin, entrant.map(Admission::Enter))
    }

    fn identify(
        &self,
        request: &Request,
        peer: &Peer,
        route: Option<&str>,
    ) -> Result<Entrant, Failure> {
        let headers = request.headers();
        let class = self.classes.of(request.method().as_str(), route);
        if class == Class::Open {
            return Ok(Entrant::Known(None));
        }
        let reader = route.is_some_and(|route| READERS.contains(&route));
        let (token, scheme) = if reader && *request.method() == Method::GET {
            (auth::token_of_reader(headers), auth::BASIC)
        } else {
            (auth::token(headers), auth::BEARER)
        };
        match self.authenticator.authenticate(token.as_deref(), peer) {
            Authentication::Known(caller) => {
                class.admit(&caller)?;
                Ok(Entrant::Known(Some(caller)))
            }
            Authentication::Unknown(why) => Err(Failure::unknown(why, scheme)),
            Authentication::Ask(asked) => Ok(Entrant::Pending(Pending {
                asked,
                class,
                scheme,
            })),
        }
    }

    /// A place, and who takes it. Asking has a bound as well, so that it takes a place too.
    async fn let_in(&self, entrant: Entrant) -> Result<(Place<'_>, Option<Caller>), Failure> {
        let place = self.place().ok_or_else(Failure::overloaded)?;
        let caller = match entrant {
            Entrant::Known(caller) => caller,
            Entrant::Pending(pending) => Some(self.ask(pending).await?),
        };
        Ok((place, caller))
    }

    /// Waits until it is known who asks.
    async fn ask(&self, pending: Pending) -> Result<Caller, Failure> {
        let answer = tokio::time::timeout(self.ask_timeout, pending.asked).await;
        let caller = answer
            .unwrap_or(Err(Why::Unavailable))
            .map_err(|why| Failure::unknown(why, pending.scheme))?;
        pending.class.admit(&caller)?;
        Ok(caller)
    }
}

/// Counts a request while it is worked on.
struct Place<'a>(&'a AtomicUsize);

impl Gate {
    /// Who is at the other end. Handlers find it where the connection put what it knew.
    fn peer(&self, request: &mut Request) -> Peer {
        let Some(known) = request.extensions().get::<Peer>().copied() else {
            return Peer::default();
        };
        let peer = self.proxies.resolve(known, request.headers());
        if peer != known {
            request.extensions_mut().insert(peer);
        }
        peer
    }

    fn place(&self) -> Option<Place<'_>> {
        let place = Place(&self.requests);
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        (before < self.most_requests).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The layer.
pub(crate) async fn pass(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let correlation = gate.correlations.of(request.headers());
    let path = request.extensions_mut().remove::<MatchedPath>();
    let matched = path.as_ref().map(MatchedPath::as_str);
    let route = matched.unwrap_or(NO_ROUTE);
    let method = request.method().clone();
    let shape = Shape::of(request.uri().path());
    let peer = gate.peer(&mut request);
    let (origin, admission) = gate.admit(&request, &peer, matched);

    let admitted = match admission {
        Ok(Admission::Preflight) => None,
        Ok(Admission::Enter(entrant)) => Some(gate.let_in(entrant).await),
        Err(failure) => Some(Err(failure)),
    };
    let mut response = match admitted {
        None => origin::preflight(request.headers(), shape == Shape::Attach),
        Some(Ok((_place, caller))) => {
            let forward = &gate.forward;
            enter(forward, request, caller, next, route, shape, &correlation).await
        }
        Some(Err(failure)) => refusal(failure, request.headers(), route, shape, &correlation),
    };

    let headers = response.headers_mut();
    headers.insert(correlation::HEADER, correlation.header());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        origin::allow(headers, origin, shape == Shape::Attach);
    }
    let time = begun.elapsed();
    gate.metrics.request(route, response.status(), time);
    log::answered(
        &method,
        route,
        response.status(),
        time,
        correlation.as_str(),
    );
    response
}

/// Runs the handler. A panic is a bug of ours; its client gets an answer and others notice nothing.
async fn enter(
    forward: &Forward,
    mut request: Request,
    caller: Option<Caller>,
    next: Next,
    route: &str,
    shape: Shape,
    correlation: &CorrelationId,
) -> Response {
    let is_known = caller.is_some();
    let grants = caller.as_ref().map(Caller::grants);
    let has_account = grants.is_some_and(|grants| grants.person.is_some());
    let administers = caller.as_ref().is_some_and(Caller::administers);
    if let Some(caller) = caller {
        let context = Context {
            caller,
            correlation: correlation.clone(),
        };
        request.extensions_mut().insert(context);
    }
    // Nothing that is open to all is another server's.
    let may_go_on = is_known && forward.may_have_to(&request);
    let copy = (may_go_on && has_account).then(|| forward.keep(&mut request));
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response =
        answer.unwrap_or_else(|_| Failure::internal("a handler panicked").into_response());
    if let Some(mut failure) = response.extensions_mut().remove::<Failure>() {
        if let Some(server) = failure.server().filter(|_| may_go_on) {
            match forward.send(copy, server).await {
                Ok(answer) => return answer,
                Err(other) => failure = other,
            }
            response = Response::new(Body::empty());
        }
        if administers {
            failure = failure.with_address();
        }
        log::refused(&failure, &HeaderMap::new(), route, correlation.as_str());
        shape.write(&failure, &mut response, correlation.as_str());
    }
    response
}

fn refusal(
    failure: Failure,
    headers: &HeaderMap,
    route: &str,
    shape: Shape,
    correlation: &CorrelationId,
) -> Response {
    log::refused(&failure, headers, route, correlation.as_str());
    let mut response = Response::new(Body::empty());
    shape.write(&failure, &mut response, correlation.as_str());
    response
}
