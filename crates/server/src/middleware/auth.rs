//! Reading the token out of a request.

use std::borrow::Cow;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a 401 says a client should have sent.
pub(crate) const BEARER: &str = "Bearer realm=\"wharf\"";
/// The same for the documentation pages, where a browser shows its own login box.
pub(crate) const BASIC: &str =
    "Basic realm=\"wharf: any name, the token as password\", charset=\"UTF-8\"";

/// The token, from `Authorization: Bearer` or `X-API-Key`. With both, the first counts.
pub(crate) fn token(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    match headers.get(AUTHORIZATION) {
        Some(value) => {
            let token = after_scheme(value.to_str().ok()?, "bearer")?;
            Some(Cow::Borrowed(token))
        }
        None => headers.get(API_KEY)?.to_str().ok().map(Cow::Borrowed),
    }
}

/// The token, also from the password of a browser's login box.
///
/// Only paths without effects accept this. A browser sends such credentials again by itself, also
/// when another site makes it ask, and a header that comes by itself must not run a command.
pub(crate) fn token_of_reader(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    token(headers).or_else(|| {
        let encoded = after_scheme(headers.get(AUTHORIZATION)?.to_str().ok()?, "basic")?;
        let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
        let (_, password) = decoded.split_once(':')?;
        Some(Cow::Owned(password.to_owned()))
    })
}

fn after_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (given, rest) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn a_bearer_token_or_an_api_key() {
        assert_eq!(
            token(&headers(&[("authorization", "Bearer t")])).as_deref(),
            Some("t")
        );
        assert_eq!(
            token(&headers(&[("authorization", "bearer  t")])).as_deref(),
            Some("t")
        );
        assert_eq!(token(&headers(&[("x-api-key", "k")])).as_deref(), Some("k"));
        assert_eq!(token(&headers(&[("authorization", "t")])), None);
    }

    #[test]
    fn a_login_box_counts_for_readers_only() {
        let basic = headers(&[("authorization", "Basic bWU6dDp1")]);
        assert_eq!(token(&basic), None);
        assert_eq!(token_of_reader(&basic).as_deref(), Some("t:u"));
        assert_eq!(
            token_of_reader(&headers(&[("authorization", "Basic ???")])),
            None
        );
    }
}
