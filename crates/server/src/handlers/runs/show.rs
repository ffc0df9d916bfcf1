//! `GET /api/commands/{id}`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::RunRecord;

use crate::convert::{knowledge, request, view};
use crate::error::Failure;
use crate::extract::id::Run;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// One run
///
/// What is kept of it, while it runs and afterwards; on request what its output says.
#[utoipa::path(
    get, path = "/api/commands/{id}", tag = "commands",
    params(
        ("id" = String, Path, description = "The run's id"),
        ("metadata_format" = Option<wharf_api::MetadataFormat>, Query, description = "Adds `metadata` and `model_hints`"),
        ("token_budget" = Option<u64>, Query, minimum = 100, maximum = 1_000_000, description = "Adds `text`, within so many tokens"),
        ("include" = Option<wharf_api::Include>, Query, description = "Adds `data`"),
    ),
    responses((status = 200, description = "The run", body = RunRecord)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Run(run): Run,
    mut params: Params,
) -> Result<Response, Failure> {
    let wanted = request::wanted_in_query(&mut params);
    params.check()?;
    let mut record = view::run(app.engine.view(&context.caller, &run).await?);
    let known = app
        .engine
        .knowledge_of_run(&context.caller, &run, wanted, &app.machine)
        .await?;
    knowledge::add(&mut record, known);
    reply::json(&record)
}
