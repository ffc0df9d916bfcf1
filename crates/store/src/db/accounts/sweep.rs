//! What has ended goes, some time later.

use super::super::error::writing;
use super::super::limits::SWEEP_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long ended logins and keys stay: the logins say which addresses an account knows.
const KEPT_MS: i64 = 90 * DAY_MS;

impl Database {
    /// Deletes what of logins, keys, devices, codes, invitations and tries has ended, at most
    /// [`SWEEP_ROWS_MAX`] of each, and says how many went. To be called again until that is 0.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn sweep_accounts(&self, now_ms: i64) -> Result<u64, DbError> {
        let (day_ago, long_ago) = (now_ms - DAY_MS, now_ms - KEPT_MS);
        let steps = [
            (
                "DELETE FROM device_requests WHERE device_hash IN (SELECT device_hash \
                 FROM device_requests WHERE expires_ms < $1 LIMIT $2)",
                day_ago,
            ),
            (
                "DELETE FROM one_time_codes WHERE hash IN (SELECT hash FROM one_time_codes \
                 WHERE expires_ms < $1 LIMIT $2)",
                now_ms,
            ),
            (
                "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations \
                 WHERE expires_ms < $1 LIMIT $2)",
                now_ms,
            ),
            (
                "DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens \
                 WHERE expires_ms < $1 LIMIT $2)",
                now_ms,
            ),
            (
                "DELETE FROM logins WHERE id IN (SELECT id FROM logins \
                 WHERE expires_ms < $1 LIMIT $2)",
                long_ago,
            ),
            (
                "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys \
                 WHERE expires_ms < $1 OR revoked_ms < $1 LIMIT $2)",
                long_ago,
            ),
            (
                "DELETE FROM signing_keys WHERE id IN (SELECT id FROM signing_keys \
                 WHERE expires_ms < $1 LIMIT $2)",
                day_ago,
            ),
            (
                "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts \
                 WHERE changed_ms < $1 AND until_ms < $1 LIMIT $2)",
                day_ago,
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
