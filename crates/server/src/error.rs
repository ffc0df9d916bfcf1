//! Why a request was not carried out, as an answer.
//!
//! A handler fails with a [`Failure`]. As a response it is an empty shell that carries itself;
//! the gate, which alone knows the correlation id, writes the problem document. What a failure
//! holds for the log (`source`) never reaches a document.

mod access;
mod attach;
mod engine;
mod profiles;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use wharf_api::{FieldError, Problem};
use wharf_engine::ServerView;

/// The media type of all errors.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal, on its way to becoming a problem document.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    retryable: bool,
    errors: Option<Vec<FieldError>>,
    decision: Option<Value>,
    confirmation_token: Option<String>,
    measured: Option<Value>,
    approval: Option<wharf_api::ApprovalRef>,
    missing: Option<Vec<String>>,
    details: Option<Value>,
    header: Option<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// Whose it is.
    elsewhere: Option<ServerView>,
}

impl Failure {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            title,
            detail: detail.into(),
            retryable: false,
            errors: None,
            decision: None,
            confirmation_token: None,
            measured: None,
            approval: None,
            missing: None,
            details: None,
            header: None,
            source: None,
            elsewhere: None,
        }))
    }

    /// 422 with every member that is wrong.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [] => "The request is malformed.".to_owned(),
            [one] => format!("{}: {}", one.field, one.message),
            [first, rest @ ..] => {
                format!(
                    "{}: {} (and {} more)",
                    first.field,
                    first.message,
                    rest.len()
                )
            }
        };
        let mut failure = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_request",
            "Invalid request",
            detail,
        );
        failure.0.errors = Some(errors);
        failure
    }

    /// The same for another reason than that it is malformed.
    pub(crate) fn of_code(code: &'static str, errors: Vec<FieldError>) -> Self {
        let mut failure = Self::invalid(errors);
        failure.0.code = code;
        failure
    }

    /// 422 for one member.
    pub(crate) fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            field: field.to_owned(),
            message: message.into(),
        }])
    }

    /// 421: addressed to a name that is not this server's.
    pub(crate) fn host_refused() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "host_refused",
            "Unknown host name",
            "The Host header names a host that this server does not answer for. Use localhost, \
             or add the name to the configured hosts.",
        )
    }

    /// 403: asked for by a web page that may not.
    pub(crate) fn origin_refused() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "origin_refused",
            "Foreign origin",
            "The request comes from a web page of another origin. Add that origin to the \
             configured origins if its pages may use this server.",
        )
    }

    /// 404 for a path, or for a thing that is not there or somebody else's.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// 416: a part of a file behind its end.
    pub(crate) fn range_not_there(size: u64) -> Self {
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            "The part is not there",
            format!("The file has {size} bytes."),
        )
    }

    /// 405; the router adds `Allow`.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Method not allowed",
            "This path exists, but not for this method; the Allow header lists those it has.",
        )
    }

    /// 405 where no route says which methods there are.
    pub(crate) fn no_preflight() -> Self {
        Self::method_not_allowed().with_header(
            ALLOW,
            HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
        )
    }

    /// 408: the body did not arrive in time.
    pub(crate) fn body_too_slow() -> Self {
        let mut failure = Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "Request took too long",
            "The request's body did not arrive in time.",
        );
        failure.0.retryable = true;
        failure
    }

    /// 413.
    pub(crate) fn body_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "Body too large",
            format!("The request's body has more than {limit} bytes."),
        )
    }

    /// 400: no request can be made of what came.
    pub(crate) fn malformed_head() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed_head",
            "Malformed request",
            "The request line or the headers cannot be read as HTTP/1.1; nothing was done.",
        )
    }

    /// 414.
    pub(crate) fn uri_too_long() -> Self {
        Self::new(
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            "Address too long",
            "The request's address is longer than any path of this server.",
        )
    }

    /// 431.
    pub(crate) fn head_too_large(bytes: usize, headers: usize) -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head_too_large",
            "Headers too large",
            format!(
                "The request line and headers have more than {bytes} bytes, or there are more \
                 than {headers} headers."
            ),
        )
    }

    /// 415.
    pub(crate) fn not_json() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "JSON is needed",
            "Send the body with `Content-Type: application/json`, not compressed.",
        )
    }

    /// 415, where a form is read.
    pub(crate) fn not_a_form() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "A form is needed",
            "Send the body with `Content-Type: application/x-www-form-urlencoded`, not compressed.",
        )
    }

    /// 503: as many requests as may be are being worked on.
    pub(crate) fn overloaded() -> Self {
        let mut failure = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "Too many requests at once",
            "The server works on as many requests as it may at once; try again.",
        )
        .with_header(RETRY_AFTER, HeaderValue::from_static("1"));
        failure.0.retryable = true;
        failure
    }

    /// 500. What happened goes to the log, not into the answer.
    pub(crate) fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut failure = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "The server failed",
            "Something went wrong in the server. Its log says more under the correlation id.",
        );
        failure.0.source = Some(Arc::from(source.into()));
        failure
    }

    /// 503: it is another server's, and cannot be handed on.
    pub(crate) fn elsewhere(server: &ServerView) -> Self {
        let why = match (server.live, server.url.is_empty()) {
            (false, _) => ", which is not there now",
            (true, true) => ", which has no address for other servers",
            (true, false) => "",
        };
        let detail = format!(
            "It is of another server, {}{why}. Ask that one, or wait for it.",
            server.id
        );
        Self::of_another(StatusCode::SERVICE_UNAVAILABLE, server, detail).retryable()
    }

    /// 503: the other server does not answer.
    pub(crate) fn unreachable_server(server: &ServerView, why: &str) -> Self {
        let detail = format!(
            "It is of another server, {}, and that cannot be reached: {}",
            server.id,
            sentence(why)
        );
        Self::of_another(StatusCode::SERVICE_UNAVAILABLE, server, detail).retryable()
    }

    /// 403: the other server does not know who asks.
    pub(crate) fn unknown_elsewhere(server: &ServerView) -> Self {
        let detail = format!(
            "It is of another server, {}, which does not know this token: the local token of a \
             machine counts there alone. Log in with an account, or ask that server.",
            server.id
        );
        Self::of_another(StatusCode::FORBIDDEN, server, detail)
    }

    /// 421: handed on by another server, which meant a third one.
    pub(crate) fn not_meant() -> Self {
        Self::new(
            StatusCode::MISDIRECTED_REQUEST,
            "other_server_meant",
            "Another server is meant",
            "Another server has handed this on to the address of a server that is not there any \
             more; this one has answered in its place.",
        )
    }

    fn of_another(status: StatusCode, server: &ServerView, detail: String) -> Self {
        let mut failure = Self::new(status, "elsewhere", "Another server has it", detail);
        failure.0.elsewhere = Some(server.clone());
        failure
    }

    /// With the other server's address, for those who look after servers and nobody else.
    pub(crate) fn with_address(mut self) -> Self {
        let url = self.0.elsewhere.as_ref().map(|server| server.url.as_str());
        if let Some(url) = url.filter(|url| !url.is_empty()) {
            self.0.detail = format!("{} Its address is {url}", self.0.detail);
        }
        self
    }

    /// The server whose it is, if it is another's.
    pub(crate) fn server(&self) -> Option<&ServerView> {
        self.0.elsewhere.as_ref()
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    pub(crate) fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// More about it, for the families of clients that look for `details`.
    pub(crate) fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// What happened, for the log alone.
    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    pub(crate) fn title(&self) -> &'static str {
        self.0.title
    }

    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    pub(crate) fn details(&self) -> Option<&Value> {
        self.0.details.as_ref()
    }

    pub(crate) fn errors(&self) -> Option<&[FieldError]> {
        self.0.errors.as_deref()
    }

    pub(crate) fn header(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.0.header.as_ref()
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    /// For the log alone.
    pub(crate) fn source(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.0.source.as_deref()
    }

    /// The document.
    pub(crate) fn problem(&self, correlation_id: &str) -> Problem {
        let parts = &self.0;
        Problem {
            kind: format!("/problems/{}", parts.code),
            title: parts.title.to_owned(),
            status: parts.status.as_u16(),
            detail: parts.detail.clone(),
            code: parts.code.to_owned(),
            retryable: parts.retryable,
            correlation_id: correlation_id.to_owned(),
            errors: parts.errors.clone(),
            decision: parts.decision.clone(),
            confirmation_token: parts.confirmation_token.clone(),
            measured: parts.measured.clone(),
            approval: parts.approval.clone(),
            missing: parts.missing.clone(),
            error: None,
            details: parts.details.clone(),
        }
    }

    /// The document as JSON.
    pub(crate) fn document(&self, correlation_id: &str) -> Vec<u8> {
        serde_json::to_vec(&self.problem(correlation_id)).unwrap_or_default()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// Never zero: a client that obeys it must not spin.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0))
        .max(1)
}

/// The engine's words begin small and end without a stop, as error messages in Rust do.
pub(crate) fn sentence(words: &str) -> String {
    let mut text = String::with_capacity(words.len() + 1);
    let mut letters = words.chars();
    if let Some(first) = letters.next() {
        text.extend(first.to_uppercase());
    }
    text.push_str(letters.as_str());
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use wharf_engine::Error;

    use super::*;

    #[test]
    fn retry_after_is_rounded_up_and_never_zero() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(3)), 3);
    }

    #[test]
    fn an_internal_source_is_not_in_the_document() {
        let error = Error::Internal {
            context: "opening",
            source: "/home/x/secret.db".into(),
        };
        let failure = Failure::from(error);
        let document = String::from_utf8(failure.document("c-1")).unwrap();
        assert!(
            !document.contains("secret.db") && !document.contains("opening"),
            "{document}"
        );
        assert_eq!(failure.source().unwrap().to_string(), "opening");
    }
}
