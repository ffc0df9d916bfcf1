//! `GET /api/session/{id}/suggestions`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::Suggestions;

use crate::convert::view;
use crate::error::Failure;
use crate::extract::id::Session;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// What may come next
///
/// From the session's own pattern, then from the registry; best first.
#[utoipa::path(
    get, path = "/api/session/{id}/suggestions", tag = "sessions",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "Suggestions", body = Suggestions)),
)]
pub(crate) async fn suggestions(
    State(app): State<App>,
    context: Context,
    Session(id): Session,
) -> Result<Response, Failure> {
    let found = app.engine.suggestions(&context.caller, &id).await?;
    reply::json(&Suggestions {
        session_id: id.to_string(),
        suggestions: found.into_iter().map(view::suggestion).collect(),
    })
}
