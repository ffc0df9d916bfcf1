//! `POST /api/tool-result`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{ToolResultRequest, ToolResultResponse};

use crate::convert::{knowledge, request};
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Read a result from elsewhere
///
/// What `run-command` says of a command that ran here, for one that ran somewhere else: metadata,
/// decision, hints, rows, and a text within a budget of tokens. Nothing is run and nothing is
/// recorded.
#[utoipa::path(
    post, path = "/api/tool-result", tag = "commands", request_body = ToolResultRequest,
    responses((status = 200, description = "What the result says", body = ToolResultResponse)),
)]
pub(crate) async fn tool_result(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    json::is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    let wire: ToolResultRequest = json::parse(&bytes)?;
    let (result, wanted) = request::tool_result(wire)?;
    let known = app
        .engine
        .tool_result(&context.caller, result, wanted, &app.machine)
        .await?;
    reply::json(&knowledge::tool_result(known))
}
