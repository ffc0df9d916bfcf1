//! `POST /api/policy/test`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{PolicyTestRequest, PolicyTested};

use crate::convert::policy;
use crate::error::Failure;
use crate::extract::json;
use crate::reply;
use crate::state::App;

/// Try a policy
///
/// Whether the files load and their examples are decided as they say; nothing changes.
#[utoipa::path(
    post, path = "/api/policy/test", tag = "policy", request_body = PolicyTestRequest,
    responses((status = 200, description = "Whether it holds", body = PolicyTested)),
)]
pub(crate) async fn test(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (_, wire) = json::read::<PolicyTestRequest>(&app, request).await?;
    let tested = app.engine.test_policy(policy::files(wire.files)?).await?;
    reply::json(&policy::tested(tested))
}
