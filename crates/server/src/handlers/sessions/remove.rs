//! `DELETE /api/session/{id}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::Success;

use crate::error::Failure;
use crate::extract::id::Session;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// End a session
///
/// Its shell and all that runs in it; its history stays.
#[utoipa::path(
    delete, path = "/api/session/{id}", tag = "sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "It has ended", body = Success)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Session(id): Session,
) -> Result<Response, Failure> {
    app.engine.delete_session(&context.caller, &id).await?;
    reply::json(&Success { success: true })
}
