//! `GET /api/approvals`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::{ApprovalList, ApprovalState};
use wharf_engine::approvals::MAX_LISTED;

use crate::convert::approval;
use crate::error::Failure;
use crate::extract::query::{Params, size};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

const DEFAULT_LISTED: u64 = 50;
const STATES: [(&str, ApprovalState); 5] = [
    ("pending", ApprovalState::Pending),
    ("approved", ApprovalState::Approved),
    ("denied", ApprovalState::Denied),
    ("expired", ApprovalState::Expired),
    ("used", ApprovalState::Used),
];

/// Approvals
///
/// Those that concern the caller, open ones first, then the latest that are over. With `state`, those of the latest 200 that are
/// in it.
#[utoipa::path(
    get, path = "/api/approvals", tag = "approvals",
    params(
        ("state" = Option<ApprovalState>, Query, description = "Only those in this state"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 200, description = "How many; 50 when absent"),
    ),
    responses((status = 200, description = "Approvals", body = ApprovalList)),
)]
pub(crate) async fn list(
    State(app): State<App>,
    context: Context,
    mut params: Params,
) -> Result<Response, Failure> {
    let limit = size(params.number("limit", 1..=u64::from(MAX_LISTED), DEFAULT_LISTED));
    let named = params.text("state").map(str::to_owned);
    let state = named.as_deref().and_then(|named| {
        let found = STATES.iter().find(|(name, _)| *name == named);
        found.map(|(_, state)| *state)
    });
    if named.is_some() && state.is_none() {
        let names = STATES.map(|(name, _)| name).join(", ");
        params.wrong("state", format!("must be one of {names}"));
    }
    params.check()?;
    let found = app.engine.approvals(&context.caller, MAX_LISTED).await?;
    let wanted = found.into_iter().map(approval::approval);
    let wanted = wanted.filter(|approval| state.is_none_or(|state| approval.state == state));
    reply::json(&ApprovalList {
        approvals: wanted.take(limit).collect(),
    })
}
