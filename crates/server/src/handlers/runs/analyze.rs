//! `POST /api/analyze`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{AnalyzeRequest, AnalyzeResponse};

use crate::convert::{analysis, request};
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Judge a command
///
/// What it would do, how risky that is, and whether it may run, without running anything. Spans
/// are byte offsets into `command`. With `measure`, files that it would delete, move or change on
/// this machine are counted, and `at_least` says that the count was cut.
#[utoipa::path(
    post, path = "/api/analyze", tag = "commands", request_body = AnalyzeRequest,
    responses((status = 200, description = "The analysis", body = AnalyzeResponse)),
)]
pub(crate) async fn analyze(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    json::is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    let wire: AnalyzeRequest = json::parse(&bytes)?;
    let measure = wire.measure;
    let (command, around, format) = request::analyze(wire)?;
    let judged = app
        .engine
        .analyze(&context.caller, &command, &around)
        .await?;
    let elsewhere = around.elsewhere.is_some();
    let known = app
        .engine
        .foresee(&context.caller, &judged, elsewhere, format, &app.machine)
        .await;
    let measured = if measure {
        app.engine.measure(&judged).await?
    } else {
        None
    };
    reply::json(&analysis::analyzed(
        &judged.decision,
        &known,
        measured.as_ref(),
    ))
}
