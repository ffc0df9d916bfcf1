//! `DELETE /api/v1/profile/upstream`.

use axum::extract::State;
use axum::response::Response;
use wharf_identity::Deed;

use super::super::called;
use super::settings;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Take the upstream away
///
/// Its token or key and its webhook end with it. What came from it stays. Agents may not.
#[utoipa::path(
    delete, path = "/api/v1/profile/upstream", tag = "configuration",
    params(("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent")),
    responses((status = 204, description = "It is gone")),
)]
pub(crate) async fn remove(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.steers(called(&params))?;
    let profiles = &asker.configuration.profiles;
    settings(profiles, &owner).await?;
    asker.records(&owner, Deed::UpstreamRemoved)?;
    profiles.remove_upstream(&owner).await?;
    Ok(reply::nothing())
}
