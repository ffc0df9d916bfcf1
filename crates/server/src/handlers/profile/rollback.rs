//! `POST /api/v1/profile/rollback/{commit_sha}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::profile::ProfileTree;

use super::{called, tree};
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::query::Params;
use crate::extract::tags::Bound;
use crate::handlers::configuration::asker::Asker;
use crate::handlers::configuration::put::condition;
use crate::middleware::gate::Context;
use crate::state::App;

/// Go back to an older version
///
/// A new version with all files as they were.
#[utoipa::path(
    post, path = "/api/v1/profile/rollback/{commit_sha}", tag = "configuration",
    params(
        ("commit_sha" = String, Path, description = "The version, as the history has it"),
        ("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the profile that there must be"),
    ),
    responses(
        (status = 200, description = "The profile's files as they are now", body = ProfileTree),
        (status = 412, description = "They have changed in the meantime; `ETag` is their version now",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rollback(
    State(app): State<App>,
    context: Context,
    Name(version): Name,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let bound = Bound::of(&headers)?;
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(called(&params))?;
    let profiles = &asker.configuration.profiles;
    let base = bound.base(async || profiles.version(&owner).await).await?;
    let author = asker.author().await?;
    let made = profiles.rollback_tree(&owner, &version, &author, condition(&base));
    let made = made.await?;
    asker.made_a_version(&owner);
    tree(&asker, &owner, &made)
}
