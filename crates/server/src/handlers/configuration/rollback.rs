//! `POST /api/v1/configuration/{profile}/rollback/{commit_sha}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::profile::ConfigurationContent;

use super::asker::Asker;
use super::content;
use super::put::condition;
use crate::error::Failure;
use crate::extract::id::Names;
use crate::extract::tags::Bound;
use crate::middleware::gate::Context;
use crate::state::App;

/// Go back to an older text
///
/// A new version with the text of that one. All other files stay as they are.
#[utoipa::path(
    post, path = "/api/v1/configuration/{profile}/rollback/{commit_sha}", tag = "configuration",
    params(
        ("profile" = String, Path, description = "`me`, `org` or `team:ID`"),
        ("commit_sha" = String, Path, description = "The version, as the history has it"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that there must be"),
    ),
    responses(
        (status = 200, description = "The text as it is now", body = ConfigurationContent),
        (status = 412, description = "It has changed in the meantime; `ETag` is its version now",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rollback(
    State(app): State<App>,
    context: Context,
    Names(profile, version): Names,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let bound = Bound::of(&headers)?;
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(&profile)?;
    let profiles = &asker.configuration.profiles;
    let base = bound.base(async || profiles.version(&owner).await).await?;
    let author = asker.author().await?;
    let made = profiles.rollback(&owner, &version, &author, condition(&base));
    let made = made.await?;
    asker.made_a_version(&owner);
    content(&made)
}
