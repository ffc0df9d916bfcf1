//! `POST /api/v1/auth/first`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{AccessGranted, FirstUser};

use crate::convert::identity::{peer, secret};
use crate::error::Failure;
use crate::extract::json;
use crate::handlers::identity::granted;
use crate::state::App;

/// Make the first account
///
/// With the code that the server printed on its terminal. The account owns the server's first
/// organization and looks after the server.
#[utoipa::path(
    post, path = "/api/v1/auth/first", tag = "accounts", security(()),
    request_body = FirstUser,
    responses(
        (status = 200, description = "Logged in with it", body = AccessGranted),
        (status = 400, description = "The code is not valid", body = wharf_api::Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "There are accounts already", body = wharf_api::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn first(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<FirstUser>(&app, request).await?;
    let (code, password) = (secret(wire.code), secret(wire.password));
    let name = Some(wire.username.as_str());
    let identity = app.identity()?;
    let login = identity
        .first(&code, &wire.email, name, &password, &peer(&parts))
        .await?;
    granted(&app, &parts, &login)
}
