//! Looking after the database: is it whole, how large is it, what can go.

use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr as _};

use super::copy_tables::TABLES;
use super::error::{reading, writing};
use super::limits::{PROBLEMS_MAX, SWEEP_ROWS_MAX};
use super::open::Kind;
use super::{Database, DbError};

/// How large the database is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Rows in `runs`.
    pub runs: i64,
    /// Rows in `sessions`.
    pub sessions: i64,
    /// Bytes of the database, which with SQLite is a file.
    pub file_bytes: u64,
    /// Bytes of its write-ahead log, where it has one of its own.
    pub wal_bytes: u64,
}

/// What may go. The audit log keeps what the tables lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Closed runs, ended sessions and ended consents from before this time go.
    pub before_ms: i64,
    /// The oldest closed runs go, until this many are left.
    pub keep_runs: u32,
}

impl Database {
    /// Checks that the database is whole. An empty list is good news; at most [`PROBLEMS_MAX`]
    /// problems are told. PostgreSQL looks after its files itself and is asked only whether every
    /// table answers.
    ///
    /// # Errors
    /// When the database does not even answer.
    pub async fn check(&self) -> Result<Vec<String>, DbError> {
        match self.kind {
            Kind::Sqlite { .. } => self.check_file().await,
            Kind::Postgres { .. } => self.check_tables().await,
        }
    }

    async fn check_file(&self) -> Result<Vec<String>, DbError> {
        let query = sqlx::query("PRAGMA quick_check(20)");
        let rows = query
            .fetch_all(&self.readers)
            .await
            .map_err(reading("the check"))?;
        let lines: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
        let mut lines = lines.map_err(reading("the check"))?;
        lines.retain(|line| line != "ok");
        lines.truncate(PROBLEMS_MAX);
        Ok(lines)
    }

    async fn check_tables(&self) -> Result<Vec<String>, DbError> {
        let mut lines = Vec::new();
        for table in TABLES {
            let query = AssertSqlSafe(format!("SELECT * FROM {} LIMIT 1", table.name));
            let query = sqlx::query(query);
            match self.within(query.fetch_optional(&self.readers)).await {
                Ok(_) => {}
                Err(sqlx::Error::Database(error)) => lines.push(error.to_string()),
                Err(error) => return Err(reading("the check")(error)),
            }
        }
        lines.truncate(PROBLEMS_MAX);
        Ok(lines)
    }

    /// How large the database is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sizes(&self) -> Result<Sizes, DbError> {
        let (file_bytes, wal_bytes) = match &self.kind {
            Kind::Sqlite { path } => (file_bytes(path), file_bytes(&wal_path(path))),
            Kind::Postgres { .. } => {
                let bytes = self.count("SELECT pg_database_size(current_database())");
                (bytes.await?.unsigned_abs(), 0)
            }
        };
        Ok(Sizes {
            runs: self.count("SELECT COUNT(*) FROM runs").await?,
            sessions: self.count("SELECT COUNT(*) FROM sessions").await?,
            file_bytes,
            wal_bytes,
        })
    }

    /// Deletes old rows, at most [`SWEEP_ROWS_MAX`] of each table, and says how many went. To be
    /// called again until that is 0; in between, others can write.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn sweep(&self, sweep: Sweep) -> Result<u64, DbError> {
        let query = sqlx::query(
            "DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE state <> 'running' \
             AND (started_ms < $1 OR (started_ms, server, seq_opened) <= \
             (SELECT started_ms, server, seq_opened FROM runs \
             ORDER BY started_ms DESC, server DESC, seq_opened DESC LIMIT 1 OFFSET $2)) \
             ORDER BY started_ms, server, seq_opened LIMIT $3)",
        );
        let query = query.bind(sweep.before_ms).bind(i64::from(sweep.keep_runs));
        let runs = query.bind(i64::from(SWEEP_ROWS_MAX)).execute(&self.writer);
        let runs = self.within(runs).await;
        let query = sqlx::query(
            "DELETE FROM sessions WHERE ended_ms < $1 AND (owner, id) IN (SELECT owner, id \
             FROM sessions WHERE ended_ms < $1 ORDER BY ended_ms LIMIT $2)",
        );
        let query = query.bind(sweep.before_ms).bind(i64::from(SWEEP_ROWS_MAX));
        let runs = runs.map_err(writing("the sweep"))?;
        let sessions = self.within(query.execute(&self.writer)).await;
        let sessions = sessions.map_err(writing("the sweep"))?;
        let query = sqlx::query(
            "DELETE FROM consents WHERE changed_ms < $1 AND until_ms < $1 AND (kind, id) IN \
             (SELECT kind, id FROM consents WHERE changed_ms < $1 AND until_ms < $1 \
             ORDER BY changed_ms LIMIT $2)",
        );
        let query = query.bind(sweep.before_ms).bind(i64::from(SWEEP_ROWS_MAX));
        let consents = self.within(query.execute(&self.writer)).await;
        let consents = consents.map_err(writing("the sweep"))?;
        Ok(runs.rows_affected() + sessions.rows_affected() + consents.rows_affected())
    }

    async fn count(&self, query: &'static str) -> Result<i64, DbError> {
        let query = sqlx::query(query.into_sql_str());
        let row = self.within(query.fetch_one(&self.readers)).await;
        let row = row.map_err(reading("a count"))?;
        row.try_get(0).map_err(reading("a count"))
    }
}

/// The size of a file, 0 when there is none.
fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn wal_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
