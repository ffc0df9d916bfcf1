//! `POST /api/policy/reload`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::PolicyReloaded;

use crate::convert::policy;
use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Read the policy's files again
///
/// For the server's owner. Files that do not load change nothing, and the answer says what is
/// wrong with them.
#[utoipa::path(
    post, path = "/api/policy/reload", tag = "policy",
    responses((status = 200, description = "What holds now", body = PolicyReloaded)),
)]
pub(crate) async fn reload(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let source = app.policy_files.clone();
    let files = tokio::task::spawn_blocking(move || source.read())
        .await
        .map_err(Failure::internal)?;
    let reloaded = app.engine.reload_policy(&context.caller, files).await?;
    reply::json(&policy::reloaded(reloaded))
}
