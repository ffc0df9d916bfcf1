//! `POST /api/v1/profile/upstream/pull`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::profile::{UpstreamDone, UpstreamPull};
use wharf_profiles::upstream::Outcome;

use super::super::called;
use super::settings;
use crate::convert::profiles::upstreams;
use crate::error::Failure;
use crate::extract::json;
use crate::extract::query::Params;
use crate::extract::tags::Bound;
use crate::handlers::configuration::asker::Asker;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Take over what the upstream has
///
/// If it is ahead, its versions become the profile's. Where both sides have versions of their own
/// the outcome is `diverged` and nothing is done, unless `diverged` says what to do. With `theirs` and
/// `ours` nothing is done either where a version is saved meanwhile, and with `If-Match` where it is
/// not the version of that `ETag`. It takes as long as the upstream does, a minute for each fetch, and
/// waits for its turn before that.
#[utoipa::path(
    post, path = "/api/v1/profile/upstream/pull", tag = "configuration", request_body = UpstreamPull,
    params(
        ("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the profile that there must be"),
    ),
    responses(
        (status = 200, description = "How it ended", body = UpstreamDone),
        (status = 409, description = "One goes on already",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 412, description = "The profile has changed in the meantime; `ETag` is its version now",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 502, description = "The upstream does not do it, or holds what may not be here",
            body = wharf_api::Problem, content_type = "application/problem+json"),
        (status = 504, description = "It takes too long",
            body = wharf_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn pull(
    State(app): State<App>,
    context: Context,
    params: Params,
    request: Request,
) -> Result<Response, Failure> {
    let bound = Bound::of(request.headers())?;
    let asker = Asker::of(&app, &context.caller).await?;
    let owner = asker.edits(called(&params))?;
    let (_, wire) = json::read::<UpstreamPull>(&app, request).await?;
    let configuration = asker.configuration;
    let profiles = &configuration.profiles;
    let settings = settings(profiles, &owner).await?;
    let base = bound.base(async || profiles.version(&owner).await).await?;
    let author = asker.author().await?;
    let divergence = upstreams::divergence(wire.diverged);
    let sends = settings.push;
    let done = configuration
        .upstreams
        .pull(settings, author, divergence, base);
    let done = done.await?;
    if sends && done.outcome == Outcome::Pulled {
        // A version that puts both together is not there yet.
        configuration.upstreams.push_soon(&owner);
    }
    reply::json(&upstreams::done(&done))
}
