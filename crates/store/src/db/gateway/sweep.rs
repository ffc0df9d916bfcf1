//! What has ended goes, some time later.

use super::super::error::writing;
use super::super::limits::SWEEP_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a session that has ended stays, with its events.
const KEPT_MS: i64 = 90 * DAY_MS;

impl Database {
    /// Deletes what of sandbox sessions, events, keys, tickets and selections has ended, at most
    /// [`SWEEP_ROWS_MAX`] of each, and says how many went. To be called again until that is 0.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn sweep_gateway(&self, now_ms: i64) -> Result<u64, DbError> {
        let (day_ago, long_ago) = (now_ms - DAY_MS, now_ms - KEPT_MS);
        let steps = [
            (
                "DELETE FROM gateway_claims WHERE at_ms < $1 AND key IN (SELECT key \
                 FROM gateway_claims WHERE at_ms < $1 LIMIT $2)",
                day_ago,
            ),
            (
                // One whose time was up a day ago is not renewed any more.
                "DELETE FROM gateway_tickets WHERE hash IN (SELECT hash FROM gateway_tickets \
                 WHERE expires_ms < $1 LIMIT $2)",
                day_ago,
            ),
            (
                "DELETE FROM gateway_selections WHERE expires_ms < $1 AND owner IN (SELECT owner \
                 FROM gateway_selections WHERE expires_ms < $1 LIMIT $2)",
                now_ms,
            ),
            (
                "DELETE FROM gateway_events WHERE session IN (SELECT id FROM gateway_sessions \
                 WHERE ended_ms < $1 ORDER BY ended_ms, id LIMIT $2)",
                long_ago,
            ),
            (
                "DELETE FROM gateway_sessions WHERE id IN (SELECT id FROM gateway_sessions \
                 WHERE ended_ms < $1 ORDER BY ended_ms, id LIMIT $2)",
                long_ago,
            ),
        ];
        let mut gone = 0;
        for (sql, before_ms) in steps {
            let query = statement!(sql, before_ms, i64::from(SWEEP_ROWS_MAX));
            let done = self.within(query.execute(&self.writer)).await;
            gone += done.map_err(writing("the sweep"))?.rows_affected();
        }
        Ok(gone)
    }
}
