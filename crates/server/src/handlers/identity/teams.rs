//! `/api/v1/teams`: the teams of the caller's organization.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::Message;
use wharf_api::profile::{CreateTeam, PutTeamMember, Team, TeamList, TeamMember, TeamMemberList};

use super::organizations::slug_of;
use super::{created, done};
use crate::convert::identity::views;
use crate::error::Failure;
use crate::extract::id::{Name, Names};
use crate::extract::json;
use crate::handlers::configuration::ended::ended;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Teams
///
/// All of the caller's organization; for the holder of the server's own token, of the server's own.
#[utoipa::path(
    get, path = "/api/v1/teams", tag = "teams",
    responses((status = 200, description = "Teams", body = TeamList)),
)]
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let found = app.identity()?.teams(&context.caller).await?;
    let teams = found.into_iter().map(views::team).collect();
    reply::json(&TeamList { teams })
}

/// Make a team
///
/// In the caller's organization, by its owners and admins. Nobody is in it yet.
#[utoipa::path(
    post, path = "/api/v1/teams", tag = "teams", request_body = CreateTeam,
    responses((status = 201, description = "The team", body = Team)),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<CreateTeam>(&app, request).await?;
    let slug = wire.slug.unwrap_or_else(|| slug_of(&wire.name));
    let identity = app.identity()?;
    let made = identity
        .add_team(&context.caller, &slug, &wire.name)
        .await?;
    created(&views::team(made))
}

/// A team
#[utoipa::path(
    get, path = "/api/v1/teams/{id}", tag = "teams",
    params(("id" = String, Path, description = "The team, by id or short name")),
    responses((status = 200, description = "The team", body = Team)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.identity()?.team(&context.caller, &id).await?;
    reply::json(&views::team(found))
}

/// End a team
///
/// Its members leave it; its upstream and what it owns in the catalog go, its configuration after 30
/// days. By owners and admins of the organization.
#[utoipa::path(
    delete, path = "/api/v1/teams/{id}", tag = "teams",
    params(("id" = String, Path, description = "The team, by id or short name")),
    responses((status = 200, description = "It has ended", body = Message)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let identity = app.identity()?;
    let gone = identity.remove_team(&context.caller, &id).await?;
    ended(&app, &[gone]).await;
    done("The team has ended.")
}

/// Members of a team
#[utoipa::path(
    get, path = "/api/v1/teams/{id}/members", tag = "teams",
    params(("id" = String, Path, description = "The team, by id or short name")),
    responses((status = 200, description = "Members", body = TeamMemberList)),
)]
pub(crate) async fn members(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.identity()?.team_members(&context.caller, &id).await?;
    let members = found.into_iter().map(views::team_member).collect();
    reply::json(&TeamMemberList { members })
}

/// Add a member, or say whether one leads the team
///
/// By those who lead it, and owners and admins of the organization.
#[utoipa::path(
    put, path = "/api/v1/teams/{id}/members/{user}", tag = "teams",
    request_body = PutTeamMember,
    params(
        ("id" = String, Path, description = "The team, by id or short name"),
        ("user" = String, Path, description = "A member of the organization, by id or address"),
    ),
    responses((status = 200, description = "The member as they are now", body = TeamMember)),
)]
pub(crate) async fn put_member(
    State(app): State<App>,
    Names(id, user): Names,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<PutTeamMember>(&app, request).await?;
    let identity = app.identity()?;
    let member = identity
        .set_team_member(&context.caller, &id, &user, wire.leads)
        .await?;
    reply::json(&views::team_member(member))
}

/// Take somebody out of a team
///
/// Oneself too.
#[utoipa::path(
    delete, path = "/api/v1/teams/{id}/members/{user}", tag = "teams",
    params(
        ("id" = String, Path, description = "The team, by id or short name"),
        ("user" = String, Path, description = "The member, by id or address"),
    ),
    responses((status = 200, description = "They are in it no more", body = Message)),
)]
pub(crate) async fn remove_member(
    State(app): State<App>,
    context: Context,
    Names(id, user): Names,
) -> Result<Response, Failure> {
    let identity = app.identity()?;
    identity
        .remove_team_member(&context.caller, &id, &user)
        .await?;
    done("They are in it no more.")
}
