//! `POST /api/rpc/cli/{group}/{procedure}`: the device login and SSH keys as procedure calls, for
//! clients that were written so. Each is a thin door to what the other routes do.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wharf_api::identity::{
    AuthorizeDevice, DeviceCodeRequest, DevicePollRequest, RpcAnswer, RpcRequest, SshKeyDelete,
    SshKeyDeleted, SshKeyRequest,
};
use wharf_model::Caller;

use super::{device, ssh_keys};
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// The rest of the request, and the procedure's input.
pub(in crate::handlers) async fn input<T: DeserializeOwned>(
    app: &App,
    request: Request,
) -> Result<(Parts, T), Failure> {
    let (parts, envelope) = json::open::<RpcRequest>(app, request).await?;
    let json = match envelope.json {
        Value::Null => Value::Object(serde_json::Map::new()),
        json => json,
    };
    let bytes = serde_json::to_vec(&json).map_err(Failure::internal)?;
    Ok((parts, json::parse(&bytes)?))
}

/// The procedure's output.
pub(in crate::handlers) fn output<T: Serialize>(value: &T) -> Result<Response, Failure> {
    let json = serde_json::to_value(value).map_err(Failure::internal)?;
    reply::json(&RpcAnswer {
        json,
        meta: Vec::new(),
    })
}

/// Nothing is expected of the input of some.
#[derive(serde::Deserialize)]
pub(in crate::handlers) struct Nothing {}

/// `auth.createDeviceCode`
#[utoipa::path(
    post, path = "/api/rpc/cli/auth/createDeviceCode", tag = "calls", security(()),
    request_body = RpcRequest,
    responses((status = 200, description = "As `/api/cli/auth/device`", body = RpcAnswer)),
)]
pub(crate) async fn create_device_code(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<DeviceCodeRequest>(&app, request).await?;
    output(&device::code(&app, &parts, wire).await?)
}

/// `auth.pollDevice`
#[utoipa::path(
    post, path = "/api/rpc/cli/auth/pollDevice", tag = "calls", security(()),
    request_body = RpcRequest,
    responses((status = 200, description = "As `/api/cli/auth/device/poll`", body = RpcAnswer)),
)]
pub(crate) async fn poll_device(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (_, wire) = input::<DevicePollRequest>(&app, request).await?;
    output(&device::polled(&app, wire).await?)
}

/// `auth.authorizeDevice`
#[utoipa::path(
    post, path = "/api/rpc/cli/auth/authorizeDevice", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success`", body = RpcAnswer)),
)]
pub(crate) async fn authorize_device(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<AuthorizeDevice>(&app, request).await?;
    device::authorize(&app, &parts, wire).await?;
    output(&wharf_api::Success { success: true })
}

/// `sshKeys.list`
#[utoipa::path(
    post, path = "/api/rpc/cli/sshKeys/list", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`keys`", body = RpcAnswer)),
)]
pub(crate) async fn list_ssh_keys(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    output(&ssh_keys::all(&app, &caller(&parts)?).await?)
}

/// `sshKeys.create`
#[utoipa::path(
    post, path = "/api/rpc/cli/sshKeys/create", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`key`", body = RpcAnswer)),
)]
pub(crate) async fn create_ssh_key(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<SshKeyRequest>(&app, request).await?;
    output(&ssh_keys::add(&app, &caller(&parts)?, wire).await?)
}

/// `sshKeys.delete`
#[utoipa::path(
    post, path = "/api/rpc/cli/sshKeys/delete", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success`", body = RpcAnswer)),
)]
pub(crate) async fn delete_ssh_key(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = input::<SshKeyDelete>(&app, request).await?;
    let gone: SshKeyDeleted = ssh_keys::remove(&app, &caller(&parts)?, &wire.id).await?;
    output(&gone)
}

/// `sshKeys.deleteAll`
#[utoipa::path(
    post, path = "/api/rpc/cli/sshKeys/deleteAll", tag = "calls", request_body = RpcRequest,
    responses((status = 200, description = "`success` and how many", body = RpcAnswer)),
)]
pub(crate) async fn delete_all_ssh_keys(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, Nothing {}) = input(&app, request).await?;
    output(&ssh_keys::remove_all(&app, &caller(&parts)?).await?)
}

pub(in crate::handlers) fn caller(parts: &Parts) -> Result<Caller, Failure> {
    Context::of(parts).map(|context| context.caller)
}
