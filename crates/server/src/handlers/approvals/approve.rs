//! `POST /api/approvals/{id}/approve`.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{Approval, ApproveRequest};
use wharf_engine::approvals::Answer;

use crate::convert::approval;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::reply;
use crate::state::App;

/// Say yes
///
/// To this run alone, to this command in this session, or to commands like it in a project. Only
/// a person may, and not the one who asked where the policy wants somebody else's yes.
#[utoipa::path(
    post, path = "/api/approvals/{id}/approve", tag = "approvals", request_body = ApproveRequest,
    params(("id" = String, Path, description = "The approval's id")),
    responses(
        (status = 200, description = "The approval as it is now", body = Approval),
        (status = 409, description = "It is over, or this caller may not", body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn approve(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<ApproveRequest>(&app, request).await?;
    let asked = app
        .engine
        .approval(&context.caller, &id, Duration::ZERO)
        .await?;
    let scope = approval::scope(wire, &asked.cwd)?;
    let answer = Answer::Approve(scope);
    let answered = app.engine.answer(&context.caller, &id, answer).await?;
    reply::json(&approval::approval(answered))
}
