//! Sessions: written by the engine as they live, and by the projection as the log tells.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};

use super::error::{reading, writing};
use super::limits::{LIVE_SESSIONS_MAX, PAGE_ROWS_MAX};
use super::{Database, DbError};

/// One session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRow {
    /// Who owns it.
    pub owner: String,
    /// Its id, unique for its owner.
    pub id: String,
    /// Where its shell lives.
    pub target: String,
    /// When it was created.
    pub created_ms: i64,
    /// When it was last used.
    pub last_used_ms: i64,
    /// Seconds of idleness after which it ends.
    pub timeout_s: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// Its directory.
    pub cwd: String,
    /// Its exported environment, encrypted by the engine.
    pub env_sealed: Option<Vec<u8>>,
    /// What the client said about itself.
    pub client_info: Option<String>,
    /// How many commands it has run.
    pub command_count: i64,
    /// The server that its shell lives on. Written is always the one that writes.
    pub server: String,
}

/// What changes in a session with each command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionUpdate {
    /// Who owns it.
    pub owner: String,
    /// Its id.
    pub id: String,
    /// When it was last used.
    pub last_used_ms: i64,
    /// Its directory.
    pub cwd: String,
    /// Its sealed environment; `None` leaves it as it is.
    pub env_sealed: Option<Vec<u8>>,
    /// How many commands it has run.
    pub command_count: i64,
}

macro_rules! session_columns {
    () => {
        "owner, id, target, created_ms, last_used_ms, timeout_s, ended_ms, end_reason, cwd, \
         env_sealed, client_info, command_count, server"
    };
}

