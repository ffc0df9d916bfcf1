//! Why somebody may not: 401 and 403 (RFC 6750), and what stands in for them where it cannot be told.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};

use super::{Failure, whole_seconds};
use crate::auth::Why;
use crate::middleware::auth::BEARER;

const NO_TOKEN: &str = "Send a token as `Authorization: Bearer TOKEN`; on the server's machine \
                        `wharf auth token` prints one.";
const WRONG_TOKEN: &str = "This token is none of this server's, or it has been revoked. Log in \
                           again; on the server's machine `wharf auth token` prints one.";
const EXPIRED_TOKEN: &str = "This token has expired. Log in again, or refresh it.";
const BEARER_WRONG: &str = "Bearer realm=\"wharf\", error=\"invalid_token\"";
const BEARER_EXPIRED: &str = "Bearer realm=\"wharf\", error=\"invalid_token\", \
                              error_description=\"the token has expired\"";

impl Failure {
    /// Nobody is known by the token. `scheme` is what the client should have sent.
    pub(crate) fn unknown(why: Why, scheme: &'static str) -> Self {
        let bearer = scheme == BEARER;
        match why {
            Why::Missing => Self::unauthorized(NO_TOKEN, scheme),
            Why::Wrong if bearer => Self::unauthorized(WRONG_TOKEN, BEARER_WRONG),
            Why::Wrong => Self::unauthorized(WRONG_TOKEN, scheme),
            Why::Expired if bearer => Self::unauthorized(EXPIRED_TOKEN, BEARER_EXPIRED),
            Why::Expired => Self::unauthorized(EXPIRED_TOKEN, scheme),
            Why::Throttled { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "Too many attempts",
                "Too many wrong tokens came from this address; try again later.",
            )
            .with_header(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)))
            .retryable(),
            Why::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "accounts_unavailable",
                "Accounts cannot be looked up",
                "Whose token this is cannot be found out at the moment; the token may well be \
                 good. Try again.",
            )
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            .retryable(),
        }
    }

    fn unauthorized(detail: &'static str, header: &'static str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A token is needed",
            detail,
        )
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(header))
    }

    /// 403: the token is not for this (RFC 6750, 3.1).
    pub(crate) fn insufficient_scope(scope: &'static str) -> Self {
        Self::insufficient(
            scope,
            format!(
                "This token is not for this: it would need the scope {scope}. Make or use one \
                 that has it."
            ),
        )
    }

    /// 403: no token of theirs would be for this, as long as the role is what it is.
    pub(crate) fn insufficient_role(scope: &'static str, detail: &'static str) -> Self {
        Self::insufficient(scope, detail.to_owned())
    }

    pub(crate) fn insufficient(scope: &'static str, detail: String) -> Self {
        let header = format!("{BEARER}, error=\"insufficient_scope\", scope=\"{scope}\"");
        let header =
            HeaderValue::try_from(header).unwrap_or_else(|_| HeaderValue::from_static(BEARER));
        Self::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "Not allowed",
            detail,
        )
        .with_header(WWW_AUTHENTICATE, header)
    }
}
