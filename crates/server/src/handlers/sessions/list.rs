//! `GET /api/sessions`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::SessionList;

use crate::convert::view;
use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// The caller's sessions
///
/// Last used first; nobody sees another's.
#[utoipa::path(
    get, path = "/api/sessions", tag = "sessions",
    responses((status = 200, description = "Sessions", body = SessionList)),
)]
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let sessions = app.engine.sessions(&context.caller).await?;
    reply::json(&SessionList {
        sessions: sessions.into_iter().map(view::session_summary).collect(),
    })
}
