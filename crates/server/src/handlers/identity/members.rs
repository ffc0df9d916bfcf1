//! `/api/v1/orgs/{id}/members`: who belongs to an organization.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{Member, MemberList, Message, PutMember};

use super::done;
use crate::convert::identity::{role, views};
use crate::error::Failure;
use crate::extract::id::{Name, Names};
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Members of an organization
#[utoipa::path(
    get, path = "/api/v1/orgs/{id}/members", tag = "organizations",
    params(("id" = String, Path, description = "The organization, by id or short name")),
    responses((status = 200, description = "Members", body = MemberList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.identity()?.members(&context.caller, &id).await?;
    let members = found.into_iter().map(views::member).collect();
    reply::json(&MemberList { members })
}

/// Add a member, or give one another role
#[utoipa::path(
    put, path = "/api/v1/orgs/{id}/members/{user}", tag = "organizations",
    request_body = PutMember,
    params(
        ("id" = String, Path, description = "The organization, by id or short name"),
        ("user" = String, Path, description = "The account, by id or address"),
    ),
    responses((status = 200, description = "The member as they are now", body = Member)),
)]
pub(crate) async fn put(
    State(app): State<App>,
    Names(id, user): Names,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<PutMember>(&app, request).await?;
    let identity = app.identity()?;
    let member = identity
        .set_member(&context.caller, &id, &user, role(wire.role))
        .await?;
    reply::json(&views::member(member))
}

/// Take somebody out of an organization
///
/// Oneself too. The last owner cannot go.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{id}/members/{user}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization, by id or short name"),
        ("user" = String, Path, description = "The account, by id or address"),
    ),
    responses((status = 200, description = "They belong to it no more", body = Message)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Names(id, user): Names,
) -> Result<Response, Failure> {
    let identity = app.identity()?;
    identity.remove_member(&context.caller, &id, &user).await?;
    done("They belong to it no more.")
}
