//! `POST /api/v1/auth/password`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{Message, PasswordChange};

use crate::convert::identity::{peer, secret};
use crate::error::Failure;
use crate::extract::json;
use crate::handlers::identity::done;
use crate::middleware::gate::Context;
use crate::state::App;

/// Change one's password
///
/// All other logins of the account end.
#[utoipa::path(
    post, path = "/api/v1/auth/password", tag = "accounts", request_body = PasswordChange,
    responses((status = 200, description = "It is changed", body = Message)),
)]
pub(crate) async fn change(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<PasswordChange>(&app, request).await?;
    let context = Context::of(&parts)?;
    let (old, new) = (secret(wire.current_password), secret(wire.new_password));
    let identity = app.identity()?;
    identity
        .change_password(&context.caller, &old, &new, &peer(&parts))
        .await?;
    done("The password is changed; all other logins have ended.")
}
