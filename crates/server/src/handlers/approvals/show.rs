//! `GET /api/approvals/{id}`.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use wharf_api::{APPROVAL_WAIT_MAX, Approval};

use crate::convert::approval;
use crate::error::Failure;
use crate::extract::id::Name;
use crate::extract::query::Params;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// One approval
///
/// With `wait`, the answer comes when it is no longer pending, or when so many seconds have passed.
#[utoipa::path(
    get, path = "/api/approvals/{id}", tag = "approvals",
    params(
        ("id" = String, Path, description = "The approval's id"),
        ("wait" = Option<u64>, Query, minimum = 0, maximum = 60, description = "Seconds; 0 when absent"),
    ),
    responses((status = 200, description = "The approval", body = Approval)),
)]
pub(crate) async fn show(
    State(app): State<App>,
    context: Context,
    Name(id): Name,
    mut params: Params,
) -> Result<Response, Failure> {
    let wait = params.number("wait", 0..=APPROVAL_WAIT_MAX, 0);
    params.check()?;
    let found = {
        let wait = Duration::from_secs(wait);
        app.engine.approval(&context.caller, &id, wait).await?
    };
    reply::json(&approval::approval(found))
}
