//! `GET /openapi.json`.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::Response;

use crate::openapi;
use crate::reply;
use crate::state::App;

/// This document
///
/// OpenAPI 3.1, made from the server's own types.
#[utoipa::path(
    get, path = "/openapi.json", tag = "server",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub(crate) async fn openapi(State(app): State<App>) -> Response {
    reply::with_type(
        HeaderValue::from_static("application/json"),
        openapi::json(&app.version),
    )
}
