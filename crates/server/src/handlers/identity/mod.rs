//! Accounts: thin doors to `wharf_identity`, which decides everything.

pub(crate) mod agents;
pub(crate) mod auth;
pub(crate) mod device;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod members;
pub(crate) mod oauth;
pub(crate) mod organizations;
pub(crate) mod pages;
pub(crate) mod rpc;
pub(crate) mod ssh_keys;
pub(crate) mod teams;
pub(crate) mod users;
pub(crate) mod well_known;

use axum::http::header::{HOST, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use wharf_api::identity::Message;
use wharf_identity::views::LoggedIn;

use crate::auth::Peer;
use crate::convert::identity::views;
use crate::error::Failure;
use crate::extract::cookie;
use crate::reply;
use crate::state::App;

/// A login that has begun or goes on: the access token, and the refresh token as a cookie, where
/// there is a new one. The browser's own is good still where there is none.
fn granted(app: &App, parts: &Parts, login: &LoggedIn) -> Result<Response, Failure> {
    let mut response = reply::json(&views::granted(login))?;
    if let Some(refresh) = &login.refresh {
        let seconds = login.refresh_lifetime.as_secs();
        let set = cookie::refresh(refresh.expose(), seconds, is_secure(app, parts));
        set_cookie(&mut response, set)?;
    }
    Ok(response)
}

fn set_cookie(response: &mut Response, set: Option<HeaderValue>) -> Result<(), Failure> {
    let set = set.ok_or_else(|| Failure::internal("a token does not fit into a cookie"))?;
    response.headers_mut().append(SET_COOKIE, set);
    Ok(())
}

/// What was done, in words.
fn done(message: &str) -> Result<Response, Failure> {
    let message = message.to_owned();
    reply::json(&Message { message })
}

/// 201 with `value` as JSON.
pub(super) fn created<T: Serialize>(value: &T) -> Result<Response, Failure> {
    let mut response = reply::json(value)?;
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Whether the client speaks TLS with whoever speaks for us.
fn is_secure(app: &App, parts: &Parts) -> bool {
    let public = app.public_url.as_deref();
    let secure = parts.extensions.get::<Peer>().is_some_and(|it| it.secure);
    secure || public.is_some_and(|url| url.starts_with("https://"))
}

/// What the server is called from outside, without a slash at the end: as configured, or else as
/// this request called it, which the gate has found to be a name of ours.
pub(super) fn base(app: &App, parts: &Parts) -> String {
    if let Some(url) = &app.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = if is_secure(app, parts) {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", host(parts))
}

/// The name that this request called the server by.
fn host(parts: &Parts) -> &str {
    let host = parts.headers.get(HOST);
    host.and_then(|host| host.to_str().ok())
        .unwrap_or("localhost")
}
