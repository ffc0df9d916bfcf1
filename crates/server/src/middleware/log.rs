//! What is said about requests: method, route, status, time. Never a body, a token or a query.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, header};

use crate::error::Failure;

/// Bytes of a foreign header that a log line repeats.
const MAX_SHOWN: usize = 120;

/// One line a request: failures of ours always, refusals of strangers as warnings, the rest for
/// those who listen closely.
pub(crate) fn answered(
    method: &Method,
    route: &str,
    status: StatusCode,
    time: Duration,
    correlation_id: &str,
) {
    let status = status.as_u16();
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    tracing::debug!(target: "api", %method, route, status, micros, correlation_id, "answered");
}

/// A refusal that somebody should know of.
pub(crate) fn refused(failure: &Failure, headers: &HeaderMap, route: &str, correlation_id: &str) {
    let code = failure.code();
    match failure.status() {
        // A session that is paused or without credit is no fault of ours, and its client asks again
        // and again. Why, and which one, is said where it is known.
        _ if failure.is_about_a_session() && failure.source().is_none() => {
            tracing::debug!(target: "api", code, route, correlation_id, "request refused");
        }
        status if status.is_server_error() => {
            let cause = failure.source().map(chain).unwrap_or_default();
            tracing::error!(target: "api", code, route, correlation_id, cause, "request failed");
        }
        StatusCode::UNAUTHORIZED | StatusCode::MISDIRECTED_REQUEST => {
            let host = shown(headers, header::HOST);
            tracing::warn!(target: "api", code, route, correlation_id, host, "request refused");
        }
        StatusCode::FORBIDDEN => {
            let origin = shown(headers, header::ORIGIN);
            tracing::warn!(target: "api", code, route, correlation_id, origin, "request refused");
        }
        _ => tracing::debug!(target: "api", code, route, correlation_id, "request refused"),
    }
}

/// A stranger's header, so that it cannot forge a line, a field or a terminal's colour.
fn shown(headers: &HeaderMap, name: header::HeaderName) -> String {
    let Some(value) = headers.get(name) else {
        return String::new();
    };
    neutral(&String::from_utf8_lossy(value.as_bytes()))
}

/// `text` without control characters, cut.
pub(crate) fn neutral(text: &str) -> String {
    text.chars()
        .take(MAX_SHOWN)
        .map(|letter| {
            if letter.is_control() || is_format(letter) {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// Characters that change the direction or the place of their neighbours.
pub(crate) fn is_format(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// An error and its causes, in one line.
fn chain(error: &(dyn StdError + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_write_stays_one_harmless_line() {
        let line = neutral("evil\r\nX: y\u{1b}[31m\u{202e}\u{85}\u{2028}ok");
        assert!(
            line.chars().all(|c| !c.is_control() && !is_format(c)),
            "{line:?}"
        );
        assert!(line.starts_with("evil") && line.ends_with("ok"));
    }

    #[test]
    fn it_is_cut_at_its_bound() {
        assert_eq!(neutral(&"x".repeat(MAX_SHOWN + 1)).len(), MAX_SHOWN);
    }
}
