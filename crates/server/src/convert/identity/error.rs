//! Every refusal of accounts has its one answer here.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use wharf_api::FieldError;
use wharf_identity::Error;

use crate::error::{Failure, sentence, whole_seconds};
use crate::middleware::auth::BEARER;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = sentence(&error.to_string());
        let of = |status, code, title| Self::new(status, code, title, words.clone());
        match error {
            Error::Invalid { fields } => {
                let fields = fields.into_iter().map(|field| FieldError {
                    field: field.name.to_owned(),
                    message: field.message,
                });
                Self::invalid(fields.collect())
            }
            Error::WrongCredentials => Self::new(
                StatusCode::UNAUTHORIZED,
                "wrong_credentials",
                "Not logged in",
                // Exactly this: clients compare it.
                "Incorrect email or password",
            )
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER)),
            Error::Unauthenticated { .. } => {
                of(StatusCode::UNAUTHORIZED, "unauthorized", "Not logged in")
                    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER))
            }
            Error::WrongCode => of(
                StatusCode::BAD_REQUEST,
                "wrong_code",
                "The code is not valid",
            ),
            Error::Forbidden { scope, .. } => Self::insufficient(scope.unwrap_or("admin"), words),
            Error::Closed => of(
                StatusCode::FORBIDDEN,
                "registration_closed",
                "Registration is closed",
            ),
            Error::NotFound(_) => Self::not_found(words),
            Error::Conflict(_) => of(StatusCode::CONFLICT, "conflict", "It stands in the way"),
            Error::Full { .. } => of(StatusCode::CONFLICT, "limit_reached", "A limit is reached"),
            Error::Throttled { retry_after } => of(
                StatusCode::TOO_MANY_REQUESTS,
                "throttled",
                "Too many attempts",
            )
            .with_header(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)))
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
                "accounts_unavailable",
                "Accounts cannot be looked up",
            )
            .because(source)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            .retryable(),
            other => Self::internal(other),
        }
    }
}
