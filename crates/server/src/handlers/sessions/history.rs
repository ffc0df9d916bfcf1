//! `GET /api/session/{id}/history`.

use axum::extract::State;
use axum::response::Response;
use wharf_api::HistoryPage;

use crate::convert::view;
use crate::error::Failure;
use crate::extract::id::Session;
use crate::extract::query::{Params, size};
use crate::middleware::gate::Context;
use crate::reply;
use crate::state::App;

/// Commands on one page at most.
const MAX_COMMANDS: u64 = 1000;
const DEFAULT_COMMANDS: u64 = 50;
/// The longest cursor that is looked at.
const MAX_CURSOR_BYTES: usize = 256;

/// A session's past
///
/// Newest first; also of a session that has ended.
#[utoipa::path(
    get, path = "/api/session/{id}/history", tag = "sessions",
    params(
        ("id" = String, Path, description = "The session's id"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 1000, description = "How many; 50 when absent"),
        ("before" = Option<String>, Query, description = "`next_before` of the page before"),
    ),
    responses((status = 200, description = "A page", body = HistoryPage)),
)]
pub(crate) async fn history(
    State(app): State<App>,
    context: Context,
    Session(id): Session,
    mut params: Params,
) -> Result<Response, Failure> {
    let limit = size(params.number("limit", 1..=MAX_COMMANDS, DEFAULT_COMMANDS));
    let before = params.text("before").map(str::to_owned);
    if before
        .as_ref()
        .is_some_and(|cursor| cursor.len() > MAX_CURSOR_BYTES)
    {
        params.wrong("before", "is no cursor of this server".to_owned());
    }
    params.check()?;
    let items = app
        .engine
        .history(&context.caller, &id, limit, before.as_deref())
        .await?;
    let full = items.len() >= limit;
    let next_before = items
        .last()
        .filter(|_| full)
        .map(|item| item.cursor.clone());
    reply::json(&HistoryPage {
        session_id: id.to_string(),
        history: items.into_iter().map(view::history_entry).collect(),
        next_before,
    })
}
