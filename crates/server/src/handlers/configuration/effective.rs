//! `GET /api/v1/profile/effective-configuration`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::profile::{EffectiveConfiguration, EffectivePart};

use super::asker::Asker;
use crate::error::Failure;
use crate::extract::tags;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// The text that applies
///
/// What the organization says, then the teams, then the person, with an empty line between.
#[utoipa::path(
    get, path = "/api/v1/profile/effective-configuration", tag = "configuration",
    params(
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the one that is there: 304 if it still is"),
    ),
    responses(
        (status = 200, description = "The text; its `ETag` changes when a layer does", body = EffectiveConfiguration),
        (status = 304, description = "It is as it was"),
    ),
)]
pub(crate) async fn effective(
    State(app): State<App>,
    context: Context,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let asker = Asker::of(&app, &context.caller).await?;
    let layers = asker.layers()?;
    let effective = asker.configuration.profiles.effective(&layers).await?;
    if tags::has(&headers, &effective.version)? {
        return Ok(tags::not_modified(&effective.version));
    }
    let mut parts = Vec::with_capacity(effective.parts.len());
    for part in &effective.parts {
        parts.push(EffectivePart {
            profile: asker.called(&part.origin.owner)?,
            commit_sha: part.origin.version.clone(),
            first_line: part.first_line as u64,
            last_line: part.last_line as u64,
        });
    }
    let mut response = reply::json(&EffectiveConfiguration {
        content: effective.content.clone(),
        org_applied: effective.org_applied(),
        team_applied: effective.team_applied(),
        user_applied: effective.user_applied(),
        parts,
    })?;
    tags::tag(&mut response, &effective.version);
    Ok(response)
}
