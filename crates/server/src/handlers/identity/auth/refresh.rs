//! `POST /api/v1/auth/refresh`.

use axum::extract::{Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use wharf_api::identity::AccessGranted;
use wharf_model::Secret;

use crate::convert::identity::peer;
use crate::error::Failure;
use crate::extract::cookie::{self, cookie};
use crate::handlers::identity::granted;
use crate::middleware::auth::BEARER;
use crate::state::App;

/// Go on with a login
///
/// Takes the cookie `refresh_token`, which is used up, and sets another. One that is presented
/// twice ends the login, save within 10 seconds, for a client that retries.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "accounts", security(()),
    params(("refresh_token" = Option<String>, Cookie, description = "As the last answer set it")),
    responses((status = 200, description = "A new access token and a new cookie",
        body = AccessGranted)),
)]
pub(crate) async fn refresh(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    // There is nothing to read in the body.
    let (parts, _body) = request.into_parts();
    let token = cookie(&parts.headers, cookie::REFRESH).filter(|token| !token.is_empty());
    let token = token.ok_or_else(missing)?;
    let token = Secret::new(token.to_owned());
    let login = app.identity()?.refresh(&token, &peer(&parts)).await?;
    granted(&app, &parts, &login)
}

fn missing() -> Failure {
    Failure::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "Not logged in",
        "The cookie refresh_token is missing. Log in again.",
    )
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static(BEARER))
}
