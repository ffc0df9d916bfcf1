//! The one layer: correlation id, host, origin, token, bound, then the handler, then the log.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

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
use super::{auth, log};
use crate::auth::Authenticator;
use crate::error::Failure;
use crate::metrics::Metrics;
use crate::options::ServerOptions;

/// The only path that needs no token.
const OPEN: &str = "/health";
/// The paths that a browser's login box may open; they have no effects.
const READERS: [&str; 4] = ["/docs", "/docs/", "/docs/{*file}", "/openapi.json"];
/// What routes that do not exist are called in metrics and log.
const NO_ROUTE: &str = "none";

/// What the layer needs.
pub(crate) struct Gate {
    authenticator: Arc<dyn Authenticator>,
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
    Enter(Option<Caller>),
    Preflight,
}

impl Gate {
    pub(crate) fn new(options: &ServerOptions, engine: Engine, metrics: Arc<Metrics>) -> Self {
        Self {
            authenticator: Arc::clone(&options.authenticator),
            hosts: HostPolicy::new(&options.allowed_hosts, options.allow_addresses),
            origins: OriginPolicy::new(&options.allowed_origins),
            correlations: Correlations::new(&options.instance),
            most_requests: options.limits.requests,
            requests: AtomicUsize::new(0),
            metrics,
            forward: Forward::new(engine, options.peers.clone()),
        }
    }

    /// Requests that handlers work on.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Host, origin, token, in this order; nothing of the body has been read.
    fn admit(
        &self,
        request: &Request,
        route: &str,
    ) -> (Option<HeaderValue>, Result<Admission, Failure>) {
        let headers = request.headers();
        let Some(host) = self.hosts.admit(request.uri(), headers) else {
            return (None, Err(Failure::host_refused()));
        };
        if !self.forward.is_meant(headers) {
            return (None, Err(Failure::host_refused()));
        }
        let origin = match self.origins.source(headers, host) {
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
        (origin, self.identify(request, route).map(Admission::Enter))
    }

    fn identify(&self, request: &Request, route: &str) -> Result<Option<Caller>, Failure> {
        let headers = request.headers();
        if route == OPEN {
            return Ok(None);
        }
        let reader = READERS.contains(&route) && *request.method() == Method::GET;
        let (token, scheme) = if reader {
            (auth::token_of_reader(headers), auth::BASIC)
        } else {
            (auth::token(headers), auth::BEARER)
        };
        match self.authenticator.authenticate(token.as_deref()) {
            Some(caller) => Ok(Some(caller)),
            None => Err(Failure::unauthorized(scheme)),
        }
    }
}

/// Counts a request while it is worked on.
struct Place<'a>(&'a AtomicUsize);

impl Gate {
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
    let route = path.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = request.method().clone();
    let (origin, admission) = gate.admit(&request, route);

    let mut response = match admission {
        Err(failure) => refusal(failure, request.headers(), route, &correlation),
        Ok(Admission::Preflight) => origin::preflight(request.headers()),
        Ok(Admission::Enter(caller)) => match gate.place() {
            None => refusal(
                Failure::overloaded(),
                request.headers(),
                route,
                &correlation,
            ),
            Some(_place) => {
                if let Some(caller) = caller {
                    let context = Context {
                        caller,
                        correlation: correlation.clone(),
                    };
                    request.extensions_mut().insert(context);
                }
                enter(&gate.forward, request, next, route, &correlation).await
            }
        },
    };

    let headers = response.headers_mut();
    headers.insert(correlation::HEADER, correlation.header());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if let Some(origin) = origin {
        origin::allow(headers, origin);
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
    next: Next,
    route: &str,
    correlation: &CorrelationId,
) -> Response {
    let copy = forward.keep(&mut request);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response =
        answer.unwrap_or_else(|_| Failure::internal("a handler panicked").into_response());
    if let Some(mut failure) = response.extensions_mut().remove::<Failure>() {
        if let Some((copy, server)) = copy.zip(failure.server()) {
            match forward.send(copy, server).await {
                Ok(answer) => return answer,
                Err(other) => failure = other,
            }
            response = failure.clone().into_response();
            response.extensions_mut().remove::<Failure>();
        }
        log::refused(&failure, &HeaderMap::new(), route, correlation.as_str());
        failure.write(&mut response, correlation.as_str());
    }
    response
}

fn refusal(
    failure: Failure,
    headers: &HeaderMap,
    route: &str,
    correlation: &CorrelationId,
) -> Response {
    log::refused(&failure, headers, route, correlation.as_str());
    let mut response = failure.clone().into_response();
    response.extensions_mut().remove::<Failure>();
    failure.write(&mut response, correlation.as_str());
    response
}
