//! Every refusal of the gateway has its one answer here.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use serde_json::json;
use wharf_api::FieldError;
use wharf_gateway::Error;

use crate::error::{Failure, sentence};
use crate::middleware::auth::BEARER;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = sentence(&error.to_string());
        let of = |status, code, title| Self::new(status, code, title, words.clone());
        match error {
            Error::Organization => of(
                StatusCode::UNAUTHORIZED,
                "wrong_organization",
                "Not of this organization",
            )
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER)),
            Error::Invalid { field, message } => Self::invalid(vec![FieldError {
                field: field.to_owned(),
                message,
            }]),
            Error::InFlight => of(
                StatusCode::CONFLICT,
                "in_flight",
                "The request is being answered",
            )
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            .retryable(),
            Error::OtherRequest => Self::of_code(
                "idempotency_mismatch",
                vec![FieldError {
                    field: "Idempotency-Key".to_owned(),
                    message: words,
                }],
            ),
            Error::Billing(refusal) => of(
                StatusCode::PAYMENT_REQUIRED,
                "no_credit",
                "There is no credit for it",
            )
            .with_details(json!({"billingCode": refusal.code.as_str()})),
            Error::NotFound(_) => Self::not_found(words),
            Error::Forbidden(_) => of(StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Error::Ended { reason } => of(
                StatusCode::CONFLICT,
                "session_ended",
                "The session has ended",
            )
            .with_details(json!({"reason": reason})),
            Error::Held { .. } => of(StatusCode::CONFLICT, "paused", "The session is paused"),
            Error::Conflict(_) => of(StatusCode::CONFLICT, "conflict", "It stands in the way"),
            Error::Unsupported(_) => of(
                StatusCode::CONFLICT,
                "unsupported",
                "The provider cannot do it",
            ),
            Error::NoProvider { reason } => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_provider",
                "No sandbox can be made here",
            )
            .with_details(json!({"reason": reason})),
            Error::Failed { reason } => of(
                StatusCode::BAD_GATEWAY,
                "sandbox_failed",
                "The sandbox could not be started",
            )
            .with_details(json!({"reason": reason}))
            .retryable(),
            Error::Full { .. } => of(StatusCode::CONFLICT, "limit_reached", "A limit is reached"),
            Error::Waiting(_) => of(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_pending",
                "Too many sandbox sessions wait",
            )
            // One that nobody needs ends by itself in hours; somebody may come to need one sooner.
            .with_header(RETRY_AFTER, HeaderValue::from_static("60"))
            .retryable(),
            Error::Crowded(_) => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_sandboxes",
                "The server has as many sandboxes as it may",
            )
            .retryable(),
            Error::Elsewhere { .. } => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "elsewhere",
                "Another server has it",
            )
            .retryable(),
            Error::Record(source) => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "not_recordable",
                "The record cannot be written",
            )
            .because(source)
            .retryable(),
            Error::Database(source) => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "sandboxes_unavailable",
                "Sandboxes cannot be looked up",
            )
            .because(source)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            .retryable(),
            Error::Outside { .. } => of(
                StatusCode::BAD_GATEWAY,
                "not_answered",
                "Somebody else does not answer",
            )
            .retryable(),
            Error::Closing => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "The server is stopping",
            )
            .retryable(),
            other => Self::internal(other),
        }
    }
}
