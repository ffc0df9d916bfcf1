//! Which web pages may call.
//!
//! A page of any site may send requests to this machine. Browsers say whose page it is, in
//! `Origin` or `Sec-Fetch-Site`; a request that carries a foreign one is refused before anything
//! of it is read, whatever its token. Nothing is answered with `*`, and credentials are never
//! allowed across origins: a configured page sends its token itself.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::attach::stays;
use crate::hop::tokens;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// Origins whose pages may call.
#[derive(Clone, Debug)]
pub(crate) struct OriginPolicy {
    configured: Vec<String>,
    /// This server's own, behind a proxy that speaks TLS for it.
    public: Option<String>,
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
    /// Pages that came from `public`, the address that the server is known by, are its own.
    pub(crate) fn new(configured: &[String], public: Option<&str>) -> Self {
        let usable = |origin: &String| {
            let (scheme, rest) = origin.split_once("://")?;
            (!scheme.is_empty() && !rest.is_empty() && !origin.contains('*'))
                .then(|| origin.trim_end_matches('/').to_ascii_lowercase())
        };
        Self {
            configured: configured.iter().filter_map(usable).collect(),
            public: public.and_then(origin_of),
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
        let public = self.public.as_deref() == Some(text);
        if own || public {
            site(headers)
        } else {
            Source::Foreign
        }
    }
}

/// The origin of an address, as browsers write it.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let scheme = scheme.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "https" => ":443",
        _ => ":80",
    };
    let authority = authority.strip_suffix(usual).unwrap_or(authority);
    (!authority.is_empty()).then(|| format!("{scheme}://{}", authority.to_ascii_lowercase()))
}

/// Whether a person follows a link, wherever it stands: the whole window goes there, nothing of
/// what is shown can be read by who sent them, and a GET changes nothing.
pub(crate) fn is_visit(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: HeaderName, value: &str| headers.get(name).is_some_and(|given| given == value);
    *method == Method::GET
        && !headers.contains_key(ORIGIN)
        && is(SEC_FETCH_MODE, "navigate")
        && is(SEC_FETCH_DEST, "document")
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

/// Headers that a configured page may send.
const ALLOWED: &str = "authorization, content-type, accept, x-api-key, idempotency-key, \
    last-event-id, x-correlation-id, if-match, if-none-match";
/// Headers of an answer that it may read, beside those that every page may.
const EXPOSED: &str = "x-correlation-id, retry-after, etag, idempotency-replayed, x-output-total, \
    x-output-next-offset, x-output-dropped, x-output-running";

/// The answer to a configured page that asks beforehand. What an agent's server understands is for
/// that to say, so that on the way `to_agent` its page may send whatever goes on there.
pub(crate) fn preflight(headers: &HeaderMap, to_agent: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
    );
    let asked = tokens(headers, &ACCESS_CONTROL_REQUEST_HEADERS);
    let asked = asked.filter_map(|name| name.parse::<HeaderName>().ok());
    let going = asked.filter(|name| to_agent && !stays(name));
    let allowed = with_names(ALLOWED, going);
    answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if headers
        .get(REQUEST_PRIVATE_NETWORK)
        .is_some_and(|asked| asked == "true")
    {
        answer.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    response
}

/// Lets a configured page read the answer; all headers of it where it is an agent's.
pub(crate) fn allow(headers: &mut HeaderMap, origin: HeaderValue, of_agent: bool) {
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    let exposed = with_names(EXPOSED, names.into_iter().filter(|_| of_agent));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.append(VARY, HeaderValue::from_static("origin"));
}

/// A list of names with more of them behind it.
fn with_names(list: &'static str, more: impl Iterator<Item = HeaderName>) -> HeaderValue {
    let mut names = list.to_owned();
    for name in more {
        if !list.split(", ").any(|known| known == name.as_str()) {
            names.push_str(", ");
            names.push_str(name.as_str());
        }
    }
    HeaderValue::try_from(names).unwrap_or(HeaderValue::from_static(list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_send_an_agent_what_goes_on_to_it() {
        let asked = [(
            ACCESS_CONTROL_REQUEST_HEADERS,
            HeaderValue::from_static("x-OpenCode-directory, accept,x-real-ip, cookie, not a name"),
        )];
        let asked: HeaderMap = asked.into_iter().collect();
        let allowed = |to_agent| {
            let answer = preflight(&asked, to_agent);
            let allowed = answer.headers()[ACCESS_CONTROL_ALLOW_HEADERS].to_str();
            allowed.unwrap().to_owned()
        };
        assert_eq!(allowed(false), ALLOWED);
        assert_eq!(allowed(true), format!("{ALLOWED}, x-opencode-directory"));
    }

    #[test]
    fn a_page_may_read_what_an_agent_answers() {
        let read = |of_agent| {
            let own = [(HeaderName::from_static("x-next"), HeaderValue::from(1))];
            let mut headers: HeaderMap = own.into_iter().collect();
            allow(
                &mut headers,
                HeaderValue::from_static("https://a"),
                of_agent,
            );
            let exposed = headers[ACCESS_CONTROL_EXPOSE_HEADERS].to_str();
            exposed.unwrap().to_owned()
        };
        assert_eq!(read(false), EXPOSED);
        assert_eq!(read(true), format!("{EXPOSED}, x-next"));
    }

    #[test]
    fn the_origin_of_an_address_is_as_browsers_write_it() {
        for (url, origin) in [
            ("https://Box.example/wharf", "https://box.example"),
            ("https://box.example:443", "https://box.example"),
            ("http://box.lan:7304/x?y", "http://box.lan:7304"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(origin_of(url).as_deref(), Some(origin), "{url}");
        }
        assert_eq!(origin_of("box.example"), None);
        assert_eq!(origin_of("https://"), None);
    }

    #[test]
    fn pages_of_the_public_address_are_own_ones() {
        let policy = OriginPolicy::new(&[], Some("https://box.example/"));
        let of = |origin: &'static str| {
            let headers = [(ORIGIN, HeaderValue::from_static(origin))];
            policy.source(&headers.into_iter().collect(), "box.example", false)
        };
        assert_eq!(of("https://box.example"), Source::Own);
        assert_eq!(of("http://box.example"), Source::Own);
        assert_eq!(of("https://box.example.evil"), Source::Foreign);
        assert_eq!(of("https://box.example:8443"), Source::Foreign);
        assert_eq!(of("null"), Source::Foreign);
    }
}
