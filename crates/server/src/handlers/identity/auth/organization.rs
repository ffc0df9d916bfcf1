//! `POST /api/v1/auth/organization`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::identity::{AccessGranted, SwitchOrganization};

use crate::error::Failure;
use crate::extract::json;
use crate::handlers::identity::granted;
use crate::middleware::gate::Context;
use crate::state::App;

/// Go on for another organization
///
/// The login is for that one from now on, and its cookie stays as it is; an API key is bound to its
/// own.
#[utoipa::path(
    post, path = "/api/v1/auth/organization", tag = "accounts",
    request_body = SwitchOrganization,
    responses((status = 200, description = "A new access token", body = AccessGranted)),
)]
pub(crate) async fn switch(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, wire) = json::open::<SwitchOrganization>(&app, request).await?;
    let context = Context::of(&parts)?;
    let switched = app
        .identity()?
        .switch_organization(&context.caller, &wire.organization);
    granted(&app, &parts, &switched.await?)
}
