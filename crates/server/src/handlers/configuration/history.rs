//! `GET /api/v1/configuration/{profile}/history`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::ConfigurationHistory;
use wharf_profiles::limits::HISTORY_MAX;

use super::asker::Asker;
use crate::convert::profiles;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::query::{self, Params};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Versions that are shown where nothing else is asked for.
const SHOWN: u64 = 20;

/// Versions of the text
///
/// The newest first. They are versions of the whole profile: one that changed other files alone is
/// there as well.
#[utoipa::path(
    get, path = "/api/v1/configuration/{profile}/history", tag = "configuration",
    params(
        ("profile" = String, Path, description = "`me`, `org` or `team:ID`"),
        ("limit" = Option<u64>, Query, description = "Most versions, 1 to 100; 20 when absent"),
    ),
    responses((status = 200, description = "Versions", body = ConfigurationHistory)),
)]
pub(crate) async fn history(
    State(app): State<App>,
    context: Context,
    Name(profile): Name,
    params: Params,
) -> Result<Response, Failure> {
    newest(&app, &context, &profile, params).await
}

/// The newest versions of a profile.
pub(crate) async fn newest(
    app: &App,
    context: &Context,
    profile: &str,
    mut params: Params,
) -> Result<Response, Failure> {
    let limit = params.number("limit", 1..=HISTORY_MAX as u64, SHOWN);
    params.check()?;
    let asker = Asker::of(app, &context.caller).await?;
    let owner = asker.reads(profile)?;
    let found = asker
        .configuration
        .profiles
        .history(&owner, query::size(limit));
    reply::json(&profiles::history(found.await?))
}
