//! `GET /api/v1/profile/tree`.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use wharf_api::profile::ProfileTree;

use super::tree;
use crate::convert::profiles::trees;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::extract::tags;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// All files
///
/// Without `profile` what applies to who asks: their organization's files, their teams' and their
/// own, put together. With it one profile's own files, now or at a version.
#[utoipa::path(
    get, path = "/api/v1/profile/tree", tag = "configuration",
    params(
        ("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; what applies when absent"),
        ("version" = Option<String>, Query, description = "A version of that profile; the newest when absent"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the one that is there: 304 if it still is"),
    ),
    responses(
        (status = 200, description = "The files, without their contents; `ETag` is the version", body = ProfileTree),
        (status = 304, description = "They are as they were"),
    ),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Failure> {
    let profile = params.text("profile").map(str::to_owned);
    let version = params.text("version").map(str::to_owned);
    if profile.is_none() && version.is_some() {
        params.wrong("version", "goes with profile".to_owned());
    }
    params.check()?;
    let asker = Asker::of(&app, &context.caller).await?;
    match profile {
        None => applying(&asker, &headers).await,
        Some(profile) => own(&asker, &headers, &profile, version.as_deref()).await,
    }
}

async fn applying(asker: &Asker<'_>, headers: &HeaderMap) -> Result<Response, Failure> {
    let layers = asker.layers()?;
    let view = asker.configuration.profiles.view(&layers).await?;
    if tags::has(headers, &view.version)? {
        return Ok(tags::not_modified(&view.version));
    }
    let mut response = reply::json(&trees::applying(asker, &view)?)?;
    tags::tag(&mut response, &view.version);
    Ok(response)
}

async fn own(
    asker: &Asker<'_>,
    headers: &HeaderMap,
    profile: &str,
    version: Option<&str>,
) -> Result<Response, Failure> {
    let owner = asker.reads(profile)?;
    let profiles = &asker.configuration.profiles;
    if version.is_none() && tags::asks(headers) {
        let newest = profiles.version(&owner).await?;
        if tags::has(headers, &newest)? {
            return Ok(tags::not_modified(&newest));
        }
    }
    let found = profiles.tree(&owner, version).await?;
    if version.is_some() && tags::has(headers, &found.version)? {
        return Ok(tags::not_modified(&found.version));
    }
    tree(asker, &owner, &found)
}
