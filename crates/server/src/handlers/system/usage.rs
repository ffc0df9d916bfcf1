//! `GET /api/v1/usage`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::{Usage, UsageShare};
use wharf_engine::quotas::Share;

use crate::error::Failure;
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// What has been used of what may be
///
/// By the person, by the organization with all its people and agents, and by the agent where one
/// asks. Where a limit is null there is none.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "server",
    responses((status = 200, description = "Used and allowed", body = Usage)),
)]
pub(crate) async fn usage(State(app): State<App>, context: Context) -> Result<Response, Failure> {
    let usage = app.engine.usage(&context.caller);
    reply::json(&Usage {
        person: share(usage.person),
        organization: usage.organization.map(share),
        agent: usage.agent.map(share),
        day_ends_at: usage.day_ends.to_string(),
    })
}

fn share(share: Share) -> UsageShare {
    let Share { name, used, limits } = share;
    UsageShare {
        name,
        runs_in_minute: used.runs_in_minute,
        runs_per_minute: limits.runs_per_minute,
        concurrent_runs: used.concurrent_runs,
        concurrent_runs_most: limits.concurrent_runs,
        sessions: used.sessions,
        sessions_most: limits.sessions,
        output_bytes_today: used.output_bytes_today,
        output_bytes_per_day: limits.output_bytes_per_day,
        wall_seconds_today: used.wall_seconds_today,
        wall_seconds_per_day: limits.wall_seconds_per_day,
    }
}
