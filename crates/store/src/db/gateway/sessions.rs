//! Sandbox sessions, and what has happened to each.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::limits::{LIVE_SESSIONS_MAX, PAGE_ROWS_MAX};
use super::super::text::without_nul;
use super::super::{Database, DbError};
use super::accounts::charge_on;
use super::statement;

/// One session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewaySessionRow {
    /// Its id.
    pub id: String,
    /// The server whose provider has its machine. Written is always the one that writes.
    pub server: String,
    /// The organization's id; empty where there is none.
    pub organization: String,
    /// The person: an account's id, or a caller's name.
    pub owner: String,
    /// Who made it: a caller's name.
    pub caller: String,
    /// What it is charged to.
    pub account: String,
    /// What it is made of.
    pub configuration: String,
    /// The directory that it is of.
    pub path_hash: Option<String>,
    /// What people call the directory.
    pub display_name: Option<String>,
    /// What people call it.
    pub title: Option<String>,
    /// What it is for.
    pub session_type: String,
    /// What kind of client made it.
    pub client_type: String,
    /// What was asked for, the gateway's.
    pub asked: String,
    /// The provider of its machine.
    pub provider: String,
    /// How it is.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// The provider's name for its machine.
    pub sandbox: Option<String>,
    /// Where that is, the gateway's.
    pub place: Option<String>,
    /// What its machine began with.
    pub snapshot: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// When its machine was first there.
    pub started_ms: Option<i64>,
    /// When it was last used.
    pub active_ms: i64,
    /// When it ends.
    pub expires_ms: i64,
    /// Whether it was said that it ends soon.
    pub warned: bool,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Since when its machine runs without having been charged.
    pub running_ms: Option<i64>,
    /// How long it ran before that.
    pub used_ms: i64,
    /// Grows with each change.
    pub version: i64,
}

/// Something that happened to a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayEventRow {
    /// Which one.
    pub session: String,
    /// Counts from 1.
    pub number: i64,
    /// What.
    pub kind: String,
    /// When.
    pub at_ms: i64,
    /// How the session is from then on.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// When it ends.
    pub expires_ms: i64,
}

/// Which sessions are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionsAsk<'a> {
    /// Of this organization only.
    pub organization: Option<&'a str>,
    /// Of this person only.
    pub owner: Option<&'a str>,
    /// Made by this caller only.
    pub caller: Option<&'a str>,
    /// Of this directory only.
    pub path_hash: Option<&'a str>,
    /// Those that have ended as well.
    pub ended: bool,
}

/// What became of a machine that was to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It may be.
    Done,
    /// The account has as many that run as it may have.
    Full,
    /// The account has as many that wait for somebody to need them as it may have.
    Waiting,
    /// This server has as many living sessions as it may have.
    Crowded,
    /// The session, or the key that it was to be made under, has changed meanwhile.
    Changed,
}

/// How much room there is for a new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayRoom {
    /// How many machines of the account may run; any number where there is none.
    pub running: Option<u32>,
    /// How many sessions of the account may wait for somebody to need their machine.
    pub pending: u32,
    /// How many sessions of this server may live.
    pub all: u32,
}

macro_rules! session_columns {
    () => {
        "id, server, organization, owner, caller, account, configuration, path_hash, display_name, \
         title, session_type, client_type, asked, provider, state, reason, sandbox, place, \
         snapshot, created_ms, started_ms, active_ms, expires_ms, warned, ended_ms, running_ms, \
         used_ms, version"
    };
}

/// How a session is of which nothing was made yet.
const PENDING: &str = "pending";

/// States in which a session has a machine that is paid for.
macro_rules! runs {
    () => {
        "state IN ('starting', 'running')"
    };
}

