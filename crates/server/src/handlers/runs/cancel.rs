//! `DELETE /api/commands/{id}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::RunCancelled;

use crate::convert::view;
use crate::error::Failure;
use crate::extract::id::Run;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// End a run
///
/// Its whole process tree: TERM, a grace, KILL. It is no error if the run had ended before; its
/// record and output stay.
#[utoipa::path(
    delete, path = "/api/commands/{id}", tag = "commands",
    params(("id" = String, Path, description = "The run's id")),
    responses((status = 200, description = "It has ended", body = RunCancelled)),
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    context: Context,
    Run(run): Run,
) -> Result<Response, Failure> {
    let run = app.engine.cancel(&context.caller, &run).await?;
    tracing::info!(target: "command", run = %run.run, "ended on request");
    reply::json(&RunCancelled {
        success: true,
        run: view::run(run),
    })
}
