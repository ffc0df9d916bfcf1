//! The commands of a session, also of one that has ended.

use wharf_model::{Caller, SessionId};
use wharf_store::db::{Cursor, Page, RunRow};

use crate::engine::Inner;
use crate::error::Error;
use crate::runs::read;
use crate::view::HistoryItem;

/// Newest first, at most `limit`, older than the cursor `before`.
pub(crate) async fn page(
    inner: &Inner,
    caller: &Caller,
    id: &SessionId,
    limit: usize,
    before: Option<&str>,
) -> Result<Vec<HistoryItem>, Error> {
    let before = before
        .map(|cursor| {
            cursor.parse::<Cursor>().map_err(|_| {
                Error::invalid("before", "must be the `next_before` of an earlier answer")
            })
        })
        .transpose()?;
    let rows = rows(inner, caller, id, limit, before).await?;
    Ok(rows.iter().map(|row| item(inner, row)).collect())
}

/// The rows of a session's runs that were started.
pub(crate) async fn rows(
    inner: &Inner,
    caller: &Caller,
    id: &SessionId,
    limit: usize,
    before: Option<Cursor>,
) -> Result<Vec<RunRow>, Error> {
    if !caller.reaches(Some(id)) {
        return Err(Error::not_found("session", id.as_str()));
    }
    let ahead = inner.catch_up_for_reading().await;
    if inner.sessions.get(caller, id).is_err() {
        let stored = inner
            .parts
            .database
            .session(caller.name(), id.as_str())
            .await;
        stored
            .map_err(Error::from_database)?
            .ok_or_else(|| Error::not_found("session", id.as_str()))?;
    }
    let page = Page {
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        before,
    };
    let rows = inner
        .parts
        .database
        .session_runs(caller.name(), id.as_str(), page.clone())
        .await;
    let rows = rows.map_err(Error::from_database)?;
    Ok(ahead.page(caller.name(), Some(id.as_str()), &page, rows))
}

fn item(inner: &Inner, row: &RunRow) -> HistoryItem {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of a run are far below 2^52"
    )]
    let seconds = row.duration_ms.map(|ms| ms as f64 / 1000.0);
    HistoryItem {
        run: read::live_view(inner, row),
        seconds,
        cwd: row.cwd_after.clone(),
        cursor: row.cursor().to_string(),
    }
}
