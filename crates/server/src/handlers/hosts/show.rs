//! `GET /api/hosts/{name}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::Host;

use crate::convert::host;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::reply;
use crate::state::App;

/// One host
///
/// How it is reached, and what it said of itself when it was last tried.
#[utoipa::path(
    get, path = "/api/hosts/{name}", tag = "hosts",
    params(("name" = String, Path, description = "The host's name")),
    responses((status = 200, description = "The host", body = Host)),
)]
pub(crate) async fn show(State(app): State<App>, Name(name): Name) -> Result<Response, Failure> {
    let entry = app.engine.host(&name)?;
    reply::json(&host::host(&entry))
}
