//! `GET /api/commands/{id}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::RunRecord;

use crate::convert::view;
use crate::error::Failure;
use crate::extract::id::Run;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// One run
///
/// What is kept of it, while it runs and afterwards.
#[utoipa::path(
    get, path = "/api/commands/{id}", tag = "commands",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = 200, description = "The run", body = RunRecord)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Run(run): Run,
) -> Result<Response, Failure> {
    reply::json(&view::run(app.engine.view(&context.caller, &run).await?))
}
