//! Servers that share a database: who they are, and which of them are there.
//!
//! Times are by the database's own clock, so that servers whose clocks differ agree on them.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::error::{reading, writing};
use super::limits::{LEASE, SERVERS_MAX};
use super::open::Kind;
use super::{Database, DbError};

/// One server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerRow {
    /// Its id.
    pub id: String,
    /// Where other servers reach it; empty where they cannot.
    pub url: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_ms: i64,
    /// When it was last there.
    pub seen_ms: i64,
    /// Whether that is less than [`LEASE`] ago.
    pub live: bool,
}

/// How often things that servers keep in memory have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    /// Questions and yeses.
    pub consents: i64,
    /// Hosts with a name.
    pub hosts: i64,
}

pub(super) const CONSENTS: &str = "consents";
pub(super) const HOSTS: &str = "hosts";

macro_rules! sqlite_now {
    () => {
        "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT)"
    };
}
macro_rules! postgres_now {
    () => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}
macro_rules! join_sql {
    ($now:expr) => {
        concat!(
            "INSERT INTO servers (id, url, version, started_ms, seen_ms) VALUES ($1, $2, $3, ",
            $now,
            ", ",
            $now,
            ") ON CONFLICT (id) DO UPDATE SET url = excluded.url, version = excluded.version, \
             started_ms = excluded.started_ms, seen_ms = excluded.seen_ms"
        )
    };
}
macro_rules! beat_sql {
    ($now:expr) => {
        concat!("UPDATE servers SET seen_ms = ", $now, " WHERE id = $1")
    };
}
macro_rules! servers_sql {
    ($now:expr) => {
        concat!(
            "SELECT id, url, version, started_ms, seen_ms, CAST(CASE WHEN seen_ms > ",
            $now,
            " - $1 THEN 1 ELSE 0 END AS BIGINT) FROM servers ORDER BY seen_ms DESC, id LIMIT $2"
        )
    };
}
impl Database {
    /// The same database as a server sees it: what is written is marked with its id, and what only
    /// concerns one server (its log, its sessions) is that server's.
    #[must_use]
    pub fn as_server(&self, id: &str) -> Self {
        Self {
            server: id.into(),
            ..self.clone()
        }
    }

    /// The id of the server that this is used by; empty for one that has none.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether other servers may use it at the same time.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Postgres { .. })
    }

    /// Whether it is on this machine, and with it perhaps all servers that use it.
    #[must_use]
    pub const fn is_here(&self) -> bool {
        matches!(
            self.kind,
            Kind::Sqlite { .. } | Kind::Postgres { here: true }
        )
    }

    /// Says that this server is there, and where.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn join(&self, url: &str, version: &str) -> Result<(), DbError> {
        let query = match self.kind {
            Kind::Sqlite { .. } => sqlx::query(join_sql!(sqlite_now!())),
            Kind::Postgres { .. } => sqlx::query(join_sql!(postgres_now!())),
        };
        let query = query.bind(self.server.to_string()).bind(url.to_owned());
        let query = query.bind(version.to_owned());
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("this server's entry"))
    }

    /// Says that this server is still there. False when it has no entry.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn beat(&self) -> Result<bool, DbError> {
        let query = match self.kind {
            Kind::Sqlite { .. } => sqlx::query(beat_sql!(sqlite_now!())),
            Kind::Postgres { .. } => sqlx::query(beat_sql!(postgres_now!())),
        };
        let query = query.bind(self.server.to_string());
        let done = self.within(query.execute(&self.writer)).await;
        let done = done.map_err(writing("this server's entry"))?;
        Ok(done.rows_affected() > 0)
    }

    /// Says that this server goes. What is its own waits for it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn leave(&self) -> Result<(), DbError> {
        let query = sqlx::query("UPDATE servers SET seen_ms = 0 WHERE id = $1");
        let query = query.bind(self.server.to_string());
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("this server's entry"))
    }

    /// All servers that ever used the database, last seen first; at most [`SERVERS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn servers(&self) -> Result<Vec<ServerRow>, DbError> {
        let query = match self.kind {
            Kind::Sqlite { .. } => sqlx::query(servers_sql!(sqlite_now!())),
            Kind::Postgres { .. } => sqlx::query(servers_sql!(postgres_now!())),
        };
        let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        let query = query.bind(lease).bind(i64::from(SERVERS_MAX));
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(server_of).collect())
            .map_err(reading("servers"))
    }

    /// How often what servers keep in memory has changed.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn versions(&self) -> Result<Versions, DbError> {
        let query = sqlx::query("SELECT what, version FROM changes");
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let mut versions = Versions::default();
        for row in rows.map_err(reading("versions"))? {
            let pair = row
                .try_get(0)
                .and_then(|what: String| Ok((what, row.try_get(1)?)));
            match pair.map_err(reading("versions"))? {
                (what, version) if what == CONSENTS => versions.consents = version,
                (what, version) if what == HOSTS => versions.hosts = version,
                _ => {}
            }
        }
        Ok(versions)
    }

    /// Counts a change, in the transaction that makes it: whoever sees the count sees the change.
    pub(super) async fn count_change(
        &self,
        connection: &mut sqlx::AnyConnection,
        what: &'static str,
    ) -> Result<(), sqlx::Error> {
        if !self.is_shared() {
            return Ok(());
        }
        let query = sqlx::query(
            "INSERT INTO changes (what, version) VALUES ($1, 1) \
             ON CONFLICT (what) DO UPDATE SET version = changes.version + 1",
        );
        query.bind(what).execute(connection).await.map(drop)
    }
}

fn server_of(row: &AnyRow) -> Result<ServerRow, sqlx::Error> {
    Ok(ServerRow {
        id: row.try_get(0)?,
        url: row.try_get(1)?,
        version: row.try_get(2)?,
        started_ms: row.try_get(3)?,
        seen_ms: row.try_get(4)?,
        live: row.try_get::<i64, _>(5)? != 0,
    })
}
