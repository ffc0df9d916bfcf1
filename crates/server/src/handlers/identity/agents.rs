//! `/api/v1/agents`: programs that act for a person.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{Agent, AgentList, CreateAgent, Message, UpdateAgent};
use wharf_identity::views::LimitsOf;

use super::{created, done};
use crate::convert::identity::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Agents
///
/// Those that act for who asks; with `all=true` those of the organization, for who looks after it.
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents",
    params(("all" = Option<bool>, Query, description = "All of the organization")),
    responses((status = 200, description = "Agents", body = AgentList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    mut params: Params,
) -> Result<Response, Failure> {
    let all = params.flag("all");
    params.check()?;
    let found = app.identity()?.agents(&context.caller, all).await?;
    let agents = found.into_iter().map(views::agent).collect();
    reply::json(&AgentList { agents })
}

/// Make an agent
///
/// It acts for who asks, in the organization that their token is for. It logs in with API keys.
#[utoipa::path(
    post, path = "/api/v1/agents", tag = "agents", request_body = CreateAgent,
    responses((status = 201, description = "The agent", body = Agent)),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<CreateAgent>(&app, request).await?;
    let made = app
        .identity()?
        .add_agent(&context.caller, &wire.name)
        .await?;
    created(&views::agent(made))
}

/// Change what an agent may use up
#[utoipa::path(
    patch, path = "/api/v1/agents/{id}", tag = "agents", request_body = UpdateAgent,
    params(("id" = String, Path, description = "The agent, `agt_…`")),
    responses((status = 200, description = "The agent as it is now", body = Agent)),
)]
pub(crate) async fn update(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<UpdateAgent>(&app, request).await?;
    let (identity, caller) = (app.identity()?, &context.caller);
    let limits = views::limits_given(&wire.limits);
    identity
        .set_limits(caller, LimitsOf::Agent(id.clone()), limits)
        .await?;
    reply::json(&views::agent(identity.agent(caller, &id).await?))
}

/// End an agent
///
/// Its keys end with it.
#[utoipa::path(
    delete, path = "/api/v1/agents/{id}", tag = "agents",
    params(("id" = String, Path, description = "The agent, `agt_…`")),
    responses((status = 200, description = "It has ended", body = Message)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    app.identity()?.remove_agent(&context.caller, &id).await?;
    done("The agent and its keys have ended.")
}
