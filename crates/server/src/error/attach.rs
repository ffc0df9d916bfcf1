//! Why a client is not handed on to an agent in a sandbox. None of the words has a ticket or an
//! address in it: clients print them.

use std::time::Duration;

use axum::http::header::{ALLOW, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};

use super::{Failure, sentence, whole_seconds};

const SESSION_UNAVAILABLE: &str = "session_unavailable";

impl Failure {
    /// 401: the ticket opens nothing. Without a challenge, at which clients would ask for a password
    /// that there is not.
    pub(crate) fn wrong_ticket() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "wrong_ticket",
            "The ticket is not good",
            "This ticket for a sandbox session has expired, or is for another session. Run `wharf` \
             again in the directory to get a new one.",
        )
    }

    /// Whether it is the session that is not to be had, and nothing that failed.
    pub(crate) fn is_about_a_session(&self) -> bool {
        self.code() == SESSION_UNAVAILABLE
    }

    /// 503: the session is not there.
    pub(crate) fn session_unavailable(reason: &str, retry_after: Option<Duration>) -> Self {
        let failure = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            SESSION_UNAVAILABLE,
            "Session not available",
            sentence(reason),
        );
        match retry_after {
            Some(time) => failure
                .with_header(RETRY_AFTER, HeaderValue::from(whole_seconds(time)))
                .retryable(),
            None => failure,
        }
    }

    /// 405: what would repeat the sandbox's own credentials, or asks for no path.
    pub(crate) fn never_attached(method: &Method) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            format!("{method} does not go to an agent in a sandbox; every other method does."),
        )
        .with_header(
            ALLOW,
            HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        )
    }

    /// 429: the session has as many requests under way as one may have.
    pub(crate) fn session_full(retry_after: Duration) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "session_full",
            "Too many requests at once",
            "As many requests as may be are under way in this sandbox session; try again.",
        )
        .with_header(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)))
        .retryable()
    }

    /// 429: the sessions of an account have as many requests under way as one account's may have.
    pub(crate) fn account_full(retry_after: Duration) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "account_full",
            "Too many requests at once",
            "As many requests as may be are under way in the sandbox sessions of your account; try \
             again.",
        )
        .with_header(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)))
        .retryable()
    }

    /// 502.
    pub(crate) fn agent_broken(detail: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "agent_broken",
            "The agent in the sandbox does not answer",
            detail,
        )
    }

    /// 400, to whom may still hear it.
    pub(crate) fn body_broke_off() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed_body",
            "Malformed body",
            "The request's body broke off, or is not framed as HTTP/1.1 frames bodies.",
        )
    }

    /// 505: whoever speaks HTTP/1.0 cannot tell an answer that broke off from a whole one.
    pub(crate) fn attach_needs_http_1_1() -> Self {
        Self::new(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "http_version",
            "HTTP/1.1 is needed",
            "Sandbox sessions are attached to over HTTP/1.1. A proxy in between may have to be told \
             so (nginx: `proxy_http_version 1.1`).",
        )
    }

    /// 503: this server has no sandboxes.
    pub(crate) fn no_attach() -> Self {
        Self::session_unavailable("this server was started without sandbox sessions", None)
    }
}
