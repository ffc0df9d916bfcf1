//! `GET /api/v1/credits`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::gateway::Credits;

use super::answered;
use crate::convert::gateway::views;
use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Credit for sandboxes
///
/// What may be used of them by the organization, or by who is in none, and what is used.
#[utoipa::path(
    get, path = "/api/v1/credits", tag = "sandboxes",
    responses((status = 200, description = "The credit", body = Credits)),
)]
pub(crate) async fn credits(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let found = app.gateway()?.credits(&context.caller).await;
    reply::json(&views::credits(answered(&app, found).await?))
}
