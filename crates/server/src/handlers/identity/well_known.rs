//! `/.well-known`: what programs find by themselves.

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::Response;
use wharf_api::identity::oauth::DEVICE_CODE_GRANT;
use wharf_api::identity::{AuthorizationServer, JsonWebKeySet};

use super::base;
use crate::convert::identity::views;
use crate::error::Failure;
use crate::reply;
use crate::state::App;

/// How long the keys may be kept: far less than one is published after it signs for the last time.
/// A new one signs at once: who finds a `kid` that they do not know has to ask again.
const KEYS_KEPT: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// What this server offers (RFC 8414)
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "devices", security(()),
    responses((status = 200, description = "Where things are", body = AuthorizationServer)),
)]
pub(crate) async fn server(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    // Not answered by a server that could not keep what it says.
    app.accounts()?;
    let (parts, _body) = request.into_parts();
    let base = base(&app, &parts);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    reply::json(&AuthorizationServer {
        token_endpoint: format!("{base}/oauth/token"),
        device_authorization_endpoint: format!("{base}/oauth/device_authorization"),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        issuer: base,
        grant_types_supported: words(&[DEVICE_CODE_GRANT, "refresh_token"]),
        response_types_supported: Vec::new(),
        token_endpoint_auth_methods_supported: words(&["none"]),
        scopes_supported: words(&["run", "run:low", "sync", "admin"]),
    })
}

/// The public keys that verify access tokens (RFC 7517)
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "devices", security(()),
    responses((status = 200, description = "The keys", body = JsonWebKeySet)),
)]
pub(crate) async fn keys(State(app): State<App>) -> Result<Response, Failure> {
    let found = app.identity()?.public_keys().await?;
    let keys = found.into_iter().map(views::public_key).collect();
    let mut response = reply::json(&JsonWebKeySet { keys })?;
    response.headers_mut().insert(CACHE_CONTROL, KEYS_KEPT);
    Ok(response)
}
