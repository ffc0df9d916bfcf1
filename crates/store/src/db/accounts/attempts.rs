//! Tries at what can be guessed. What the numbers mean is the identity's to say; here they change
//! by comparing and swapping, so that no try is lost and none counts for two.

use sqlx::Row as _;

use super::super::error::{reading, writing};
use super::super::{Database, DbError};
use super::statement;

/// The tries at one thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttemptRow {
    /// How many.
    pub count: i64,
    /// When the next one is heard.
    pub until_ms: i64,
    /// When the last one was.
    pub changed_ms: i64,
}

impl Database {
    /// The tries at something.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn attempt(&self, key: &str) -> Result<Option<AttemptRow>, DbError> {
        let query = statement!(
            "SELECT count, until_ms, changed_ms FROM attempts WHERE key = $1",
            key,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        let attempt = row.and_then(|row| {
            let row = row.map(|row| {
                Ok(AttemptRow {
                    count: row.try_get(0)?,
                    until_ms: row.try_get(1)?,
                    changed_ms: row.try_get(2)?,
                })
            });
            row.transpose()
        });
        attempt.map_err(reading("attempts"))
    }

    /// Writes the tries at something down, if they are still as they were. False when they are not.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn swap_attempt(
        &self,
        key: &str,
        before: Option<AttemptRow>,
        after: AttemptRow,
    ) -> Result<bool, DbError> {
        let query = match before {
            None => statement!(
                "INSERT INTO attempts (key, count, until_ms, changed_ms) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT DO NOTHING",
                key,
                after.count,
                after.until_ms,
                after.changed_ms,
            ),
            Some(before) => statement!(
                "UPDATE attempts SET count = $2, until_ms = $3, changed_ms = $4 \
                 WHERE key = $1 AND count = $5 AND until_ms = $6 AND changed_ms = $7",
                key,
                after.count,
                after.until_ms,
                after.changed_ms,
                before.count,
                before.until_ms,
                before.changed_ms,
            ),
        };
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("attempts"))?.rows_affected() > 0)
    }

    /// Forgets the tries at something.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn forget_attempt(&self, key: &str) -> Result<(), DbError> {
        let query = statement!("DELETE FROM attempts WHERE key = $1", key);
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("attempts"))
    }
}