impl Database {
    /// Keeps a new session with its first event, where there is room. It counts for its account as
    /// one that runs, or as one that waits. Where it is made under a key, given behind its owner,
    /// that says from then on which session it is; [`Begun::Changed`] where the key is not this
    /// server's any more.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_gateway_session(
        &self,
        row: &GatewaySessionRow,
        event: &GatewayEventRow,
        room: GatewayRoom,
        key: Option<(&str, &str)>,
    ) -> Result<Begun, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            hold_on(&mut transaction, &row.account, row.created_ms).await?;
            let sql =
                "SELECT COUNT(*) FROM gateway_sessions WHERE server = $1 AND ended_ms IS NULL";
            if count_on(&mut transaction, sql, &self.server).await? >= i64::from(room.all) {
                return Ok(Begun::Crowded);
            }
            let running = room.running;
            if runs(&row.state) && !has_room_on(&mut transaction, &row.account, running).await? {
                return Ok(Begun::Full);
            }
            if row.state == PENDING {
                let sql = "SELECT COUNT(*) FROM gateway_sessions WHERE account = $1 \
                           AND ended_ms IS NULL AND state = 'pending'";
                let waiting = count_on(&mut transaction, sql, &row.account).await?;
                if waiting >= i64::from(room.pending) {
                    return Ok(Begun::Waiting);
                }
            }
            let query = statement!(
                concat!(
                    "INSERT INTO gateway_sessions (",
                    session_columns!(),
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, \
                     $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)"
                ),
                row.id.as_str(),
                self.server.to_string(),
                row.organization.as_str(),
                row.owner.as_str(),
                row.caller.as_str(),
                row.account.as_str(),
                row.configuration.as_str(),
                row.path_hash.as_deref(),
                row.display_name.clone().map(without_nul),
                row.title.clone().map(without_nul),
                row.session_type.as_str(),
                row.client_type.as_str(),
                without_nul(row.asked.clone()),
                row.provider.as_str(),
                row.state.as_str(),
                row.reason.clone().map(without_nul),
                row.sandbox.as_deref(),
                row.place.as_deref(),
                row.snapshot.as_deref(),
                row.created_ms,
                row.started_ms,
                row.active_ms,
                row.expires_ms,
                i64::from(row.warned),
                row.ended_ms,
                row.running_ms,
                row.used_ms,
                row.version,
            );
            query.execute(&mut *transaction).await?;
            insert_event_on(&mut transaction, event).await?;
            if let Some((owner, key)) = key {
                let query = statement!(
                    "UPDATE gateway_claims SET session = $1 WHERE owner = $2 AND key = $3 \
                     AND server = $4 AND answer IS NULL AND session IS NULL",
                    row.id.as_str(),
                    owner,
                    without_nul(key.to_owned()),
                    self.server.to_string(),
                );
                if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                    return Ok(Begun::Changed);
                }
            }
            transaction.commit().await?;
            Ok(Begun::Done)
        };
        self.within(write).await.map_err(writing("a session"))
    }

    /// Changes a session that is still at the version before `row.version`, with an event where one
    /// is given. Where its machine comes to run by it, that counts as for a new one. Its account is
    /// charged `charge_ms` with it.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn update_gateway_session(
        &self,
        row: &GatewaySessionRow,
        event: Option<&GatewayEventRow>,
        most: Option<u32>,
        charge_ms: i64,
    ) -> Result<Begun, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if runs(&row.state) && most.is_some() {
                hold_on(&mut transaction, &row.account, row.active_ms).await?;
                let sql = concat!(
                    "SELECT COUNT(*) FROM gateway_sessions WHERE id = $1 AND ",
                    runs!()
                );
                let ran = count_on(&mut transaction, sql, &row.id).await? > 0;
                if !ran && !has_room_on(&mut transaction, &row.account, most).await? {
                    return Ok(Begun::Full);
                }
            }
            let query = statement!(
                "UPDATE gateway_sessions SET state = $1, reason = $2, sandbox = $3, place = $4, \
                 snapshot = $5, started_ms = $6, active_ms = $7, expires_ms = $8, warned = $9, \
                 ended_ms = $10, running_ms = $11, used_ms = $12, version = $13, title = $14 \
                 WHERE id = $15 AND version = $16",
                row.state.as_str(),
                row.reason.clone().map(without_nul),
                row.sandbox.as_deref(),
                row.place.as_deref(),
                row.snapshot.as_deref(),
                row.started_ms,
                row.active_ms,
                row.expires_ms,
                i64::from(row.warned),
                row.ended_ms,
                row.running_ms,
                row.used_ms,
                row.version,
                row.title.clone().map(without_nul),
                row.id.as_str(),
                row.version.saturating_sub(1),
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(Begun::Changed);
            }
            if charge_ms > 0 {
                charge_on(&mut transaction, &row.account, charge_ms, row.active_ms).await?;
            }
            if let Some(event) = event {
                insert_event_on(&mut transaction, event).await?;
            }
            transaction.commit().await?;
            Ok(Begun::Done)
        };
        self.within(write).await.map_err(writing("a session"))
    }

    /// One session.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn gateway_session(&self, id: &str) -> Result<Option<GatewaySessionRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM gateway_sessions WHERE id = $1"
            ),
            without_nul(id.to_owned()),
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(session_of).transpose())
            .map_err(reading("sessions"))
    }

    /// Sessions, the newest first; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn gateway_sessions(
        &self,
        ask: &SessionsAsk<'_>,
    ) -> Result<Vec<GatewaySessionRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM gateway_sessions WHERE ($1 IS NULL OR organization = $1) \
                 AND ($2 IS NULL OR owner = $2) AND ($3 IS NULL OR caller = $3) \
                 AND ($4 IS NULL OR path_hash = $4) AND ($5 = 1 OR ended_ms IS NULL) \
                 ORDER BY created_ms DESC, id LIMIT $6"
            ),
            ask.organization,
            ask.owner,
            ask.caller,
            ask.path_hash.map(|hash| without_nul(hash.to_owned())),
            i64::from(ask.ended),
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(session_of).collect())
            .map_err(reading("sessions"))
    }

    /// The sessions of this server that have not ended, the oldest first; at most
    /// [`LIVE_SESSIONS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn living_gateway_sessions(&self) -> Result<Vec<GatewaySessionRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM gateway_sessions WHERE server = $1 AND ended_ms IS NULL \
                 ORDER BY created_ms, id LIMIT $2"
            ),
            self.server.to_string(),
            i64::from(LIVE_SESSIONS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(session_of).collect())
            .map_err(reading("sessions"))
    }

    /// How many machines of an account run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn running_gateway_sessions(&self, account: &str) -> Result<i64, DbError> {
        let query = sqlx::query_scalar(concat!(
            "SELECT COUNT(*) FROM gateway_sessions WHERE account = $1 AND ended_ms IS NULL AND ",
            runs!()
        ));
        let count = query.bind(account.to_owned()).fetch_one(&self.readers);
        self.within(count).await.map_err(reading("sessions"))
    }

    /// The number of the last thing that happened to a session; 0 where nothing has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_gateway_event(&self, session: &str) -> Result<i64, DbError> {
        let query = sqlx::query_scalar(
            "SELECT COALESCE(MAX(number), 0) FROM gateway_events WHERE session = $1",
        );
        let last = query.bind(session.to_owned()).fetch_one(&self.writer);
        self.within(last).await.map_err(reading("events"))
    }

    /// What happened to a session behind a number, in order; at most `limit`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn gateway_events(
        &self,
        session: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<GatewayEventRow>, DbError> {
        let query = statement!(
            "SELECT session, number, kind, at_ms, state, reason, expires_ms FROM gateway_events \
             WHERE session = $1 AND number > $2 ORDER BY number LIMIT $3",
            session,
            after,
            i64::from(limit.min(PAGE_ROWS_MAX)),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(event_of).collect())
            .map_err(reading("events"))
    }
}

