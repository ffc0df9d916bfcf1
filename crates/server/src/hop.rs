//! Headers that are between two machines, and end where they arrive (RFC 9110, 7.6.1).

use axum::http::header::{
    CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName};

/// Those that need not be named in `Connection`.
const NEXT_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// `headers` as far as they go on: not those between two machines, nor those that `Connection`
/// names, nor those that `stays` says stay here.
pub(crate) fn going_on(headers: &HeaderMap, stays: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter_map(|token| HeaderName::try_from(token).ok())
        .collect();
    let mut going = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if !NEXT_HOP.contains(name) && !named.contains(name) && !stays(name) {
            going.append(name.clone(), value.clone());
        }
    }
    going
}

/// The elements of a header that is a list of words, over all of its lines.
pub(crate) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter();
    let words = lines.filter_map(|line| line.to_str().ok());
    words
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_is_between_two_machines_ends_and_the_rest_keeps_its_order() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Once"),
            ("connection", "x-twice,,not a name"),
            ("x-once", "1"),
            ("x-twice", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-kept", "1"),
            ("x-own", "1"),
            ("x-kept", "2"),
            ("trailer", "x-sum"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let going = going_on(&headers, |name| name == "x-own");
        let names: Vec<_> = going.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-kept", "trailer"]);
        let kept: Vec<_> = going.get_all("x-kept").iter().collect();
        assert_eq!(kept, ["1", "2"]);
    }
}
