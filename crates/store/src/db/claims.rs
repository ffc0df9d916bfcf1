//! Keys under which a request is run once, whichever of several servers it comes to.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::error::{reading, writing};
use super::limits::PAGE_ROWS_MAX;
use super::text::without_nul;
use super::{Database, DbError};

/// A key that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Whose it is.
    pub caller: String,
    /// The key.
    pub key: String,
    /// Digest of the request.
    pub fingerprint: String,
    /// The server that runs it.
    pub server: String,
    /// Its run; none while it is being started.
    pub run: Option<String>,
    /// Since when.
    pub at_ms: i64,
}

/// What came of taking a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is this server's from now on.
    Taken,
    /// It was taken before, and this is by whom.
    Held(ClaimRow),
    /// It was taken before, and has been given back meanwhile: it is nobody's.
    Gone,
}

impl Database {
    /// Takes a key for this server, unless it was taken at `since_ms` or later.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn claim(
        &self,
        caller: &str,
        key: &str,
        fingerprint: &str,
        now_ms: i64,
        since_ms: i64,
    ) -> Result<Claimed, DbError> {
        let (caller, key) = (caller.to_owned(), without_nul(key.to_owned()));
        let query = sqlx::query(
            "INSERT INTO claims (caller, key, fingerprint, server, run, at_ms) \
             VALUES ($1, $2, $3, $4, NULL, $5) ON CONFLICT (caller, key) DO UPDATE SET \
             fingerprint = excluded.fingerprint, server = excluded.server, run = NULL, \
             at_ms = excluded.at_ms WHERE claims.at_ms < $6",
        );
        let query = query.bind(caller.clone()).bind(key.clone());
        let query = query
            .bind(fingerprint.to_owned())
            .bind(self.server.to_string());
        let query = query.bind(now_ms).bind(since_ms);
        let done = self.within(query.execute(&self.writer)).await;
        if done.map_err(writing("a key"))?.rows_affected() > 0 {
            return Ok(Claimed::Taken);
        }
        let query = sqlx::query(
            "SELECT caller, key, fingerprint, server, run, at_ms FROM claims \
             WHERE caller = $1 AND key = $2",
        );
        // By the connection that writes: a reader might be behind it.
        let row = query.bind(caller).bind(key).fetch_optional(&self.writer);
        let row = self.within(row).await.map_err(reading("a key"))?;
        let row = row.map(|row| claim_of(&row)).transpose();
        let row = row.map_err(reading("a key"))?;
        Ok(row.map_or(Claimed::Gone, Claimed::Held))
    }

    /// Says which run has come of a key that this server has taken.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn fulfil(&self, caller: &str, key: &str, run: &str) -> Result<(), DbError> {
        let query = sqlx::query(
            "UPDATE claims SET run = $1 WHERE caller = $2 AND key = $3 AND server = $4",
        );
        let query = query.bind(run.to_owned()).bind(caller.to_owned());
        let query = query.bind(without_nul(key.to_owned()));
        let query = query.bind(self.server.to_string());
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a key"))
    }

    /// Gives a key back of which no run has come.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn release(&self, caller: &str, key: &str) -> Result<(), DbError> {
        let query = sqlx::query(
            "DELETE FROM claims WHERE caller = $1 AND key = $2 AND server = $3 AND run IS NULL",
        );
        let query = query
            .bind(caller.to_owned())
            .bind(without_nul(key.to_owned()));
        let query = query.bind(self.server.to_string());
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a key"))
    }

    /// Keys that this server has taken and not said more of: those of requests that an earlier
    /// process of it was starting. At most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_claims(&self) -> Result<Vec<ClaimRow>, DbError> {
        let query = sqlx::query(
            "SELECT caller, key, fingerprint, server, run, at_ms FROM claims \
             WHERE server = $1 AND run IS NULL ORDER BY at_ms LIMIT $2",
        );
        let query = query.bind(self.server.to_string());
        let query = query.bind(i64::from(PAGE_ROWS_MAX));
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(claim_of).collect())
            .map_err(reading("keys"))
    }

    /// Forgets keys from before a time.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn forget_claims(&self, before_ms: i64) -> Result<(), DbError> {
        let query = sqlx::query("DELETE FROM claims WHERE at_ms < $1").bind(before_ms);
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("keys"))
    }
}

fn claim_of(row: &AnyRow) -> Result<ClaimRow, sqlx::Error> {
    Ok(ClaimRow {
        caller: row.try_get(0)?,
        key: row.try_get(1)?,
        fingerprint: row.try_get(2)?,
        server: row.try_get(3)?,
        run: row.try_get(4)?,
        at_ms: row.try_get(5)?,
    })
}
