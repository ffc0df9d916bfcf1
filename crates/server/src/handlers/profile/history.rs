//! `GET /api/v1/profile/history`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::profile::ConfigurationHistory;

use super::called;
use crate::error::Failure;
use crate::extract::query::Params;
use crate::handlers::configuration::history::newest;
use crate::middleware::gate::Context;
use crate::state::App;

/// Versions of a profile
///
/// The newest first.
#[utoipa::path(
    get, path = "/api/v1/profile/history", tag = "configuration",
    params(
        ("profile" = Option<String>, Query, description = "`me`, `org` or `team:ID`; `me` when absent"),
        ("limit" = Option<u64>, Query, description = "Most versions, 1 to 100; 20 when absent"),
    ),
    responses((status = 200, description = "Versions", body = ConfigurationHistory)),
)]
pub(crate) async fn history(
    State(app): State<App>,
    context: Context,
    params: Params,
) -> Result<Response, Failure> {
    let profile = called(&params).to_owned();
    newest(&app, &context, &profile, params).await
}
