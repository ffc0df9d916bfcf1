//! `DELETE /api/hosts/{name}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::Success;

use crate::error::Failure;
use crate::extract::id::Name;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Forget a host
///
/// Only the server's owner may. Its key stays in the file of known hosts, and what runs there goes
/// on.
#[utoipa::path(
    delete, path = "/api/hosts/{name}", tag = "hosts",
    params(("name" = String, Path, description = "The host's name")),
    responses((status = 200, description = "It is forgotten", body = Success)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(name): Name,
) -> Result<Response, Failure> {
    app.engine.remove_host(&context.caller, &name).await?;
    reply::json(&Success { success: true })
}
