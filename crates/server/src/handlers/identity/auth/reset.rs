//! `POST /api/v1/auth/reset/request` and `POST /api/v1/auth/reset`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{AccessGranted, Message, PasswordReset, ResetRequest};

use crate::convert::identity::{peer, secret};
use crate::error::Failure;
use crate::extract::json;
use crate::handlers::identity::{done, granted};
use crate::state::App;

/// Ask for a code to set a new password with
///
/// The answer is the same whether or not there is such an account, and whether or not the server
/// can send mail. Where it cannot, an administrator can make a code.
#[utoipa::path(
    post, path = "/api/v1/auth/reset/request", tag = "accounts", security(()),
    request_body = ResetRequest,
    responses((status = 200, description = "Mailed, if it can be", body = Message)),
)]
pub(crate) async fn ask(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<ResetRequest>(&app, request).await?;
    app.identity()?
        .request_reset(&wire.email, &peer(&parts))
        .await?;
    done("If there is such an account and this server sends mail, a code is on its way.")
}

/// Set a new password by a code
///
/// All logins of the account end, and a new one begins.
#[utoipa::path(
    post, path = "/api/v1/auth/reset", tag = "accounts", security(()),
    request_body = PasswordReset,
    responses(
        (status = 200, description = "Logged in with it", body = AccessGranted),
        (status = 400, description = "The code is not valid", body = wharf_api::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn reset(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<PasswordReset>(&app, request).await?;
    let (code, password) = (secret(wire.code), secret(wire.new_password));
    let login = app
        .identity()?
        .reset(&code, &password, &peer(&parts))
        .await?;
    granted(&app, &parts, &login)
}
