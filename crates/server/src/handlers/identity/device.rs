//! `/api/cli/auth/device`: a device asks to be let in. The same service stands behind `/oauth`, the
//! procedure calls and the page.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use wharf_api::identity::{
    AuthorizeDevice, DeviceCode, DeviceCodeRequest, DevicePoll, DevicePollRequest, PlainError,
};
use wharf_identity::views::{self, DeviceAnswer, DeviceAsk, DeviceCodes};
use wharf_model::Secret;

use super::base;
use crate::convert::identity::views::device_token;
use crate::convert::identity::{hidden, named_peer, peer, scopes, secret};
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Begin a device login
///
/// A person allows it at the address that comes back. The body may be an empty object.
#[utoipa::path(
    post, path = "/api/cli/auth/device", tag = "devices", security(()),
    request_body = DeviceCodeRequest,
    responses((status = 200, description = "What to show and what to poll with",
        body = DeviceCode)),
)]
pub(crate) async fn begin(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<DeviceCodeRequest>(&app, request).await?;
    reply::json(&code(&app, &parts, wire).await?)
}

/// Whether the device is let in
///
/// 200 either way: with `error` until somebody decides.
#[utoipa::path(
    post, path = "/api/cli/auth/device/poll", tag = "devices", security(()),
    request_body = DevicePollRequest,
    responses(
        (status = 200, description = "The key, or why there is none", body = DevicePoll),
        (status = 400, description = "There is no device code", body = PlainError),
    ),
)]
pub(crate) async fn poll(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    json::is_json(&parts.headers)?;
    let bytes = app.bodies.read(body).await?;
    let Ok(wire) = json::parse::<DevicePollRequest>(&bytes) else {
        let mut response = reply::json(&PlainError {
            error: "invalid_device_code".to_owned(),
            details: None,
        })?;
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    reply::json(&polled(&app, wire).await?)
}

/// Codes for a device.
pub(super) async fn code(
    app: &App,
    parts: &Parts,
    wire: DeviceCodeRequest,
) -> Result<DeviceCode, Failure> {
    let codes = ask(app, parts, wire.device_name, wire.scope.as_deref()).await?;
    let user_code = codes.user_code.expose().to_owned();
    Ok(DeviceCode {
        device_code: hidden(&codes.device_code),
        verification_url: format!("{}/device?code={user_code}", base(app, parts)),
        user_code,
        expires_in: codes.lifetime.as_secs(),
        interval: codes.interval.as_secs(),
    })
}

/// The same before it is written in anybody's words.
pub(super) async fn ask(
    app: &App,
    parts: &Parts,
    device: Option<String>,
    scope: Option<&str>,
) -> Result<DeviceCodes, Failure> {
    let asked = scope.map(|text| scopes("scope", text)).transpose()?;
    let peer = named_peer(parts, device);
    let ask = DeviceAsk { scopes: asked };
    Ok(app.identity()?.begin_device(ask, &peer).await?)
}

/// What a poll comes to.
pub(super) async fn polled(app: &App, wire: DevicePollRequest) -> Result<DevicePoll, Failure> {
    let code = secret(wire.device_code);
    let waiting = |error: &str| {
        DevicePoll::Waiting(PlainError {
            error: error.to_owned(),
            details: None,
        })
    };
    Ok(match result(app, &code).await? {
        views::DevicePoll::Done(done) => DevicePoll::Done(device_token(*done)),
        views::DevicePoll::Pending => waiting("authorization_pending"),
        views::DevicePoll::SlowDown { .. } => waiting("slow_down"),
        views::DevicePoll::Denied => waiting("access_denied"),
        views::DevicePoll::Expired => waiting("expired_token"),
        views::DevicePoll::Invalid => waiting("invalid_device_code"),
    })
}

/// The same before it is written in anybody's words.
pub(super) async fn result(app: &App, code: &Secret) -> Result<views::DevicePoll, Failure> {
    Ok(app.identity()?.poll_device(code).await?)
}

/// A person's answer, given by a program of theirs.
pub(super) async fn authorize(
    app: &App,
    parts: &Parts,
    wire: AuthorizeDevice,
) -> Result<(), Failure> {
    let context = Context::of(parts)?;
    let answer = match wire.allow {
        true => DeviceAnswer::Allow {
            organization: wire.org_id,
        },
        false => DeviceAnswer::Deny,
    };
    let code = wire.user_code.expose();
    let identity = app.identity()?;
    identity
        .answer_device(&context.caller, code, answer, &peer(parts))
        .await?;
    Ok(())
}
