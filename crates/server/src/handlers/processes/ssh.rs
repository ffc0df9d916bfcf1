//! `GET /api/ssh-sessions`, `DELETE /api/ssh-sessions/{session_key}`: there are none in this
//! version, and clients that look after them find that out here.

use axum::response::Response;
use wharf_api::SshSession;

use crate::error::Failure;
use crate::extract::id::{self, Name};
use crate::reply;

/// Connections to other hosts
///
/// None in this version.
#[utoipa::path(
    get, path = "/api/ssh-sessions", tag = "processes",
    responses((status = 200, description = "Connections", body = Vec<SshSession>)),
)]
pub(crate) async fn list() -> Result<Response, Failure> {
    reply::json::<[SshSession; 0]>(&[])
}

/// End a connection
///
/// None exists in this version.
#[utoipa::path(
    delete, path = "/api/ssh-sessions/{session_key}", tag = "processes",
    params(("session_key" = String, Path, description = "Names the connection")),
    responses((status = 200, description = "It has ended", body = wharf_api::Success)),
)]
pub(crate) async fn remove(Name(key): Name) -> Result<Response, Failure> {
    Err(id::missing("SSH session", &key))
}
