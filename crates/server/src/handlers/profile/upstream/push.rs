//! `POST /api/v1/profile/upstream/push`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::UpstreamDone;

use super::super::called;
use super::settings;
use crate::convert::profiles::upstreams;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Send what there is to the upstream
///
/// It is never forced: an upstream that has versions of its own keeps them, and the outcome is
/// `diverged`.
#[utoipa::path(
    post, path = "/api/v1/profile/upstream/push", tag = "configuration",
    params(("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent")),
    responses(
        (status = 200, description = "How it ended", body = UpstreamDone),
        (status = 409, description = "One goes on already, or there is nothing to send",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 502, description = "The upstream does not do it",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 504, description = "It takes too long",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn push(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(called(&params))?;
    let settings = settings(&asker.configuration.profiles, &owner).await?;
    let done = asker.configuration.upstreams.push(settings).await?;
    reply::json(&upstreams::done(&done))
}
