//! `GET /api/grants`, `DELETE /api/grants/{id}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::{GrantList, Success};

use crate::convert::approval;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Yeses that hold for longer than one run
///
/// For a command in a session, or for commands like it in a project.
#[utoipa::path(
    get, path = "/api/grants", tag = "approvals",
    responses((status = 200, description = "Grants", body = GrantList)),
)]
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let grants = app.engine.grants(&context.caller);
    let grants = grants.into_iter().map(approval::grant);
    reply::json(&GrantList {
        grants: grants.collect(),
    })
}

/// Take a yes back
///
/// The next such command asks again; what runs goes on.
#[utoipa::path(
    delete, path = "/api/grants/{id}", tag = "approvals",
    params(("id" = String, Path, description = "The id of the approval that it comes from")),
    responses((status = 200, description = "It holds no longer", body = Success)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    app.engine.revoke_grant(&context.caller, &id).await?;
    reply::json(&Success { success: true })
}
