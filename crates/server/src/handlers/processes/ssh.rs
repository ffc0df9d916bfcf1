//! `GET /api/ssh-sessions`, `DELETE /api/ssh-sessions/{session_key}`: connections to other machines.

use axum::extract::State;
use axum::response::Response;
use wharf_api::{SshSession, Success};

use crate::convert::process::ssh_session;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Connections to other machines
///
/// One entry a connection; those of one identity to one host share a key. What is done over a
/// connection is several callers' at once, so that they are for who administers the server.
#[utoipa::path(
    get, path = "/api/ssh-sessions", tag = "processes",
    responses((status = 200, description = "Connections", body = Vec<SshSession>)),
)]
pub(crate) async fn list(State(app): State<App>) -> Result<Response, Failure> {
    let connections = app.engine.connections();
    let all: Vec<SshSession> = connections.into_iter().map(ssh_session).collect();
    reply::json(&all)
}

/// Close connections
///
/// Those of one identity to one host. What runs over them is lost, save for what outlives its
/// connection; the next command connects again.
#[utoipa::path(
    delete, path = "/api/ssh-sessions/{session_key}", tag = "processes",
    params(("session_key" = String, Path, description = "Names the connections")),
    responses((status = 200, description = "They have ended", body = Success)),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    Name(key): Name,
) -> Result<Response, Failure> {
    app.engine.disconnect(&context.caller, &key).await?;
    reply::json(&Success { success: true })
}
