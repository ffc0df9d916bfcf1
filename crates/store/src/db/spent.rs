//! What callers have used: sums over their runs.

use sqlx::Row as _;

use super::error::reading;
use super::limits::{BEGUN_MAX, SPENT_CALLERS_MAX};
use super::{Database, DbError};

/// What one caller's runs came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpentRow {
    /// Whose.
    pub caller: String,
    /// How long they ran, those at once added up.
    pub wall_ms: i64,
    /// What they wrote.
    pub output_bytes: i64,
}

impl Database {
    /// What each caller's runs came to that ended at `ended_ms` or later, among those that began
    /// after the last one that began before `from_ms`; at most [`SPENT_CALLERS_MAX`] callers.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn spent_since(&self, from_ms: i64, ended_ms: i64) -> Result<Vec<SpentRow>, DbError> {
        // The sum of BIGINTs is a NUMERIC in PostgreSQL.
        let query = sqlx::query(
            "SELECT caller, CAST(SUM(COALESCE(duration_ms, 0)) AS BIGINT), \
             CAST(SUM(stdout_bytes + stderr_bytes) AS BIGINT) FROM runs \
             WHERE seq_opened > $1 AND ended_ms >= $2 AND state <> 'refused' \
             GROUP BY caller LIMIT $3",
        )
        .bind(self.last_before(from_ms).await?)
        .bind(ended_ms)
        .bind(i64::from(SPENT_CALLERS_MAX));
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("runs"))?;
        let spent = rows.iter().map(|row| {
            Ok(SpentRow {
                caller: row.try_get(0)?,
                wall_ms: row.try_get(1)?,
                output_bytes: row.try_get(2)?,
            })
        });
        spent.collect::<Result<_, _>>().map_err(reading("runs"))
    }

    /// Callers and moments of the runs that began at `began_ms` or later, the latest
    /// [`BEGUN_MAX`] of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begun_since(
        &self,
        from_ms: i64,
        began_ms: i64,
    ) -> Result<Vec<(String, i64)>, DbError> {
        let query = sqlx::query(
            "SELECT caller, started_ms FROM runs \
             WHERE seq_opened > $1 AND started_ms >= $2 AND state <> 'refused' \
             ORDER BY seq_opened DESC LIMIT $3",
        )
        .bind(self.last_before(from_ms).await?)
        .bind(began_ms)
        .bind(i64::from(BEGUN_MAX));
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("runs"))?;
        let begun = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        begun.collect::<Result<_, _>>().map_err(reading("runs"))
    }

    /// The entry of the latest run that began before a moment. Runs are in their order, so that
    /// finding it looks at no older ones.
    async fn last_before(&self, ms: i64) -> Result<i64, DbError> {
        let query = sqlx::query(
            "SELECT seq_opened FROM runs WHERE started_ms < $1 ORDER BY seq_opened DESC LIMIT 1",
        )
        .bind(ms);
        let row = self.within(query.fetch_optional(&self.readers)).await;
        match row.map_err(reading("runs"))? {
            Some(row) => row.try_get(0).map_err(reading("runs")),
            None => Ok(-1),
        }
    }
}
