//! `/oauth`: the device login as RFC 8628 has it, and refreshing as RFC 6749 has it.
//!
//! All clients are public ones: a program on somebody's machine keeps no secret, so none is asked
//! for, and `client_id` is a name and no more.

use axum::extract::{Request, State};
use axum::http::header::{PRAGMA, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use wharf_api::identity::oauth::DEVICE_CODE_GRANT;
use wharf_api::identity::{
    DeviceAuthorization, DeviceAuthorizationForm, OAuthError, TokenForm, TokenGranted,
};
use wharf_identity::views::{DevicePoll, LoggedIn};
use wharf_identity::{Error, views::DeviceDone};
use wharf_model::Secret;

use super::{base, device};
use crate::convert::identity::{hidden, peer};
use crate::error::Failure;
use crate::extract::form::Form;
use crate::reply;
use crate::state::App;

/// Begin a device login (RFC 8628)
#[utoipa::path(
    post, path = "/oauth/device_authorization", tag = "devices", security(()),
    request_body(content = DeviceAuthorizationForm,
        content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What to show and what to poll with",
            body = DeviceAuthorization),
        (status = 400, description = "Why not", body = OAuthError),
    ),
)]
pub(crate) async fn device_authorization(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&app, &parts.headers, body).await?;
    let name = form.text("device_name").or_else(|| form.text("client_id"));
    let asked = device::ask(&app, &parts, name.map(str::to_owned), form.text("scope")).await;
    let codes = match asked {
        Ok(codes) => codes,
        Err(failure) if failure.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            return refused("invalid_scope", failure.detail());
        }
        Err(failure) => return Err(failure),
    };
    let user_code = codes.user_code.expose().to_owned();
    let page = format!("{}/device", base(&app, &parts));
    reply::json(&DeviceAuthorization {
        device_code: hidden(&codes.device_code),
        verification_uri_complete: format!("{page}?code={user_code}"),
        verification_uri: page,
        user_code,
        expires_in: codes.lifetime.as_secs(),
        interval: codes.interval.as_secs(),
    })
    .map(unkept)
}

/// A token for a device code or a refresh token
#[utoipa::path(
    post, path = "/oauth/token", tag = "devices", security(()),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = TokenGranted),
        (status = 400, description = "Why not, or not yet", body = OAuthError),
    ),
)]
pub(crate) async fn token(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&app, &parts.headers, body).await?;
    match form.text("grant_type") {
        Some(DEVICE_CODE_GRANT) => match form.secret("device_code") {
            Some(code) => by_device_code(&app, &code).await,
            None => refused("invalid_request", "device_code is required"),
        },
        Some("refresh_token") => match form.secret("refresh_token") {
            Some(token) => by_refresh_token(&app, &parts, &token).await,
            None => refused("invalid_request", "refresh_token is required"),
        },
        Some(_) => refused(
            "unsupported_grant_type",
            "there are urn:ietf:params:oauth:grant-type:device_code and refresh_token",
        ),
        None => refused("invalid_request", "grant_type is required"),
    }
}

async fn by_device_code(app: &App, code: &Secret) -> Result<Response, Failure> {
    match device::result(app, code).await? {
        DevicePoll::Done(done) => from_device(app, &done),
        DevicePoll::Pending => refused("authorization_pending", "nobody has decided yet"),
        DevicePoll::SlowDown { interval } => {
            let seconds = interval.as_secs();
            let words = format!("wait {seconds} seconds before each poll from now on");
            let mut response = refused("slow_down", &words)?;
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            Ok(response)
        }
        DevicePoll::Denied => refused("access_denied", "the person said no"),
        DevicePoll::Expired => refused("expired_token", "it took too long; begin again"),
        DevicePoll::Invalid => refused("invalid_grant", "there is no such device code"),
    }
}

fn from_device(app: &App, done: &DeviceDone) -> Result<Response, Failure> {
    let left = done.key.expires.millis() - app.accounts()?.clock.now().millis();
    reply::json(&TokenGranted {
        access_token: hidden(&done.token),
        token_type: "Bearer".to_owned(),
        expires_in: u64::try_from(left / 1000).unwrap_or_default(),
        refresh_token: None,
        scope: Some(done.key.scopes.to_string()),
    })
    .map(unkept)
}

async fn by_refresh_token(app: &App, parts: &Parts, token: &Secret) -> Result<Response, Failure> {
    match app.identity()?.refresh(token, &peer(parts)).await {
        Ok(login) => refreshed(&login),
        Err(error @ (Error::Unauthenticated { .. } | Error::WrongCredentials)) => {
            refused("invalid_grant", &error.to_string())
        }
        Err(error) => Err(error.into()),
    }
}

fn refreshed(login: &LoggedIn) -> Result<Response, Failure> {
    reply::json(&TokenGranted {
        access_token: hidden(&login.access),
        token_type: "Bearer".to_owned(),
        expires_in: login.access_lifetime.as_secs(),
        refresh_token: login.refresh.as_ref().map(hidden),
        scope: None,
    })
    .map(unkept)
}

fn refused(error: &str, description: &str) -> Result<Response, Failure> {
    let mut response = reply::json(&OAuthError {
        error: error.to_owned(),
        error_description: Some(description.to_owned()),
    })?;
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Ok(unkept(response))
}

/// For caches of the last century as well (RFC 6749, 5.1); the gate adds `Cache-Control`.
fn unkept(mut response: Response) -> Response {
    let no_cache = HeaderValue::from_static("no-cache");
    response.headers_mut().insert(PRAGMA, no_cache);
    response
}
