//! Every refusal of agent configuration has its one answer here.

use std::io;

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{ETAG, RETRY_AFTER};
use wharf_api::FieldError;
use wharf_profiles::catalog::CatalogError;
use wharf_profiles::error::{Error, Problem};
use wharf_profiles::upstream::UpstreamError;

use super::{Failure, sentence};
use crate::extract::tags;

/// Hashes that one answer names at most: with more, more is sent than is asked for.
const MISSING_SHOWN: usize = wharf_profiles::limits::FILES_MAX;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = sentence(&error.to_string());
        let of = |status, code, title| Self::new(status, code, title, words.clone());
        match error {
            Error::InvalidId(_) | Error::NoSuchVersion(_) | Error::Nobody => Self::not_found(words),
            Error::Stale { current } => {
                let failure = of(
                    StatusCode::PRECONDITION_FAILED,
                    "precondition_failed",
                    "It has changed in the meantime",
                );
                match tags::value(&current) {
                    Some(tag) => failure.with_header(ETAG, tag),
                    None => failure,
                }
            }
            Error::TooLarge { .. } => of(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "Larger than it may be",
            ),
            Error::Full { .. } => of(StatusCode::CONFLICT, "limit_reached", "A limit is reached"),
            Error::TooMany { what, .. } => Self::wrong("too_many", vec![(what, words.clone())]),
            Error::NotUtf8(_) => of(StatusCode::BAD_REQUEST, "not_utf8", "It is not UTF-8"),
            Error::Refused(problems) => {
                let mut failure = Self::invalid(problems.into_iter().map(field).collect());
                failure.0.code = "refused";
                failure
            }
            Error::Missing(ref hashes) | Error::Absent(ref hashes) => {
                let field = match error {
                    Error::Absent(_) => "sha256",
                    _ => "files",
                };
                let mut failure = Self::wrong("missing_contents", vec![(field, words.clone())]);
                let hashes = hashes.iter().take(MISSING_SHOWN);
                failure.0.missing = Some(hashes.map(ToString::to_string).collect());
                failure
            }
            Error::Mismatch { .. } => Self::wrong("damaged", vec![("body", words.clone())]),
            Error::BadStream(_) => Self::wrong("bad_stream", vec![("body", words.clone())]),
            Error::Busy => Self::busy(words),
            Error::Upstream(error) => Self::from(error),
            Error::Io { ref source, .. } if is_full(source) => of(
                StatusCode::INSUFFICIENT_STORAGE,
                "no_space",
                "No space is left",
            )
            .retryable()
            .because(error),
            Error::Io { .. } | Error::Git { .. } => Self::internal(error),
            Error::Stopping => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                "The server is stopping",
            )
            .with_header(RETRY_AFTER, HeaderValue::from_static("5"))
            .retryable(),
        }
    }
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        let words = sentence(&error.to_string());
        let of = |status, code, title| Self::new(status, code, title, words.clone());
        match error {
            UpstreamError::Address(_) => Self::invalid_field("url", words),
            UpstreamError::Branch(_) => Self::invalid_field("branch", words),
            UpstreamError::Access { field, .. } => Self::invalid_field(field, words),
            UpstreamError::Program(source) => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "no_git",
                "Git cannot be run",
            )
            .because(source),
            UpstreamError::TimedOut(_) => {
                of(StatusCode::GATEWAY_TIMEOUT, "timeout", "It takes too long").retryable()
            }
            UpstreamError::Failed(_) => of(
                StatusCode::BAD_GATEWAY,
                "upstream_failed",
                "The upstream does not do it",
            )
            .retryable(),
            UpstreamError::Unfit(_) => of(
                StatusCode::BAD_GATEWAY,
                "upstream_unfit",
                "The upstream holds what may not be here",
            ),
            UpstreamError::NoBranch(_) => of(
                StatusCode::BAD_GATEWAY,
                "no_branch",
                "The upstream has no such branch",
            ),
            UpstreamError::Empty => {
                of(StatusCode::CONFLICT, "conflict", "There is nothing to send")
            }
        }
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        let words = sentence(&error.to_string());
        let of = |status, code, title| Self::new(status, code, title, words.clone());
        match error {
            CatalogError::NoSuchItem => Self::not_found(words),
            CatalogError::Exists { .. } => of(
                StatusCode::BAD_REQUEST,
                "already_exists",
                "There is one already",
            ),
            CatalogError::Stale => of(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "It has changed in the meantime",
            ),
            CatalogError::Full => of(StatusCode::CONFLICT, "limit_reached", "A limit is reached"),
            CatalogError::Invalid(problems) => {
                Self::invalid(problems.into_iter().map(field).collect())
            }
            CatalogError::Database(source) => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "catalog_unavailable",
                "The catalog cannot be looked up",
            )
            .because(source)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            .retryable(),
            CatalogError::Owner(error) => Self::internal(error),
        }
    }
}

impl Failure {
    /// 429: others are at it.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            "A limit is reached",
            detail,
        )
        .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
        .retryable()
    }

    /// 422 under a code of its own.
    fn wrong(code: &'static str, members: Vec<(&str, String)>) -> Self {
        let members = members.into_iter().map(|(field, message)| FieldError {
            field: field.to_owned(),
            message,
        });
        let mut failure = Self::invalid(members.collect());
        failure.0.code = code;
        failure
    }
}

fn field(problem: Problem) -> FieldError {
    let message = match problem.line {
        Some(line) => format!("line {line}: {}", problem.reason),
        None => problem.reason.to_owned(),
    };
    FieldError {
        field: problem.path,
        message,
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_and_nothing_of_it_is_in_the_answer() {
        let full = |kind| Error::Io {
            step: "write /home/x/profiles",
            source: io::Error::new(kind, "/home/x"),
        };
        let failure = Failure::from(full(io::ErrorKind::StorageFull));
        assert_eq!(failure.status(), StatusCode::INSUFFICIENT_STORAGE);
        let failure = Failure::from(full(io::ErrorKind::PermissionDenied));
        let document = String::from_utf8(failure.document("c")).unwrap();
        assert!(document.contains("\"internal\"") && !document.contains("/home/x"));
    }
}
