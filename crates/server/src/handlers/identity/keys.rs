//! `/api/v1/keys`: API keys.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{ApiKeyCreated, ApiKeyList, CreateApiKey, Message};
use wharf_identity::views::NewKey;

use super::{created, done};
use crate::convert::identity::{hidden, scopes, views};
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// API keys
///
/// One's own, those of one's agents too; or somebody else's, for who looks after the server.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "keys",
    params(("user" = Option<String>, Query, description = "Whose, by id or address")),
    responses((status = 200, description = "Those that can be used", body = ApiKeyList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let found = app
        .identity()?
        .keys(&context.caller, params.text("user"))
        .await?;
    let keys = found.into_iter().map(views::key).collect();
    reply::json(&ApiKeyList { keys })
}

/// Make an API key
///
/// Its text is in this answer and nowhere else.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "keys", request_body = CreateApiKey,
    responses((status = 201, description = "The key", body = ApiKeyCreated)),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<CreateApiKey>(&app, request).await?;
    let scopes = wire.scopes.map(|words| scopes("scopes", &words.join(" ")));
    let key = NewKey {
        name: wire.name,
        scopes: scopes.transpose()?,
        lifetime: wire.expires_in.map(Duration::from_secs),
        organization: wire.organization,
        agent: wire.agent,
    };
    let made = app.identity()?.make_key(&context.caller, key).await?;
    created(&ApiKeyCreated {
        token: hidden(&made.token),
        key: views::key(made.key),
    })
}

/// Revoke an API key
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key, `key_…`")),
    responses((status = 200, description = "It opens nothing any more", body = Message)),
)]
pub(crate) async fn revoke(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    app.identity()?.revoke_key(&context.caller, &id).await?;
    done("The key is revoked.")
}
