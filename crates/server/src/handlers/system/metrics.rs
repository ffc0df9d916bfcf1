//! `GET /metrics`.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::Response;

use crate::metrics::Now;
use crate::reply;
use crate::state::App;

/// Numbers for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "server",
    responses((status = 200, description = "Text format 0.0.4", body = String)),
)]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let now = Now {
        gauges: app.engine.gauges(),
        requests: app.gate.requests(),
        uptime: app.begun.elapsed(),
    };
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    reply::with_type(kind, app.metrics.render(&now))
}
