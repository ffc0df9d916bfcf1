//! `/api/v1/credits`: what may be used of sandboxes, and giving more.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::gateway::{Credits, GrantCredits};
use wharf_gateway::views::Grant;
use wharf_model::Caller;

use super::answered;
use crate::convert::gateway::views;
use crate::error::Failure;
use crate::extract::json;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Credit for sandboxes
///
/// What may be used of them by the organization, or by who is in none, and what is used. Whoever
/// looks after the server sees that of every organization.
#[utoipa::path(
    get, path = "/api/v1/credits", tag = "sandboxes",
    params(("organization" = Option<String>, Query,
        description = "The organization, by id or short name; the caller's own account when absent")),
    responses((status = 200, description = "The credit", body = Credits)),
)]
pub(crate) async fn credits(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let named = params.text("organization").map(str::to_owned);
    params.check()?;
    let caller = &context.caller;
    let account = account(&app, caller, named.as_deref()).await?;
    let found = app.gateway()?.credits(caller, account.as_deref()).await;
    reply::json(&views::credits(answered(&app, found).await?))
}

/// Give credit for sandboxes
///
/// Time of machines, another plan, or both; for whoever looks after the server.
#[utoipa::path(
    post, path = "/api/v1/credits/grants", tag = "sandboxes", request_body = GrantCredits,
    responses(
        (status = 200, description = "The credit", body = Credits),
        (status = 409, description = "The server has no plans: nothing is counted against anybody",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn grant(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<GrantCredits>(&app, request).await?;
    let caller = &context.caller;
    let account = account(&app, caller, wire.organization.as_deref()).await?;
    let grant = Grant {
        time: Duration::from_secs(wire.seconds),
        plan: wire.plan,
    };
    let given = app
        .gateway()?
        .grant(caller, account.as_deref(), grant)
        .await;
    reply::json(&views::credits(answered(&app, given).await?))
}

/// The account of an organization that the caller may know of.
async fn account(
    app: &App,
    caller: &Caller,
    named: Option<&str>,
) -> Result<Option<String>, Failure> {
    let Some(named) = named else {
        return Ok(None);
    };
    let organizations = app.identity()?.organizations(caller).await?;
    let found = organizations
        .into_iter()
        .find(|it| it.id == named || it.slug == named);
    let missing = || Failure::not_found("There is no such organization.".to_owned());
    found.map(|it| Some(it.id)).ok_or_else(missing)
}
