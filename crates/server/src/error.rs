//! Why a request was not carried out, as an answer.
//!
//! A handler fails with a [`Failure`]. As a response it is an empty shell that carries itself;
//! the gate, which alone knows the correlation id, writes the problem document. What a failure
//! holds for the log (`source`) never reaches a document.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use wharf_api::{FieldError, Problem};
use wharf_engine::files::FilesError;
use wharf_engine::{Error, ServerView};

use crate::convert::decision_json;

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
    header: Option<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// Whose it is.
    elsewhere: Option<ServerView>,
}

impl Failure {
    fn new(
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

    /// 422 for one member.
    pub(crate) fn invalid_field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            field: field.to_owned(),
            message: message.into(),
        }])
    }

    /// 401. `scheme` is what the client should have sent.
    pub(crate) fn unauthorized(scheme: &'static str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A token is needed",
            "Send the server's token as `Authorization: Bearer TOKEN`; on the server's machine \
             `wharf auth token` prints it.",
        )
        .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(scheme))
    }

    /// 403 for a caller who is known but not entitled.
    pub(crate) fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
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

    /// What is wrong with a file.
    fn file(error: &FilesError) -> Self {
        let words = error.to_string();
        let (status, code, title) = match error {
            FilesError::NotFound { .. } => return Self::not_found(words),
            FilesError::Path { .. } => return Self::invalid_field("path", words),
            FilesError::PermissionDenied { .. } => (
                StatusCode::FORBIDDEN,
                "permission_denied",
                "The account may not",
            ),
            FilesError::IsDirectory { .. }
            | FilesError::NotDirectory { .. }
            | FilesError::NotRegular { .. }
            | FilesError::NotEmpty { .. }
            | FilesError::TooManyLinks { .. }
            | FilesError::ReadOnly { .. } => (
                StatusCode::CONFLICT,
                "not_possible",
                "It cannot be done to this",
            ),
            FilesError::Exists { .. } | FilesError::Changed { .. } => (
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "It is not what was expected",
            ),
            FilesError::Partial { .. } => (
                StatusCode::CONFLICT,
                "wrong_offset",
                "The transfer goes on elsewhere",
            ),
            FilesError::Damaged { .. } => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "damaged",
                "What arrived is not what was sent",
            ),
            FilesError::NoSpace { .. } => (
                StatusCode::INSUFFICIENT_STORAGE,
                "no_space",
                "No space is left",
            ),
            FilesError::NoWay { .. }
            | FilesError::Open(_)
            | FilesError::Lost { .. }
            | FilesError::Failed { .. } => (
                StatusCode::BAD_GATEWAY,
                "connection_failed",
                "The host does not do it",
            ),
            FilesError::TooSlow { .. } => {
                (StatusCode::GATEWAY_TIMEOUT, "timeout", "It takes too long")
            }
        };
        Self::new(status, code, title, words)
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
        Self::method_not_allowed()
            .with_header(ALLOW, HeaderValue::from_static("GET, POST, PUT, DELETE"))
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
        let detail = format!("It is of another server: {server}. Ask that one, or wait for it.");
        Self::of_another(StatusCode::SERVICE_UNAVAILABLE, detail).retryable()
    }

    /// 503: the other server does not answer.
    pub(crate) fn unreachable_server(server: &ServerView, why: &str) -> Self {
        let detail = format!(
            "It is of another server, {server}, and that cannot be reached: {}",
            sentence(why)
        );
        Self::of_another(StatusCode::SERVICE_UNAVAILABLE, detail).retryable()
    }

    /// 403: the other server does not know who asks.
    pub(crate) fn unknown_elsewhere(server: &ServerView) -> Self {
        let detail = format!(
            "It is of another server, {server}, which does not know this token: the local token \
             of a machine counts there alone. Log in with an account, or ask that server."
        );
        Self::of_another(StatusCode::FORBIDDEN, detail)
    }

    fn of_another(status: StatusCode, detail: String) -> Self {
        Self::new(status, "elsewhere", "Another server has it", detail)
    }

    /// The server whose it is, if it is another's.
    pub(crate) fn server(&self) -> Option<&ServerView> {
        self.0.elsewhere.as_ref()
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
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

    /// The document as JSON.
    pub(crate) fn document(&self, correlation_id: &str) -> Vec<u8> {
        let parts = &self.0;
        let problem = Problem {
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
        };
        serde_json::to_vec(&problem).unwrap_or_default()
    }

    /// Fills the shell that [`IntoResponse`] made.
    pub(crate) fn write(self, response: &mut Response, correlation_id: &str) {
        *response.body_mut() = Body::from(self.document(correlation_id));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some((name, value)) = self.0.header {
            headers.insert(name, value);
        }
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

/// Every refusal of the engine has its one answer here.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = error.to_string();
        match error {
            Error::Invalid { fields } => Self::invalid(
                fields
                    .into_iter()
                    .map(|field| FieldError {
                        field: field.name,
                        message: field.message,
                    })
                    .collect(),
            ),
            Error::NotFound { .. } => Self::not_found(sentence(&words)),
            Error::Elsewhere { server, .. } => {
                let mut failure = Self::elsewhere(&server);
                failure.0.elsewhere = Some(server);
                failure
            }
            Error::Denied { decision } => {
                let mut failure = Self::new(
                    StatusCode::FORBIDDEN,
                    "denied_by_policy",
                    "Denied by policy",
                    "The policy refuses this command; the decision says why.",
                );
                failure.0.decision = Some(decision_json(&decision));
                failure
            }
            Error::NeedsConfirmation {
                decision,
                token,
                approval,
                until,
                measured,
            } => {
                let detail = if token.is_some() {
                    "This command needs a yes. Show the decision to whoever may give it, then send \
                     the same request with `confirmation_token` within five minutes; or have \
                     `approval` approved and send the same request again."
                } else {
                    "This command needs the yes of somebody else. Have `approval` approved, then \
                     send the same request again."
                };
                let mut failure = Self::new(
                    StatusCode::PRECONDITION_REQUIRED,
                    "needs_confirmation",
                    "A confirmation is needed",
                    detail,
                );
                failure.0.decision = Some(decision_json(&decision));
                failure.0.confirmation_token = token;
                failure.0.measured = measured.and_then(|it| serde_json::to_value(*it).ok());
                failure.0.approval = Some(wharf_api::ApprovalRef {
                    id: approval,
                    expires_at: until.to_string(),
                });
                failure
            }
            Error::Conflict(_) => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "It is too late for that",
                sentence(&words),
            ),
            Error::IdempotencyMismatch => {
                let mut failure = Self::invalid_field("idempotency_key", words);
                failure.0.code = "idempotency_mismatch";
                failure
            }
            Error::Busy { retry_after, .. } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "busy",
                "A limit is reached",
                sentence(&words),
            )
            .with_header(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)))
            .retryable(),
            Error::NoSpace => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "no_space",
                "No space is left",
                sentence(&words),
            )
            .retryable(),
            Error::NotRecordable(source) => {
                let mut failure = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "not_recordable",
                    "The record cannot be written",
                    sentence(&words),
                )
                .retryable();
                failure.0.source = Some(Arc::from(source));
                failure
            }
            Error::Unreachable { why } => Self::new(
                StatusCode::BAD_GATEWAY,
                "connection_failed",
                "The host cannot be reached",
                sentence(&format!("no shell is there: {why}")),
            )
            .retryable(),
            Error::File(error) => Self::file(&error),
            Error::Stopping => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "The server is stopping",
                sentence(&words),
            )
            .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
            .retryable(),
            Error::Unsupported(why) => {
                let mut failure = Self::invalid_field("request", sentence(why));
                failure.0.code = "unsupported";
                failure
            }
            Error::Internal { context, source } => Self::internal(Step { context, source }),
        }
    }
}

/// The engine's private failure with what it was doing.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
struct Step {
    context: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

/// Never zero: a client that obeys it must not spin.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0))
        .max(1)
}

/// The engine's words begin small and end without a stop, as error messages in Rust do.
fn sentence(words: &str) -> String {
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
