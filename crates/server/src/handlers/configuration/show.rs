//! `GET /api/v1/configuration/{profile}`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::profile::ConfigurationContent;

use super::asker::Asker;
use super::content;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::tags;
use crate::middleware::gate::Context;
use crate::state::App;

/// The text
///
/// `CLAUDE.md` of one profile, as it is now; empty where nothing was ever saved.
#[utoipa::path(
    get, path = "/api/v1/configuration/{profile}", tag = "configuration",
    params(
        ("profile" = String, Path, description = "`me`, `org` or `team:ID`"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the one that is there: 304 if it still is"),
    ),
    responses(
        (status = 200, description = "The text; its `ETag` is the commit", body = ConfigurationContent),
        (status = 304, description = "It is as it was"),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(profile): Name,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.reads(&profile)?;
    let profiles = &asker.configuration.profiles;
    if tags::asks(&headers) {
        let version = profiles.version(&owner).await?;
        if tags::has(&headers, &version)? {
            return Ok(tags::not_modified(&version));
        }
    }
    content(&profiles.current(&owner).await?)
}
