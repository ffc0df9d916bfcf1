//! `POST /api/v1/auth/first`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{AccessGranted, FirstUser};
use wharf_identity::Error;
use wharf_identity::views::{LoggedIn, Peer};
use wharf_model::Secret;

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
    let made = make(&app, &code, &wire.email, name, &password, &peer(&parts)).await?;
    granted(&app, &parts, &made)
}

/// Makes it. Where there are accounts already no code is good, which is said as what it is.
pub(crate) async fn make(
    app: &App,
    code: &Secret,
    email: &str,
    username: Option<&str>,
    password: &Secret,
    peer: &Peer,
) -> Result<LoggedIn, Failure> {
    let identity = app.identity()?;
    match identity.first(code, email, username, password, peer).await {
        Err(Error::WrongCode) if identity.has_users().await? => {
            Err(Error::Conflict("there are accounts already; ask for an invitation").into())
        }
        made => Ok(made?),
    }
}
