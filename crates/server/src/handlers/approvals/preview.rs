//! `POST /api/approvals/preview`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{Preview, PreviewRequest};

use crate::convert::approval;
use crate::error::Failure;
use crate::extract::json;
use crate::reply;
use crate::state::App;

/// Try a pattern
///
/// What it would have matched among the caller's latest 1000 runs, before anybody says yes to it.
#[utoipa::path(
    post, path = "/api/approvals/preview", tag = "approvals", request_body = PreviewRequest,
    responses((status = 200, description = "What it would have matched", body = Preview)),
)]
pub(crate) async fn preview(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<PreviewRequest>(&app, request).await?;
    let (pattern, project, target) = approval::preview_request(wire)?;
    let matched = app
        .engine
        .try_pattern(&context.caller, &pattern, &project, &target)
        .await?;
    reply::json(&approval::preview(matched))
}
