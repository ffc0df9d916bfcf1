//! Every refusal of the engine, as an answer.

use std::error::Error as StdError;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use wharf_api::FieldError;
use wharf_engine::Error;
use wharf_engine::files::FilesError;

use super::{Failure, sentence, whole_seconds};
use crate::convert::decision_json;

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
            Error::Elsewhere { server, .. } => Self::elsewhere(&server),
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
            Error::Scope { needs } => Self::insufficient_scope(needs),
            Error::Quota(exceeded) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "quota_exceeded",
                "As much is used as may be",
                sentence(&words),
            )
            .with_header(
                RETRY_AFTER,
                HeaderValue::from(whole_seconds(exceeded.retry_after)),
            )
            .retryable(),
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
            Error::NotRecordable(source) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_recordable",
                "The record cannot be written",
                sentence(&words),
            )
            .retryable()
            .because(source),
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

impl Failure {
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
}
