//! Questions that wait for a person, and yeses that hold for longer; what they say is the
//! engine's.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::error::{reading, writing};
use super::limits::{OPEN_CONSENTS_MAX, PAGE_ROWS_MAX};
use super::{Database, DbError};

/// One question or yes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsentRow {
    /// What it is: `approval` or `grant`.
    pub kind: String,
    /// Its id, unique for its kind.
    pub id: String,
    /// When it ends.
    pub until_ms: i64,
    /// Whether anything can still come of it.
    pub open: bool,
    /// When it was last changed.
    pub changed_ms: i64,
    /// What it says.
    pub body: String,
}

impl Database {
    /// Writes a question or yes down, in place of what was known of it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn put_consent(&self, consent: &ConsentRow) -> Result<(), DbError> {
        let consent = consent.clone();
        let query = sqlx::query(
            "INSERT INTO consents (kind, id, until_ms, open, changed_ms, body) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, id) DO UPDATE SET \
             until_ms = excluded.until_ms, open = excluded.open, \
             changed_ms = excluded.changed_ms, body = excluded.body",
        );
        let query = query.bind(consent.kind).bind(consent.id);
        let query = query.bind(consent.until_ms).bind(i64::from(consent.open));
        let query = query.bind(consent.changed_ms).bind(consent.body);
        let done = self.within(query.execute(&self.writer)).await;
        done.map(|_| ()).map_err(writing("a consent"))
    }

    /// Those of a kind that something can still come of, oldest first; at most
    /// [`OPEN_CONSENTS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_consents(&self, kind: &str) -> Result<Vec<ConsentRow>, DbError> {
        let query = sqlx::query(
            "SELECT kind, id, until_ms, open, changed_ms, body FROM consents \
             WHERE kind = $1 AND open = 1 ORDER BY changed_ms, id LIMIT $2",
        );
        let query = query.bind(kind.to_owned());
        self.fetch_consents(query.bind(i64::from(OPEN_CONSENTS_MAX)))
            .await
    }

    /// The latest of a kind, last changed first; at most `limit` and [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recent_consents(
        &self,
        kind: &str,
        limit: u32,
    ) -> Result<Vec<ConsentRow>, DbError> {
        let query = sqlx::query(
            "SELECT kind, id, until_ms, open, changed_ms, body FROM consents \
             WHERE kind = $1 ORDER BY changed_ms DESC, id DESC LIMIT $2",
        );
        let query = query.bind(kind.to_owned());
        self.fetch_consents(query.bind(i64::from(limit.min(PAGE_ROWS_MAX))))
            .await
    }

    /// One question or yes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn consent(&self, kind: &str, id: &str) -> Result<Option<ConsentRow>, DbError> {
        let query = sqlx::query(
            "SELECT kind, id, until_ms, open, changed_ms, body FROM consents \
             WHERE kind = $1 AND id = $2",
        );
        let query = query.bind(kind.to_owned()).bind(id.to_owned());
        Ok(self.fetch_consents(query).await?.pop())
    }

    async fn fetch_consents(
        &self,
        query: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<ConsentRow>, DbError> {
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(consent_of).collect())
            .map_err(reading("consents"))
    }
}

fn consent_of(row: &AnyRow) -> Result<ConsentRow, sqlx::Error> {
    Ok(ConsentRow {
        kind: row.try_get(0)?,
        id: row.try_get(1)?,
        until_ms: row.try_get(2)?,
        open: row.try_get::<i64, _>(3)? != 0,
        changed_ms: row.try_get(4)?,
        body: row.try_get(5)?,
    })
}
