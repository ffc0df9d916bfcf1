//! What of a head goes on, either way.

use std::net::SocketAddr;

use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_SECURITY_POLICY_REPORT_ONLY, CONTENT_TYPE, COOKIE, FORWARDED, HOST, LOCATION, ORIGIN,
    REFERER, REFERRER_POLICY, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TE, TRANSFER_ENCODING,
    UPGRADE, VIA, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Upstream;
use crate::hop::{going_on, tokens};

/// What of a request stays here: credentials of this server, where the request comes from, which
/// anybody could have written, and what was looked at here. `Referer` has the ticket in it.
const STAYS_OF_REQUEST: [HeaderName; 11] = [
    AUTHORIZATION,
    COOKIE,
    FORWARDED,
    HOST,
    ORIGIN,
    REFERER,
    VIA,
    CONTENT_LENGTH,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-confirmation-token"),
];
/// The beginnings of more such names.
const STAY_OF_REQUEST: [&str; 2] = ["x-forwarded-", "wharf-"];

/// What of an answer stays there: what a browser would take for words of this server about itself,
/// and what would have it tell somebody else the page's address.
const STAYS_OF_ANSWER: [HeaderName; 12] = [
    CONTENT_SECURITY_POLICY,
    CONTENT_SECURITY_POLICY_REPORT_ONLY,
    SET_COOKIE,
    STRICT_TRANSPORT_SECURITY,
    WWW_AUTHENTICATE,
    HeaderName::from_static("alt-svc"),
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("authentication-info"),
];
const STAY_OF_ANSWER: [&str; 2] = ["access-control-", "wharf-"];

/// A page of a sandbox's belongs to nobody: it has no cookies, runs nothing, and cannot call this
/// server as one of its own pages. It loads and sends nothing elsewhere either: markup can have an
/// address sent along whatever the header says (`referrerpolicy`, `<meta name="referrer">`).
const NOWHERE: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'self' 'unsafe-inline' data:; base-uri 'none'; form-action 'none'",
);
/// Addresses of such a page have a ticket in them.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");

/// Protocols after which HTTP would go on: its requests would pass unseen.
const STILL_HTTP: [&str; 3] = ["h2c", "http", "tls"];

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// There is none.
    None,
    Known(u64),
    Unknown,
}

