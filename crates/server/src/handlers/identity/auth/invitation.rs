//! `POST /api/v1/auth/invitation`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{AcceptInvitation, AccessGranted};

use crate::convert::identity::{peer, secret};
use crate::error::Failure;
use crate::extract::json;
use crate::handlers::identity::granted;
use crate::state::App;

/// Follow an invitation
///
/// With a new account, or with the password of the one that the invited address has.
#[utoipa::path(
    post, path = "/api/v1/auth/invitation", tag = "accounts", security(()),
    request_body = AcceptInvitation,
    responses(
        (status = 200, description = "Logged in", body = AccessGranted),
        (status = 400, description = "The code is not valid", body = wharf_api::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn accept(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<AcceptInvitation>(&app, request).await?;
    let (code, password) = (secret(wire.code), secret(wire.password));
    let identity = app.identity()?;
    let login = identity
        .accept_invitation(&code, wire.username.as_deref(), &password, &peer(&parts))
        .await?;
    granted(&app, &parts, &login)
}
