//! `/api/v1/orgs/{id}/invitations`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{CreateInvitation, InvitationCreated, InvitationList, Message};

use super::{created, done};
use crate::convert::identity::{hidden, role, views};
use crate::error::Failure;
use crate::extract::id::{Name, Names};
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Invitations that wait
#[utoipa::path(
    get, path = "/api/v1/orgs/{id}/invitations", tag = "organizations",
    params(("id" = String, Path, description = "The organization, by id or short name")),
    responses((status = 200, description = "Invitations", body = InvitationList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    let found = app.identity()?.invitations(&context.caller, &id).await?;
    let invitations = found.into_iter().map(views::invitation).collect();
    reply::json(&InvitationList { invitations })
}

/// Invite somebody
///
/// The code is in this answer and nowhere else, unless the server mails it.
#[utoipa::path(
    post, path = "/api/v1/orgs/{id}/invitations", tag = "organizations",
    request_body = CreateInvitation,
    params(("id" = String, Path, description = "The organization, by id or short name")),
    responses((status = 201, description = "The invitation", body = InvitationCreated)),
)]
pub(crate) async fn create(
    State(app): State<App>,
    Name(id): Name,
    request: Request,
) -> Result<Response, Failure> {
    let (context, wire) = json::read::<CreateInvitation>(&app, request).await?;
    let identity = app.identity()?;
    let made = identity
        .invite(&context.caller, &id, &wire.email, role(wire.role))
        .await?;
    created(&InvitationCreated {
        code: hidden(&made.code),
        invitation: views::invitation(made.invitation),
        mailed: made.mailed,
    })
}

/// Take an invitation back
#[utoipa::path(
    delete, path = "/api/v1/orgs/{id}/invitations/{invitation}", tag = "organizations",
    params(
        ("id" = String, Path, description = "The organization, by id or short name"),
        ("invitation" = String, Path, description = "The invitation, `inv_…`"),
    ),
    responses((status = 200, description = "Its code is good for nothing", body = Message)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Names(id, invitation): Names,
) -> Result<Response, Failure> {
    let identity = app.identity()?;
    identity
        .revoke_invitation(&context.caller, &id, &invitation)
        .await?;
    done("The invitation is taken back.")
}
