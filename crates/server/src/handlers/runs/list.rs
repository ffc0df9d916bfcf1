//! `GET /api/commands`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::RunList;

use crate::convert::view;
use crate::error::Failure;
use crate::extract::query::{Params, size};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Runs in one answer at most.
const MAX_RUNS: u64 = 1000;
const DEFAULT_RUNS: u64 = 50;

/// The latest runs
///
/// The caller's own, newest first.
#[utoipa::path(
    get, path = "/api/commands", tag = "commands",
    params(("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "How many; 50 when absent")),
    responses((status = 200, description = "Runs", body = RunList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    mut params: Params,
) -> Result<Response, Failure> {
    let limit = params.number("limit", 1..=MAX_RUNS, DEFAULT_RUNS);
    params.check()?;
    let runs = app.engine.recent(&context.caller, size(limit)).await?;
    reply::json(&RunList {
        commands: runs.into_iter().map(view::run).collect(),
    })
}
