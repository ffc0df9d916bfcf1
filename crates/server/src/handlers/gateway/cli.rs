//! `POST /api/cli/sessions`: a session whose machine is made when it is first needed.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::gateway::{CliSessionCreated, CliSessionRequest};

use super::{answered, reached_at};
use crate::convert::gateway::{new_cli_session, views};
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Make a deferred session
#[utoipa::path(
    post, path = "/api/cli/sessions", tag = "sandboxes", request_body = CliSessionRequest,
    responses(
        (status = 200, description = "The session", body = CliSessionCreated),
        (status = 402, description = "No credit: `details.billingCode` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_pending`: as many deferred sessions of the account \
            as may be wait for somebody to connect", body = wharf_api::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<CliSessionRequest>(&app, request).await?;
    let caller = Context::of(&parts)?.caller;
    let gateway = app.gateway()?;
    let reached_at = reached_at(&app, &parts).await?;
    let made = gateway.create(&caller, new_cli_session(wire), None).await;
    let made = answered(&app, made).await?;
    reply::json(&views::cli_created(made, reached_at))
}
