//! `/api/sandboxes`: looking after sandbox sessions.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::gateway::{AdmitKeys, ExtendSandbox, Sandbox, SandboxList};
use wharf_gateway::views::SessionView;

use super::answered;
use crate::convert::gateway::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Sandbox sessions
///
/// One's own, the newest first, and what this server can make.
#[utoipa::path(
    get, path = "/api/sandboxes", tag = "sandboxes",
    params(
        ("local_path_hash" = Option<String>, Query, description = "Of this directory only"),
        ("ended" = Option<bool>, Query, description = "Those that have ended as well"),
    ),
    responses((status = 200, description = "The sessions", body = SandboxList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    mut params: Params,
) -> Result<Response, Failure> {
    let ended = params.flag("ended");
    let hash = params.text("local_path_hash").map(str::to_owned);
    params.check()?;
    let gateway = app.gateway()?;
    let found = gateway.list(&context.caller, hash.as_deref(), ended).await;
    let found = answered(&app, found).await?;
    reply::json(&SandboxList {
        sandboxes: found.into_iter().map(views::listed).collect(),
        support: gateway.support().into_iter().map(views::support).collect(),
    })
}

/// A sandbox session
///
/// Nothing is brought up for it.
#[utoipa::path(
    get, path = "/api/sandboxes/{id}", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "The session", body = Sandbox)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.gateway()?.show(&context.caller, &id).await;
    shown(answered(&app, found).await?)
}

/// End a sandbox session
///
/// And its machine, with all that is in it. One that has ended stays as it is.
#[utoipa::path(
    delete, path = "/api/sandboxes/{id}", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "It has ended", body = Sandbox)),
)]
pub(crate) async fn end(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let ended = app.gateway()?.end(&context.caller, &id).await;
    shown(answered(&app, ended).await?)
}

/// Let a sandbox session live longer
///
/// As far as the server allows. It never ends earlier for it. One that runs needs credit.
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/extend", tag = "sandboxes", request_body = ExtendSandbox,
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses(
        (status = 200, description = "The session", body = Sandbox),
        (status = 402, description = "No credit: `details.billingCode` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn extend(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<ExtendSandbox>(&app, request).await?;
    let span = Duration::from_secs(wire.seconds);
    let extended = app.gateway()?.extend(&context.caller, &id, span).await;
    shown(answered(&app, extended).await?)
}

/// Hold a sandbox still
///
/// It costs nothing then, and goes on when somebody connects to it, resumes it or runs something in
/// it; not for a client that is attached, which comes again by itself.
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/pause", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "The session", body = Sandbox)),
)]
pub(crate) async fn pause(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let paused = app.gateway()?.pause(&context.caller, &id).await;
    shown(answered(&app, paused).await?)
}

/// Let a sandbox go on
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/resume", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses(
        (status = 200, description = "The session", body = Sandbox),
        (status = 402, description = "No credit: `details.billingCode` says why",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resume(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let resumed = app.gateway()?.resume(&context.caller, &id).await;
    shown(answered(&app, resumed).await?)
}

/// Let a key into a sandbox
///
/// For a device that has another key than the sandbox was made with. It is let in until the processes
/// of the sandbox end.
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/keys", tag = "sandboxes", request_body = AdmitKeys,
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses(
        (status = 200, description = "The session", body = Sandbox),
        (status = 409, description = "Its provider cannot, or the session has ended",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn admit(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<AdmitKeys>(&app, request).await?;
    let gateway = app.gateway()?;
    let admitted = gateway.admit(&context.caller, &id, &wire.public_keys).await;
    shown(answered(&app, admitted).await?)
}

/// Keep what is in a sandbox
///
/// For the next session of the same configuration.
#[utoipa::path(
    post, path = "/api/sandboxes/{id}/snapshot", tag = "sandboxes",
    params(("id" = String, Path, description = "The session, `gws_…`")),
    responses((status = 200, description = "The session", body = Sandbox)),
)]
pub(crate) async fn snapshot(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let kept = app.gateway()?.snapshot(&context.caller, &id).await;
    shown(answered(&app, kept).await?)
}

fn shown(view: SessionView) -> Result<Response, Failure> {
    reply::json(&views::sandbox(view))
}
