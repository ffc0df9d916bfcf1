//! `GET /api/v1/profile/upstream`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::UpstreamShown;

use super::super::called;
use super::settings;
use crate::convert::profiles::upstreams;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// The upstream
///
/// For whoever may change the profile. Tokens and the private half of a key are never shown.
#[utoipa::path(
    get, path = "/api/v1/profile/upstream", tag = "configuration",
    params(("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent")),
    responses((status = 200, description = "The upstream, and how the last conversation with it ended", body = UpstreamShown)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(called(&params))?;
    let found = settings(&asker.configuration.profiles, &owner).await?;
    reply::json(&upstreams::shown(&found))
}
