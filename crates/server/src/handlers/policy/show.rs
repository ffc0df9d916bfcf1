//! `GET /api/policy`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::PolicyShown;

use crate::convert::policy;
use crate::error::Failure;
use crate::reply;
use crate::state::App;

/// The policy that holds
///
/// Roles, named things, policies with their texts, and what holds for approvals.
#[utoipa::path(
    get, path = "/api/policy", tag = "policy",
    responses((status = 200, description = "The policy", body = PolicyShown)),
)]
pub(crate) async fn show(State(app): State<App>) -> Result<Response, Failure> {
    let held = app.engine.policy();
    let shown = held.show().map_err(Failure::internal)?;
    reply::json(&policy::shown(shown, held.approval_rules()))
}