/// The head for the agent's server. How the body is framed is said anew, whatever the client said,
/// so that the two of them cannot disagree about where it ends.
pub(super) fn of_request(
    headers: &HeaderMap,
    upstream: &Upstream,
    length: Length,
    protocol: Option<&HeaderValue>,
) -> HeaderMap {
    let mut going = going_on(headers, stays);
    // An address is always a header's value.
    if let Ok(host) = HeaderValue::try_from(upstream.address.to_string()) {
        going.insert(HOST, host);
    }
    let mut authorization = upstream.authorization.clone();
    authorization.set_sensitive(true);
    going.insert(AUTHORIZATION, authorization);
    match length {
        Length::None => {}
        Length::Known(bytes) => {
            going.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        Length::Unknown => {
            going.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
    if let Some(protocol) = protocol {
        going.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        going.insert(UPGRADE, protocol.clone());
    } else if tokens(headers, &TE).any(|coding| coding.eq_ignore_ascii_case("trailers")) {
        going.insert(CONNECTION, HeaderValue::from_static("te"));
        going.insert(TE, HeaderValue::from_static("trailers"));
    }
    going
}

/// The protocol that a request would go on with, if it is one that this may hand on blindly.
pub(super) fn protocol(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let protocol = upgrades.next()?;
    let asked = tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let blind = tokens(headers, &UPGRADE).all(|token| {
        let name = token.split('/').next().unwrap_or(token);
        !STILL_HTTP
            .iter()
            .any(|http| name.eq_ignore_ascii_case(http))
    });
    (asked && blind && upgrades.next().is_none()).then_some(protocol)
}

/// The head for the client. `prefix` is what stands before the agent's own paths.
pub(super) fn of_answer(
    status: StatusCode,
    headers: &HeaderMap,
    address: SocketAddr,
    prefix: &str,
) -> HeaderMap {
    let mut going = going_on(headers, |name| {
        is_one(name, &STAYS_OF_ANSWER, &STAY_OF_ANSWER)
    });
    // The encoding counts where both are there (RFC 9112, 6.3), and it ended here.
    if headers.contains_key(TRANSFER_ENCODING) {
        going.remove(CONTENT_LENGTH);
    }
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let back = location.and_then(|location| way_back(location, address, prefix));
    if let Some(back) = back.and_then(|back| HeaderValue::try_from(back).ok()) {
        going.insert(LOCATION, back);
    }
    if status == StatusCode::SWITCHING_PROTOCOLS {
        going.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(protocol) = headers.get(UPGRADE) {
            going.insert(UPGRADE, protocol.clone());
        }
        return going;
    }
    going.insert(CONTENT_SECURITY_POLICY, NOWHERE);
    going.insert(REFERRER_POLICY, NO_REFERRER);
    going
}

/// Whether a header of a request stays here and is nothing to the agent's server.
pub(crate) fn stays(name: &HeaderName) -> bool {
    is_one(name, &STAYS_OF_REQUEST, &STAY_OF_REQUEST)
}

/// Whether an answer is a stream of events.
pub(super) fn is_events(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// Where a path of the agent's server is found from outside; none for what is elsewhere, and for
/// what is relative and so right already.
fn way_back(location: &str, address: SocketAddr, prefix: &str) -> Option<String> {
    let path = match location.strip_prefix(&format!("http://{address}")) {
        Some("") => "/",
        Some(path) if path.starts_with(['/', '?', '#']) => path,
        Some(_) => return None,
        None if location.starts_with('/') && !location.starts_with("//") => location,
        None => return None,
    };
    Some(format!("{prefix}{path}"))
}

fn is_one(name: &HeaderName, names: &[HeaderName], beginnings: &[&str]) -> bool {
    let begins = |beginning: &&str| name.as_str().starts_with(*beginning);
    names.contains(name) || beginnings.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn shown(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut lines: Vec<_> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    fn upstream() -> Upstream {
        Upstream {
            address: "127.0.0.1:4096".parse().unwrap(),
            authorization: HeaderValue::from_static("Basic own"),
            account: "acme".into(),
            ended: CancellationToken::new(),
        }
    }

    #[test]
    fn of_a_request_goes_on_what_is_the_agents_and_nothing_of_this_server() {
        let headers = map(&[
            ("host", "wharf.example"),
            ("authorization", "Bearer whk_1"),
            ("x-api-key", "whk_1"),
            ("cookie", "wharf=1"),
            ("origin", "https://wharf.example"),
            ("referer", "https://wharf.example/proxy/s/t/opencode/"),
            ("forwarded", "for=1.2.3.4"),
            ("via", "1.1 x"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil"),
            ("x-real-ip", "1.2.3.4"),
            ("wharf-forwarded-by", "srv"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("content-length", "7"),
            ("accept", "*/*"),
            ("x-opencode-directory", "/a"),
        ]);
        let going = of_request(&headers, &upstream(), Length::Known(5), None);
        assert_eq!(
            shown(&going),
            [
                "accept: */*",
                "authorization: Basic own",
                "content-length: 5",
                "host: 127.0.0.1:4096",
                "x-opencode-directory: /a",
            ]
        );
        assert!(going[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn how_a_body_ends_is_said_once() {
        let headers = map(&[
            ("content-length", "1"),
            ("transfer-encoding", "gzip, chunked"),
        ]);
        let of = |length| {
            let going = of_request(&headers, &upstream(), length, None);
            let get = |name| {
                let value = going.get(name)?;
                Some(value.to_str().unwrap().to_owned())
            };
            (get("content-length"), get("transfer-encoding"))
        };
        assert_eq!(of(Length::None), (None, None));
        assert_eq!(of(Length::Known(0)), (Some("0".to_owned()), None));
        assert_eq!(of(Length::Unknown), (None, Some("chunked".to_owned())));
    }

    #[test]
    fn another_protocol_goes_on_unless_it_is_http_again() {
        let of = |upgrade, connection| {
            let headers = map(&[("upgrade", upgrade), ("connection", connection)]);
            protocol(&headers).is_some()
        };
        assert!(of("websocket", "Upgrade"));
        assert!(of("x-pty/1", "keep-alive, upgrade"));
        assert!(!of("websocket", "keep-alive"));
        for http in ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.2"] {
            assert!(!of(http, "upgrade, http2-settings"), "{http}");
        }
        let twice = map(&[
            ("upgrade", "a"),
            ("upgrade", "b"),
            ("connection", "upgrade"),
        ]);
        assert!(protocol(&twice).is_none());
        let headers = map(&[("upgrade", "websocket"), ("connection", "x, Upgrade")]);
        let going = of_request(&headers, &upstream(), Length::None, protocol(&headers));
        assert_eq!(
            (going[UPGRADE].as_bytes(), going[CONNECTION].as_bytes()),
            (&b"websocket"[..], &b"upgrade"[..])
        );
        let without = of_request(&headers, &upstream(), Length::None, None);
        assert!(!without.contains_key(UPGRADE) && !without.contains_key(CONNECTION));
    }

    #[test]
    fn who_can_read_trailers_says_so_anew() {
        let headers = map(&[("te", "gzip, trailers"), ("connection", "te")]);
        let going = of_request(&headers, &upstream(), Length::None, None);
        assert_eq!(going[TE], "trailers");
        let headers = map(&[("te", "gzip")]);
        let going = of_request(&headers, &upstream(), Length::None, None);
        assert!(!going.contains_key(TE));
    }

    #[test]
    fn an_answer_does_not_speak_for_this_server() {
        let headers = map(&[
            ("content-type", "text/html"),
            ("content-security-policy", "report-uri https://evil/x"),
            ("content-security-policy", "default-src *"),
            (
                "content-security-policy-report-only",
                "default-src 'none'; report-uri https://evil/x",
            ),
            ("set-cookie", "wharf=evil"),
            ("strict-transport-security", "max-age=1"),
            ("clear-site-data", "\"*\""),
            ("alt-svc", "h2=\"evil:1\""),
            ("access-control-allow-origin", "*"),
            ("www-authenticate", "Basic"),
            ("referrer-policy", "unsafe-url"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("content-length", "4"),
            ("trailer", "x-sum"),
        ]);
        let going = of_answer(StatusCode::OK, &headers, upstream().address, "/p");
        assert_eq!(
            shown(&going),
            [
                "content-security-policy: sandbox; default-src 'self' 'unsafe-inline' data:; \
                 base-uri 'none'; form-action 'none'",
                "content-type: text/html",
                "referrer-policy: no-referrer",
                "trailer: x-sum",
            ]
        );
    }

    #[test]
    fn a_redirect_stays_behind_the_prefix() {
        let address = upstream().address;
        let of = |location: &str| way_back(location, address, "/proxy/s/t/opencode");
        let is = |location: &str, path: &str| {
            let whole = format!("/proxy/s/t/opencode{path}");
            assert_eq!(of(location), Some(whole), "{location}");
        };
        is("/x?y#z", "/x?y#z");
        is("http://127.0.0.1:4096", "/");
        is("http://127.0.0.1:4096/x", "/x");
        for elsewhere in [
            "x",
            "../x",
            "//evil/x",
            "https://evil/x",
            "http://127.0.0.1:40961/x",
            "http://127.0.0.1:4096@evil/",
        ] {
            assert_eq!(of(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn events_are_told_by_their_type() {
        let of = |kind| is_events(&map(&[("content-type", kind)]));
        assert!(of("text/event-stream") && of("Text/Event-Stream; charset=utf-8"));
        assert!(!of("application/json") && !of("text/event-streams"));
    }
}
