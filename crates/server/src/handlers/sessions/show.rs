//! `GET /api/session/{id}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::SessionDetail;

use crate::convert::view::{self, SESSION_HISTORY};
use crate::error::Failure;
use crate::extract::id::Session;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// One session
///
/// Where it is, its exported environment with secrets redacted, and its latest commands.
#[utoipa::path(
    get, path = "/api/session/{id}", tag = "sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "The session", body = SessionDetail)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Session(id): Session,
) -> Result<Response, Failure> {
    let session = app.engine.session(&context.caller, &id).await?;
    let history = app
        .engine
        .history(&context.caller, &id, SESSION_HISTORY, None)
        .await?;
    reply::json(&view::session(session, history))
}
