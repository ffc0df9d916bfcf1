//! `POST /api/v1/auth/logout`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::Message;

use crate::error::Failure;
use crate::extract::cookie;
use crate::extract::query::Params;
use crate::handlers::identity::{done, is_secure, set_cookie};
use crate::middleware::gate::Context;
use crate::state::App;

/// Log out
///
/// Ends the login, or revokes the API key, that the request shows; with `all=true` every login of
/// the account.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "accounts",
    params(("all" = Option<bool>, Query, description = "Every login of the account")),
    responses((status = 200, description = "Logged out", body = Message)),
)]
pub(crate) async fn logout(
    State(app): State<App>,
    context: Context,
    mut params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let all = params.flag("all");
    params.check()?;
    app.identity()?.logout(&context.caller, all).await?;
    let (parts, _body) = request.into_parts();
    let mut response = done("Logged out.")?;
    let clear = cookie::refresh("", 0, is_secure(&app, &parts));
    set_cookie(&mut response, clear)?;
    Ok(response)
}
