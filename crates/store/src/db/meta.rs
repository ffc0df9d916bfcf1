//! Small facts by name, among them how far the log is projected.

use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Row as _};

use super::error::{reading, writing};
use super::{Database, DbError};
use crate::audit::{Head, Position};

/// How far the log is projected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Projected {
    /// The last entry that is in the tables.
    pub(super) head: Head,
    /// Where that entry begins.
    pub(super) at: Position,
    /// Where the next one begins.
    pub(super) next: Position,
}

impl Projected {
    pub(super) const NOTHING: Self = Self {
        head: Head::GENESIS,
        at: Position::START,
        next: Position::START,
    };
}

const PROJECTED: &str = "audit.projected";

impl Database {
    /// The value under a key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn meta(&self, key: &str) -> Result<Option<String>, DbError> {
        let query = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key.to_owned());
        let row = self.within(query.fetch_optional(&self.readers)).await;
        let row = row.map_err(reading("meta"))?;
        row.map(|row| row.try_get(0))
            .transpose()
            .map_err(reading("meta"))
    }

    /// Sets the value under a key.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_meta(&self, key: &str, value: &str) -> Result<(), DbError> {
        let write = async {
            let mut connection = self.writer.acquire().await?;
            put(&mut connection, key, value.to_owned()).await
        };
        self.within(write).await.map_err(writing("meta"))
    }

    /// The last entry of the log that is in the tables: the anchor against which
    /// [`verify`](crate::audit::verify) notices that the log's end was cut off.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn anchored_head(&self) -> Result<Option<Head>, DbError> {
        let projected = self.projected().await?;
        Ok((projected.head.seq > 0).then_some(projected.head))
    }

    /// Empties what was projected, so that the next [`Projector`](super::Projector) begins at the
    /// log's first entry. Sessions stay: they hold more than the log does.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn forget_projection(&self) -> Result<(), DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            sqlx::query("DELETE FROM runs")
                .execute(&mut *transaction)
                .await?;
            let query = sqlx::query("DELETE FROM meta WHERE key = $1").bind(PROJECTED);
            query.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.within(write).await.map_err(writing("the projection"))
    }

    pub(super) async fn projected(&self) -> Result<Projected, DbError> {
        let Some(text) = self.meta(PROJECTED).await? else {
            return Ok(Projected::NOTHING);
        };
        let unreadable = |error| reading("the projection's position")(sqlx::Error::decode(error));
        serde_json::from_str(&text).map_err(unreadable)
    }
}

pub(super) async fn put_projected(
    connection: &mut AnyConnection,
    projected: &Projected,
) -> Result<(), sqlx::Error> {
    let text = serde_json::to_string(projected).map_err(sqlx::Error::decode)?;
    put(connection, PROJECTED, text).await
}

async fn put(connection: &mut AnyConnection, key: &str, value: String) -> Result<(), sqlx::Error> {
    let query = sqlx::query(
        "INSERT INTO meta (key, value) VALUES ($1, $2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    query
        .bind(key.to_owned())
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}
