//! `POST /api/policy/replay`.

use axum::extract::{Request, State};
use axum::response::Response;
use wharf_api::{PolicyReplay, PolicyReplayRequest, REPLAY_RUNS_MAX};

use crate::convert::policy;
use crate::error::Failure;
use crate::extract::json;
use crate::extract::query::size;
use crate::reply;
use crate::state::App;

const DEFAULT_RUNS: u64 = 1000;

/// Replay the past under another policy
///
/// What these files would have decided differently from the policy that holds, over the caller's
/// latest runs, refused ones too. Nothing changes. Recorded commands are redacted.
#[utoipa::path(
    post, path = "/api/policy/replay", tag = "policy", request_body = PolicyReplayRequest,
    responses((status = 200, description = "What would change", body = PolicyReplay)),
)]
pub(crate) async fn replay(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (context, wire) = json::read::<PolicyReplayRequest>(&app, request).await?;
    let limit = wire.limit.unwrap_or(DEFAULT_RUNS);
    if !(1..=REPLAY_RUNS_MAX).contains(&limit) {
        let message = format!("must be a whole number from 1 to {REPLAY_RUNS_MAX}");
        return Err(Failure::invalid_field("limit", message));
    }
    let files = policy::files(wire.files)?;
    let replayed = app
        .engine
        .replay_policy(&context.caller, files, size(limit))
        .await?;
    reply::json(&policy::replayed(replayed))
}
