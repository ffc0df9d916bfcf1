//! `/proliferate`: how a session is, and where its machine is.

use axum::extract::State;
use axum::response::Response;
use wharf_api::gateway::{GatewayConnection, GatewayStatus};

use super::answered;
use crate::convert::gateway::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// How a session is
///
/// Nothing is brought up for it.
#[utoipa::path(
    get, path = "/proliferate/sessions/{id}/status", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "How it is", body = GatewayStatus)),
)]
pub(crate) async fn status(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let status = app.gateway()?.status(&context.caller, &id).await;
    reply::json(&views::status(answered(&app, status).await?))
}

/// Where a session's machine is
///
/// It is made, or goes on, where it is not there.
#[utoipa::path(
    get, path = "/proliferate/{id}", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses(
        (status = 200, description = "The machine", body = GatewayConnection),
        (status = 402, description = "No credit: `details.billingCode` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 409, description = "The session has ended: `details.reason` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 502, description = "It could not be brought up: `details.reason` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn connect(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let connection = app.gateway()?.connect(&context.caller, &id).await;
    reply::json(&views::connection(answered(&app, connection).await?))
}
