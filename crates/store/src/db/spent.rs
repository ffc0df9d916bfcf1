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
    /// Whether on this server; else it is the sum over the others.
    pub here: bool,
    /// How long they ran, those at once added up.
    pub wall_ms: i64,
    /// What they wrote.
    pub output_bytes: i64,
}

impl Database {
    /// What each caller's runs on all servers came to that began at `from_ms` or later and ended at
    /// `ended_ms` or later; at most [`SPENT_CALLERS_MAX`] rows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn spent_since(&self, from_ms: i64, ended_ms: i64) -> Result<Vec<SpentRow>, DbError> {
        // The sum of BIGINTs is a NUMERIC in PostgreSQL.
        let query = sqlx::query(
            "SELECT caller, CAST(CASE WHEN server = $4 THEN 1 ELSE 0 END AS BIGINT), \
             CAST(SUM(COALESCE(duration_ms, 0)) AS BIGINT), \
             CAST(SUM(stdout_bytes + stderr_bytes) AS BIGINT) FROM runs \
             WHERE started_ms >= $1 AND ended_ms >= $2 AND state <> 'refused' \
             GROUP BY 1, 2 LIMIT $3",
        )
        .bind(from_ms)
        .bind(ended_ms)
        .bind(i64::from(SPENT_CALLERS_MAX))
        .bind(self.server.to_string());
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("runs"))?;
        let spent = rows.iter().map(|row| {
            Ok(SpentRow {
                caller: row.try_get(0)?,
                here: row.try_get::<i64, _>(1)? != 0,
                wall_ms: row.try_get(2)?,
                output_bytes: row.try_get(3)?,
            })
        });
        spent.collect::<Result<_, _>>().map_err(reading("runs"))
    }

    /// Callers and moments of this server's runs that began at `began_ms` or later, the latest
    /// [`BEGUN_MAX`] of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begun_since(&self, began_ms: i64) -> Result<Vec<(String, i64)>, DbError> {
        let query = sqlx::query(
            "SELECT caller, started_ms FROM runs \
             WHERE started_ms >= $1 AND server = $3 AND state <> 'refused' \
             ORDER BY started_ms DESC, seq_opened DESC LIMIT $2",
        )
        .bind(began_ms)
        .bind(i64::from(BEGUN_MAX))
        .bind(self.server.to_string());
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("runs"))?;
        let begun = rows
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        begun.collect::<Result<_, _>>().map_err(reading("runs"))
    }
}
