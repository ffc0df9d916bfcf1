//! `/api/cli/ssh-keys`: public keys of devices.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{SshKeyCreated, SshKeyDeleted, SshKeyList, SshKeyRequest};
use wharf_model::Caller;

use crate::convert::identity::views;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// SSH keys
#[utoipa::path(
    get, path = "/api/cli/ssh-keys", tag = "keys",
    responses((status = 200, description = "One's own", body = SshKeyList)),
)]
pub(crate) async fn list(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    reply::json(&all(&app, &context.caller).await?)
}

/// Register an SSH key
#[utoipa::path(
    post, path = "/api/cli/ssh-keys", tag = "keys", request_body = SshKeyRequest,
    responses(
        (status = 200, description = "The key", body = SshKeyCreated),
        (status = 409, description = "It is already registered", body = wharf_api::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<SshKeyRequest>(&app, request).await?;
    reply::json(&add(&app, &context.caller, wire).await?)
}

/// Remove an SSH key
#[utoipa::path(
    delete, path = "/api/cli/ssh-keys/{id}", tag = "keys",
    params(("id" = String, Path, description = "The key, `sky_…`")),
    responses((status = 200, description = "It is gone", body = SshKeyDeleted)),
)]
pub(crate) async fn delete(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
) -> Result<Response, Failure> {
    reply::json(&remove(&app, &context.caller, &id).await?)
}

pub(super) async fn all(app: &App, caller: &Caller) -> Result<SshKeyList, Failure> {
    let found = app.identity()?.ssh_keys(caller).await?;
    let keys = found.into_iter().map(views::ssh_key).collect();
    Ok(SshKeyList { keys })
}

pub(super) async fn add(
    app: &App,
    caller: &Caller,
    wire: SshKeyRequest,
) -> Result<SshKeyCreated, Failure> {
    let (name, fingerprint) = (wire.name.as_deref(), wire.fingerprint.as_deref());
    let identity = app.identity()?;
    let key = identity
        .add_ssh_key(caller, &wire.public_key, name, fingerprint)
        .await?;
    let key = views::ssh_key(key);
    Ok(SshKeyCreated { key })
}

pub(super) async fn remove(app: &App, caller: &Caller, id: &str) -> Result<SshKeyDeleted, Failure> {
    app.identity()?.remove_ssh_key(caller, id).await?;
    Ok(SshKeyDeleted {
        success: true,
        deleted: 1,
    })
}

pub(super) async fn remove_all(app: &App, caller: &Caller) -> Result<SshKeyDeleted, Failure> {
    let deleted = app.identity()?.remove_ssh_keys(caller).await?;
    Ok(SshKeyDeleted {
        success: true,
        deleted,
    })
}
