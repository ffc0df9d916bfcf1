//! `POST /api/approvals/{id}/deny`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{Approval, DenyRequest};
use wharf_engine::approvals::Answer;

use crate::convert::approval;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::reply;
use crate::state::App;

/// Say no
///
/// Whoever asked may do so too.
#[utoipa::path(
    post, path = "/api/approvals/{id}/deny", tag = "approvals", request_body = DenyRequest,
    params(("id" = String, Path, description = "The approval's id")),
    responses(
        (status = 200, description = "The approval as it is now", body = Approval),
        (status = 409, description = "It is over", body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn deny(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<DenyRequest>(&app, request).await?;
    let answer = Answer::Deny(wire.reason.unwrap_or_default());
    let answered = app.engine.answer(&context.caller, &id, answer).await?;
    reply::json(&approval::approval(answered))
}
