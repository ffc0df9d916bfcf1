//! `POST /api/v1/auth/register`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use wharf_api::identity::{Register, Registered};
use wharf_identity::Error;

use crate::convert::identity::{peer, secret};
use crate::error::{Failure, sentence};
use crate::extract::json;
use crate::handlers::identity::created;
use crate::state::App;

/// Make an account of one's own
///
/// Closed unless the server's owner opened it: then accounts are made by invitation.
#[utoipa::path(
    post, path = "/api/v1/auth/register", tag = "accounts", security(()),
    request_body = Register,
    responses(
        (status = 201, description = "The account is made", body = Registered),
        (status = 400, description = "The address or name is taken", body = wharf_api::Problem,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn register(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<Register>(&app, request).await?;
    let (peer, password) = (peer(&parts), secret(wire.password));
    let name = Some(wire.username.as_str());
    let made = app
        .identity()?
        .register(&wire.email, name, &password, &peer);
    let user_id = made.await.map_err(|error| match error {
        Error::Conflict(words) => taken(words),
        other => other.into(),
    })?;
    created(&Registered {
        message: "The account is made; log in with it.".to_owned(),
        user_id,
    })
}

/// 400, which is what clients of this route expect where others have 409.
fn taken(words: &str) -> Failure {
    let words = sentence(words);
    Failure::new(StatusCode::BAD_REQUEST, "taken", "It is taken", words)
}