fn runs(state: &str) -> bool {
    matches!(state, "starting" | "running")
}

/// Makes two that count for one account wait for each other.
async fn hold_on(
    connection: &mut AnyConnection,
    account: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let query = statement!(
        "INSERT INTO gateway_accounts (account, plan, granted_ms, used_ms, changed_ms) \
         VALUES ($1, NULL, 0, 0, $2) ON CONFLICT (account) DO UPDATE SET changed_ms = $2",
        account,
        now_ms,
    );
    query.execute(connection).await.map(drop)
}

async fn has_room_on(
    connection: &mut AnyConnection,
    account: &str,
    most: Option<u32>,
) -> Result<bool, sqlx::Error> {
    let Some(most) = most else {
        return Ok(true);
    };
    let sql = concat!(
        "SELECT COUNT(*) FROM gateway_sessions WHERE account = $1 AND ended_ms IS NULL AND ",
        runs!()
    );
    Ok(count_on(connection, sql, account).await? < i64::from(most))
}

async fn count_on(
    connection: &mut AnyConnection,
    sql: &'static str,
    value: &str,
) -> Result<i64, sqlx::Error> {
    let query = sqlx::query_scalar(sql).bind(value.to_owned());
    query.fetch_one(connection).await
}

async fn insert_event_on(
    connection: &mut AnyConnection,
    event: &GatewayEventRow,
) -> Result<(), sqlx::Error> {
    let query = statement!(
        "INSERT INTO gateway_events (session, number, kind, at_ms, state, reason, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        event.session.as_str(),
        event.number,
        event.kind.as_str(),
        event.at_ms,
        event.state.as_str(),
        event.reason.clone().map(without_nul),
        event.expires_ms,
    );
    query.execute(connection).await.map(drop)
}

fn session_of(row: &AnyRow) -> Result<GatewaySessionRow, sqlx::Error> {
    Ok(GatewaySessionRow {
        id: row.try_get(0)?,
        server: row.try_get(1)?,
        organization: row.try_get(2)?,
        owner: row.try_get(3)?,
        caller: row.try_get(4)?,
        account: row.try_get(5)?,
        configuration: row.try_get(6)?,
        path_hash: row.try_get(7)?,
        display_name: row.try_get(8)?,
        title: row.try_get(9)?,
        session_type: row.try_get(10)?,
        client_type: row.try_get(11)?,
        asked: row.try_get(12)?,
        provider: row.try_get(13)?,
        state: row.try_get(14)?,
        reason: row.try_get(15)?,
        sandbox: row.try_get(16)?,
        place: row.try_get(17)?,
        snapshot: row.try_get(18)?,
        created_ms: row.try_get(19)?,
        started_ms: row.try_get(20)?,
        active_ms: row.try_get(21)?,
        expires_ms: row.try_get(22)?,
        warned: row.try_get::<i64, _>(23)? != 0,
        ended_ms: row.try_get(24)?,
        running_ms: row.try_get(25)?,
        used_ms: row.try_get(26)?,
        version: row.try_get(27)?,
    })
}

fn event_of(row: &AnyRow) -> Result<GatewayEventRow, sqlx::Error> {
    Ok(GatewayEventRow {
        session: row.try_get(0)?,
        number: row.try_get(1)?,
        kind: row.try_get(2)?,
        at_ms: row.try_get(3)?,
        state: row.try_get(4)?,
        reason: row.try_get(5)?,
        expires_ms: row.try_get(6)?,
    })
}
