//! `GET /health`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::Health;

use crate::error::Failure;
use crate::reply;
use crate::state::App;

/// Whether the server answers
///
/// It needs no token.
#[utoipa::path(
    get, path = "/health", tag = "server", security(()),
    responses((status = 200, description = "It does", body = Health)),
)]
pub(crate) async fn health(State(app): State<App>) -> Result<Response, Failure> {
    let status = app.engine.fault().map_or("healthy", |_| "degraded");
    reply::json(&Health {
        status: status.to_owned(),
        version: app.version.clone(),
        uptime_seconds: app.begun.elapsed().as_secs(),
    })
}
