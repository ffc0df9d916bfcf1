//! `POST /api/create-session`, and the same as `POST /api/sessions`.

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use wharf_api::{CreateSession, SessionCreated};

use crate::convert::request;
use crate::error::Failure;
use crate::extract::json;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Make a session
///
/// One living shell: directory, environment, functions and options go on from one command to the
/// next. A session of that name that is the caller's own already goes on, and `created` is false.
/// A request without a body makes one with all defaults.
#[utoipa::path(
    post, path = "/api/create-session", tag = "sessions", request_body = Option<CreateSession>,
    responses((status = 200, description = "The session", body = SessionCreated)),
)]
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts)?;
    let has_type = parts.headers.contains_key(CONTENT_TYPE);
    if has_type {
        json::is_json(&parts.headers)?;
    }
    let bytes = app.bodies.read(body).await?;
    let wire = match (bytes.is_empty(), has_type) {
        (true, _) => CreateSession::default(),
        (false, true) => json::parse(&bytes)?,
        (false, false) => return Err(Failure::not_json()),
    };
    let new = request::session(wire)?;
    let (id, created) = app.engine.create_session(&context.caller, new).await?;
    reply::json(&SessionCreated {
        session_id: id.to_string(),
        created,
    })
}
