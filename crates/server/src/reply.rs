//! Successful answers.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::error::Failure;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with `value` as JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Response, Failure> {
    serde_json::to_vec(value)
        .map(json_bytes)
        .map_err(Failure::internal)
}

/// 200 with JSON that is already written.
pub(crate) fn json_bytes(bytes: Vec<u8>) -> Response {
    with_type(JSON, bytes)
}

/// 204.
pub(crate) fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// 200 with any body.
pub(crate) fn with_type(kind: HeaderValue, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Whether the client asks for `kind` by name. `*/*` does not: what is special must be asked for.
pub(crate) fn asks_for(headers: &HeaderMap, kind: &str) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case(kind))
}