macro_rules! select_sessions {
    ($rest:literal) => {
        sqlx::query(concat!(
            "SELECT ",
            session_columns!(),
            " FROM sessions ",
            $rest
        ))
    };
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

impl Database {
    /// Inserts a session, or takes the place of the owner's older one with that id that has ended.
    /// False, and nothing changed, when that one still lives.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_session(&self, session: &SessionRow) -> Result<bool, DbError> {
        let session = session.clone();
        let query = sqlx::query(concat!(
            "INSERT INTO sessions (",
            session_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             ON CONFLICT (owner, id) DO UPDATE SET target = excluded.target, \
             created_ms = excluded.created_ms, last_used_ms = excluded.last_used_ms, \
             timeout_s = excluded.timeout_s, ended_ms = excluded.ended_ms, \
             end_reason = excluded.end_reason, cwd = excluded.cwd, \
             env_sealed = excluded.env_sealed, client_info = excluded.client_info, \
             command_count = excluded.command_count, server = excluded.server \
             WHERE sessions.ended_ms IS NOT NULL"
        ));
        let query = query
            .bind(session.owner)
            .bind(session.id)
            .bind(session.target);
        let query = query.bind(session.created_ms).bind(session.last_used_ms);
        let query = query
            .bind(session.timeout_s)
            .bind(session.ended_ms)
            .bind(session.end_reason);
        let query = query
            .bind(session.cwd)
            .bind(session.env_sealed)
            .bind(session.client_info);
        let query = query
            .bind(session.command_count)
            .bind(self.server.to_string());
        self.change_session(query).await
    }

    /// A session of an owner, living or ended. Somebody else's is absent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session(&self, owner: &str, id: &str) -> Result<Option<SessionRow>, DbError> {
        let query = select_sessions!("WHERE owner = $1 AND id = $2").bind(owner.to_owned());
        Ok(self.fetch_sessions(query.bind(id.to_owned())).await?.pop())
    }

    /// The living sessions of an owner on all servers, last used first; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sessions_of(&self, owner: &str) -> Result<Vec<SessionRow>, DbError> {
        let query = select_sessions!(
            "WHERE owner = $1 AND ended_ms IS NULL ORDER BY last_used_ms DESC, id LIMIT $2"
        );
        self.fetch_sessions(query.bind(owner.to_owned()).bind(i64::from(PAGE_ROWS_MAX)))
            .await
    }

    /// The living sessions of everybody on this server, last used first, to bring them back at
    /// start-up; at most [`LIVE_SESSIONS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn live_sessions(&self) -> Result<Vec<SessionRow>, DbError> {
        let query = select_sessions!(
            "WHERE ended_ms IS NULL AND server = $1 \
             ORDER BY last_used_ms DESC, owner, id LIMIT $2"
        );
        let query = query.bind(self.server.to_string());
        self.fetch_sessions(query.bind(i64::from(LIVE_SESSIONS_MAX)))
            .await
    }

    /// Writes down how living sessions of this server have changed, all in one transaction. Those
    /// that have ended meanwhile stay as they are.
    ///
    /// # Errors
    /// When the database does not take it; then none is changed.
    pub async fn update_sessions(&self, updates: &[SessionUpdate]) -> Result<(), DbError> {
        let written = async {
            let mut connection = self.writer.acquire().await?;
            let updated = self
                .within(update_on(&mut connection, &self.server, updates))
                .await;
            if updated.is_err() {
                // As in the projection: after a full disk the connection no longer knows whether
                // a transaction is open, and the next one to use it would not either.
                connection.close_on_drop();
            }
            updated
        };
        written.await.map_err(writing("sessions"))
    }

    /// Ends a session of this server. False when there is no such living one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn end_session(
        &self,
        owner: &str,
        id: &str,
        ended_ms: i64,
        reason: &str,
    ) -> Result<bool, DbError> {
        let query = sqlx::query(
            "UPDATE sessions SET ended_ms = $1, end_reason = $2, env_sealed = NULL \
             WHERE owner = $3 AND id = $4 AND server = $5 AND ended_ms IS NULL",
        );
        let query = query.bind(ended_ms).bind(reason.to_owned());
        let query = query.bind(owner.to_owned()).bind(id.to_owned());
        self.change_session(query.bind(self.server.to_string()))
            .await
    }

    async fn change_session(&self, query: Query) -> Result<bool, DbError> {
        let done = self.within(query.execute(&self.writer)).await;
        let done = done.map_err(writing("a session"))?;
        Ok(done.rows_affected() > 0)
    }

    async fn fetch_sessions(&self, query: Query) -> Result<Vec<SessionRow>, DbError> {
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("sessions"))?;
        rows.iter()
            .map(session_of)
            .collect::<Result<_, _>>()
            .map_err(reading("sessions"))
    }
}

async fn update_on(
    connection: &mut AnyConnection,
    server: &str,
    updates: &[SessionUpdate],
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    for update in updates {
        let query = sqlx::query(
            "UPDATE sessions SET last_used_ms = $1, cwd = $2, \
             env_sealed = COALESCE($3, env_sealed), command_count = $4 \
             WHERE owner = $5 AND id = $6 AND server = $7 AND ended_ms IS NULL",
        );
        let query = query.bind(update.last_used_ms).bind(update.cwd.clone());
        let query = query
            .bind(update.env_sealed.clone())
            .bind(update.command_count);
        let query = query.bind(update.owner.clone()).bind(update.id.clone());
        let query = query.bind(server.to_owned());
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn session_of(row: &AnyRow) -> Result<SessionRow, sqlx::Error> {
    Ok(SessionRow {
        owner: row.try_get(0)?,
        id: row.try_get(1)?,
        target: row.try_get(2)?,
        created_ms: row.try_get(3)?,
        last_used_ms: row.try_get(4)?,
        timeout_s: row.try_get(5)?,
        ended_ms: row.try_get(6)?,
        end_reason: row.try_get(7)?,
        cwd: row.try_get(8)?,
        env_sealed: row.try_get(9)?,
        client_info: row.try_get(10)?,
        command_count: row.try_get(11)?,
        server: row.try_get(12)?,
    })
}
