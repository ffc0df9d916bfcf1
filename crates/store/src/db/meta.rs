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

/// Under it is the position in the log of a server without an id, and under it, a colon and an id
/// that of a server with one.
const PROJECTED: &str = "audit.projected";

fn projected_key(server: &str) -> String {
    match server {
        "" => PROJECTED.to_owned(),
        id => format!("{PROJECTED}:{id}"),
    }
}

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

    /// The last entry of this server's log that is in the tables: the anchor against which
    /// [`verify`](crate::audit::verify) notices that the log's end was cut off.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn anchored_head(&self) -> Result<Option<Head>, DbError> {
        let projected = self.projected().await?;
        let head = projected.map(|projected| projected.head);
        Ok(head.filter(|head| head.seq > 0))
    }

    /// Empties what was projected of this server's log, so that the next
    /// [`Projector`](super::Projector) begins at the log's first entry. Sessions stay: they hold more
    /// than the log does.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn forget_projection(&self) -> Result<(), DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = sqlx::query("DELETE FROM runs WHERE server = $1");
            let query = query.bind(self.server.to_string());
            query.execute(&mut *transaction).await?;
            let query = sqlx::query("DELETE FROM meta WHERE key = $1");
            let query = query.bind(projected_key(&self.server));
            query.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.within(write).await.map_err(writing("the projection"))
    }

    pub(super) async fn projected(&self) -> Result<Option<Projected>, DbError> {
        let text = self.meta(&projected_key(&self.server)).await?;
        text.map(|text| parsed(&text)).transpose()
    }

    /// How far the logs of other servers are projected, by id.
    pub(super) async fn projected_of_others(&self) -> Result<Vec<(String, Projected)>, DbError> {
        let query = sqlx::query("SELECT key, value FROM meta WHERE key LIKE $1 ORDER BY key");
        let query = query.bind(format!("{PROJECTED}%"));
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let own = projected_key(&self.server);
        let mut others = Vec::new();
        for row in rows.map_err(reading("positions"))? {
            let pair = row
                .try_get(0)
                .and_then(|key: String| Ok((key, row.try_get::<String, _>(1)?)));
            let (key, value) = pair.map_err(reading("positions"))?;
            let id = key.strip_prefix(PROJECTED).unwrap_or_default();
            let id = id.strip_prefix(':').unwrap_or_default();
            if key != own && key == projected_key(id) {
                others.push((id.to_owned(), parsed(&value)?));
            }
        }
        Ok(others)
    }

    /// What is marked with another id of this server becomes its own.
    pub(super) async fn take_over(&self, id: &str, done: &Projected) -> Result<(), DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            for statement in [
                "UPDATE runs SET server = $1 WHERE server = $2",
                "UPDATE sessions SET server = $1 WHERE server = $2",
                "UPDATE claims SET server = $1 WHERE server = $2",
            ] {
                let query = sqlx::query(statement).bind(self.server.to_string());
                query.bind(id.to_owned()).execute(&mut *transaction).await?;
            }
            let query = sqlx::query("DELETE FROM meta WHERE key = $1").bind(projected_key(id));
            query.execute(&mut *transaction).await?;
            put_projected(&mut transaction, &self.server, done).await?;
            transaction.commit().await
        };
        self.within(write)
            .await
            .map_err(writing("whose the log is"))
    }
}

fn parsed(text: &str) -> Result<Projected, DbError> {
    let unreadable = |error| reading("the projection's position")(sqlx::Error::decode(error));
    serde_json::from_str(text).map_err(unreadable)
}

pub(super) async fn put_projected(
    connection: &mut AnyConnection,
    server: &str,
    projected: &Projected,
) -> Result<(), sqlx::Error> {
    let text = serde_json::to_string(projected).map_err(sqlx::Error::decode)?;
    put(connection, &projected_key(server), text).await
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
