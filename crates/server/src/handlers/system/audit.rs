//! `GET /api/audit`.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::value::RawValue;
use wharf_api::AuditTail;

use crate::error::Failure;
use crate::extract::query::{Params, size};
use crate::reply;
use crate::state::App;

/// Entries in one answer at most.
const MAX_ENTRIES: u64 = 1000;
const DEFAULT_ENTRIES: u64 = 50;

/// [`AuditTail`], with each line as it is stored: a hash is over bytes, so they are not rewritten.
#[derive(Serialize)]
struct Stored {
    entries: Vec<Box<RawValue>>,
}

/// The latest entries of the audit log
///
/// Of all callers, so only the server's owner may read them; oldest first.
#[utoipa::path(
    get, path = "/api/audit", tag = "server",
    params(("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "How many; 50 when absent")),
    responses((status = 200, description = "Entries", body = AuditTail)),
)]
pub(crate) async fn tail(State(app): State<App>, mut params: Params) -> Result<Response, Failure> {
    let limit = params.number("limit", 1..=MAX_ENTRIES, DEFAULT_ENTRIES);
    params.check()?;
    let lines = app.engine.audit_tail(size(limit)).await?;
    let entries: Result<_, _> = lines
        .into_iter()
        .map(|line| RawValue::from_string(line.json))
        .collect();
    reply::json(&Stored {
        entries: entries.map_err(Failure::internal)?,
    })
}
