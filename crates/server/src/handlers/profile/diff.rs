//! `GET /api/v1/profile/diff`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::ProfileDifferences;

use super::called;
use crate::convert::profiles::differences;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// What changed from one version to another
#[utoipa::path(
    get, path = "/api/v1/profile/diff", tag = "configuration",
    params(
        ("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent"),
        ("from" = Option<String>, Query, description = "The older version; when absent, what was before the first"),
        ("to" = Option<String>, Query, description = "The newer version; the newest when absent"),
    ),
    responses((status = 200, description = "As `git diff` prints it", body = ProfileDifferences)),
)]
pub(crate) async fn diff(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.reads(called(&params))?;
    let profiles = &asker.configuration.profiles;
    let changed = profiles.diff(&owner, params.text("from"), params.text("to"));
    reply::json(&differences::shown(&changed.await?))
}
