//! `/api/sandboxes/{id}/tickets`: what opens the way to the agent in one machine.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::gateway::{RenewTicket, SandboxTicket};

use super::{answered, reached_at};
use crate::convert::gateway::views;
use crate::convert::identity::secret;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// A ticket for a sandbox
///
/// It opens the way to the agent in this session's machine, and nothing else. Connections with it
/// begin within five minutes, or longer if it is renewed; those that are there go on.
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/tickets", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "The ticket", body = SandboxTicket)),
)]
pub(crate) async fn make(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = Context::of(&parts)?.caller;
    let made = app.gateway()?.ticket(&caller, &id).await;
    let made = answered(&app, made).await?;
    reply::json(&views::ticket(&made, &id, &reached_at(&app, &parts).await?))
}

/// Renew a ticket
///
/// Connections with it begin within another five minutes. One whose time is up is good again.
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/tickets/renew", tag = "sandboxes",
    request_body = RenewTicket,
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "The same ticket", body = SandboxTicket)),
)]
pub(crate) async fn renew(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<RenewTicket>(&app, request).await?;
    let caller = Context::of(&parts)?.caller;
    let ticket = secret(wire.ticket);
    let renewed = app.gateway()?.renew(&caller, &id, &ticket).await;
    let renewed = answered(&app, renewed).await?;
    reply::json(&views::ticket(
        &renewed,
        &id,
        &reached_at(&app, &parts).await?,
    ))
}
