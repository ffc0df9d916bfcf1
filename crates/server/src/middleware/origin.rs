//! Which web pages may call.
//!
//! A page of any site may send requests to this machine. Browsers say whose page it is, in
//! `Origin` or `Sec-Fetch-Site`; a request that carries a foreign one is refused before anything
//! of it is read, whatever its token. Nothing is answered with `*`, and credentials are never
//! allowed across origins: a configured page sends its token itself.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// Origins whose pages may call.
#[derive(Clone, Debug)]
pub(crate) struct OriginPolicy {
    configured: Vec<String>,
}

/// Where a request comes from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Not from a page, or from a page of this server's own.
    Own,
    /// From a page of a configured origin, which must be repeated in the answer.
    Configured(HeaderValue),
    /// From any other page.
    Foreign,
}

impl OriginPolicy {
    /// `null` and `*` cannot be configured: the first is what every sandboxed frame sends.
    pub(crate) fn new(configured: &[String]) -> Self {
        let usable = |origin: &String| {
            let (scheme, rest) = origin.split_once("://")?;
            (!scheme.is_empty() && !rest.is_empty() && !origin.contains('*'))
                .then(|| origin.trim_end_matches('/').to_ascii_lowercase())
        };
        Self {
            configured: configured.iter().filter_map(usable).collect(),
        }
    }

    /// `host` is the request's authority, already known to be ours; `secure`: a proxy of ours has
    /// been asked for it over TLS.
    pub(crate) fn source(&self, headers: &HeaderMap, host: &str, secure: bool) -> Source {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return site(headers);
        };
        let Ok(text) = origin.to_str() else {
            return Source::Foreign;
        };
        if origins.next().is_some() {
            return Source::Foreign;
        }
        if self.configured.iter().any(|known| known == text) {
            return Source::Configured(origin.clone());
        }
        let scheme = if secure { "https://" } else { "http://" };
        let own = text
            .strip_prefix(scheme)
            .is_some_and(|name| name.eq_ignore_ascii_case(host));
        if own { site(headers) } else { Source::Foreign }
    }
}

/// Without `Origin` (images, links, forms with GET) the browser's own words decide.
fn site(headers: &HeaderMap) -> Source {
    let own = headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    if own { Source::Own } else { Source::Foreign }
}

/// Whether a browser asks beforehand.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a configured page that asks beforehand.
pub(crate) fn preflight(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, DELETE"),
    );
    answer.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, accept, x-api-key, idempotency-key, last-event-id, \
             x-correlation-id",
        ),
    );
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if headers
        .get(REQUEST_PRIVATE_NETWORK)
        .is_some_and(|asked| asked == "true")
    {
        answer.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    response
}

/// Lets a configured page read the answer.
pub(crate) fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "x-correlation-id, retry-after, idempotency-replayed, x-output-total, \
             x-output-next-offset, x-output-dropped, x-output-running",
        ),
    );
    headers.append(VARY, HeaderValue::from_static("origin"));
}
