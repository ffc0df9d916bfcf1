//! `POST /api/v1/auth/login`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{AccessGranted, LoginForm};

use crate::convert::identity::named_peer;
use crate::error::Failure;
use crate::extract::form::Form;
use crate::handlers::identity::granted;
use crate::state::App;

/// Log in with a password
///
/// The answer takes as long for an address that is not known, and says the same.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "accounts", security(()),
    request_body(content = LoginForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Logged in; the refresh token is in the cookie \
        `refresh_token`", body = AccessGranted)),
)]
pub(crate) async fn login(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&app, &parts.headers, body).await?;
    let form = form.require(&["username", "password"])?;
    if form
        .text("grant_type")
        .is_some_and(|kind| kind != "password")
    {
        return Err(Failure::invalid_field("grant_type", "must be password"));
    }
    let peer = named_peer(&parts, form.text("device").map(str::to_owned));
    let password = form.secret_or_empty("password");
    let (email, organization) = (form.or_empty("username"), form.text("organization"));
    let login = app.identity()?.login(email, &password, organization, &peer);
    granted(&app, &parts, &login.await?)
}
