//! From the log to the tables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sqlx::{AnyConnection, Connection as _};

use super::error::writing;
use super::limits::{AHEAD_ENTRIES_MAX, PROJECT_ENTRIES_MAX};
use super::meta::{Projected, put_projected};
use super::run_writes::{RunEnd, close_runs, insert_runs};
use super::text::without_nul;
use super::{Ahead, Database, DbError, RunRow, state};
use crate::audit::event::{self, RunClosed, RunOpened, RunRefused, SessionCreated, SessionEnded};
use crate::audit::{AuditError, Reader, Record};

/// Applies the entries of an audit log to the tables, in order, each exactly once: rows and
/// position change in the same transaction. Applying an entry twice would change nothing either,
/// so a call that is cancelled can simply be made again.
#[derive(Debug)]
pub struct Projector {
    database: Database,
    dir: PathBuf,
    done: Projected,
    /// Stands at `done.next`. Absent while somebody else reads with it.
    reader: Option<Reader>,
}

/// What [`Projector::catch_up`] has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Entries that were passed, of any kind.
    pub entries: u64,
    /// Of these, entries of a known kind whose body could not be understood.
    pub unreadable: u64,
}

impl Projector {
    /// Takes up where the database left off in the log of `dir`.
    ///
    /// # Errors
    /// [`DbError::NotOfThisLog`] when the last projected entry is not in the log.
    pub async fn open(database: &Database, dir: &Path) -> Result<Self, DbError> {
        let done = match database.projected().await? {
            Some(done) if !stands(dir, &done)? => {
                return Err(DbError::NotOfThisLog { head: done.head });
            }
            Some(done) => done,
            None => taken_over(database, dir).await?,
        };
        Ok(Self {
            database: database.clone(),
            dir: dir.to_owned(),
            done,
            reader: None,
        })
    }

    /// Applies everything up to the end of the log as it is now.
    ///
    /// # Errors
    /// When the log cannot be read or the database does not take it. What was applied before stays
    /// applied, and the next call goes on from there.
    pub async fn catch_up(&mut self) -> Result<CaughtUp, DbError> {
        let mut total = CaughtUp::default();
        loop {
            let reader = self.reader.take();
            let reader = reader.unwrap_or_else(|| Reader::from_position(&self.dir, self.done.next));
            let read = tokio::task::spawn_blocking(move || Batch::read(reader)).await;
            let (reader, batch) = read.map_err(|_| DbError::Interrupted)??;
            let (entries, unreadable) = (batch.entries, batch.unreadable);
            if let Some(done) = batch.done {
                self.apply(batch, &done)
                    .await
                    .map_err(writing("the projection"))?;
                self.done = done;
            }
            self.reader = Some(reader);
            total.entries += entries as u64;
            total.unreadable += unreadable;
            if entries < PROJECT_ENTRIES_MAX {
                return Ok(total);
            }
        }
    }

    /// What the log says beyond the tables: for questions while [`catch_up`](Self::catch_up) fails.
    /// At most [`AHEAD_ENTRIES_MAX`](super::limits::AHEAD_ENTRIES_MAX) entries of it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn ahead(&self) -> Result<Ahead, DbError> {
        let reader = Reader::from_position(&self.dir, self.done.next);
        let server = Arc::clone(&self.database.server);
        let read = tokio::task::spawn_blocking(move || read_ahead(reader, &server)).await;
        Ok(read.map_err(|_| DbError::Interrupted)??)
    }

    async fn apply(&self, batch: Batch, done: &Projected) -> Result<(), sqlx::Error> {
        let mut connection = self.database.writer.acquire().await?;
        let applied = apply_on(&mut connection, &self.database.server, batch, done);
        let applied = self.database.within(applied).await;
        if applied.is_err() {
            // After some errors, a full disk among them, SQLite has rolled back by itself, and the
            // connection no longer agrees with its owner on whether a transaction is open.
            connection.close_on_drop();
        }
        applied
    }
}

/// Whether what was projected last is in the log.
fn stands(dir: &Path, done: &Projected) -> Result<bool, DbError> {
    if *done == Projected::NOTHING {
        return Ok(true);
    }
    match Reader::from_position(dir, done.at).next_record() {
        Ok(record) => Ok(record.is_some_and(|record| record.head() == done.head)),
        // In another log, the position is anywhere in a line.
        Err(AuditError::Damaged { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What was projected of this log under another id of its server: from before there were ids, or
/// before its id was lost. That the position is in the log proves that it is the same.
async fn taken_over(database: &Database, dir: &Path) -> Result<Projected, DbError> {
    let others = database.projected_of_others().await?;
    if others.is_empty() {
        return Ok(Projected::NOTHING);
    }
    let live = database.servers().await?;
    for (id, done) in &others {
        let is_live = live.iter().any(|server| server.live && server.id == *id);
        if !is_live && *done != Projected::NOTHING && stands(dir, done)? {
            database.take_over(id, done).await?;
            return Ok(*done);
        }
    }
    match others.first() {
        // A file has one server, and so one log.
        Some((_, done)) if !database.is_shared() => Err(DbError::NotOfThisLog { head: done.head }),
        _ => Ok(Projected::NOTHING),
    }
}

fn read_ahead(mut reader: Reader, server: &str) -> Result<Ahead, AuditError> {
    let (mut ahead, mut entries) = (Ahead::default(), 0);
    loop {
        let (next, mut batch) = Batch::read(reader)?;
        batch.mark(server);
        let last = batch.entries < PROJECT_ENTRIES_MAX;
        entries += batch.entries;
        ahead.add(batch.opened, batch.closed);
        if last || entries >= AHEAD_ENTRIES_MAX {
            return Ok(ahead.finish());
        }
        reader = next;
    }
}

async fn apply_on(
    connection: &mut AnyConnection,
    server: &str,
    mut batch: Batch,
    done: &Projected,
) -> Result<(), sqlx::Error> {
    batch.mark(server);
    let mut transaction = connection.begin().await?;
    insert_runs(&mut transaction, batch.opened).await?;
    close_runs(&mut transaction, batch.closed).await?;
    for change in batch.sessions {
        change.apply(&mut transaction, server).await?;
    }
    put_projected(&mut transaction, server, done).await?;
    transaction.commit().await
}

/// What a stretch of the log says, as rows.
#[derive(Default)]
struct Batch {
    entries: usize,
    unreadable: u64,
    done: Option<Projected>,
    opened: Vec<RunRow>,
    /// Where each of `opened` is, for its end in the same batch.
    index: HashMap<String, usize>,
    closed: Vec<RunEnd>,
    sessions: Vec<SessionChange>,
}

impl Batch {
    fn read(mut reader: Reader) -> Result<(Reader, Self), AuditError> {
        let mut batch = Self::default();
        while batch.entries < PROJECT_ENTRIES_MAX {
            let Some(record) = reader.next_record()? else {
                break;
            };
            batch.entries += 1;
            if let Err(error) = batch.add(&record) {
                // One entry that nobody understands must not hold up all that come after it.
                tracing::warn!(seq = record.seq, kind = record.kind(), %error, "unreadable entry");
                batch.unreadable += 1;
            }
            batch.done = Some(Projected {
                head: record.head(),
                at: record.at,
                next: record.next,
            });
        }
        Ok((reader, batch))
    }

    fn add(&mut self, record: &Record) -> Result<(), serde_json::Error> {
        match record.kind() {
            event::RUN_OPENED => self.open(run_row(record, record.body()?, state::RUNNING)),
            event::RUN_CLOSED => self.close(run_end(record, record.body()?)),
            event::RUN_REFUSED => self.open(refused_row(record, record.body()?)),
            event::SESSION_CREATED => self.sessions.push(SessionChange::Created {
                at_ms: record.time_ms,
                session: body(record)?,
            }),
            event::SESSION_ENDED => self.sessions.push(SessionChange::Ended {
                at_ms: record.time_ms,
                session: body(record)?,
            }),
            _ => {}
        }
        Ok(())
    }

    /// Whose log it is.
    fn mark(&mut self, server: &str) {
        for row in &mut self.opened {
            server.clone_into(&mut row.server);
        }
    }

    fn open(&mut self, row: RunRow) {
        // One statement cannot write a row twice; ids are unique, so the first one stays.
        if !self.index.contains_key(&row.id) {
            self.index.insert(row.id.clone(), self.opened.len());
            self.opened.push(row);
        }
    }

    fn close(&mut self, end: RunEnd) {
        match self
            .index
            .get(&end.id)
            .and_then(|at| self.opened.get_mut(*at))
        {
            Some(row) => end.close(row),
            None => {
                self.closed.retain(|other| other.id != end.id);
                self.closed.push(end);
            }
        }
    }
}

fn body<T: DeserializeOwned>(record: &Record) -> Result<T, serde_json::Error> {
    record.body()
}

fn run_row(record: &Record, body: RunOpened, state: &str) -> RunRow {
    let (key, fingerprint) = body
        .idempotency
        .map(|given| (without_nul(given.key), without_nul(given.fingerprint)))
        .unzip();
    let extra = serde_json::to_string(&body.extra)
        .ok()
        .filter(|_| !body.extra.is_empty());
    RunRow {
        id: without_nul(body.run),
        seq_opened: signed(record.seq),
        caller: without_nul(body.caller),
        session_id: body.session.map(without_nul),
        target: without_nul(body.target),
        command: without_nul(body.command),
        cwd: without_nul(body.cwd),
        kind: without_nul(body.command_type),
        risk: without_nul(body.risk),
        verdict: without_nul(body.verdict),
        background: body.background,
        state: state.to_owned(),
        started_ms: record.time_ms,
        idempotency_key: key,
        idempotency_fingerprint: fingerprint,
        extra,
        ..RunRow::default()
    }
}

fn refused_row(record: &Record, body: RunRefused) -> RunRow {
    let mut request = body.request;
    if !body.reasons.is_empty() {
        request
            .extra
            .insert("reasons".to_owned(), body.reasons.into());
    }
    let ended = Some(record.time_ms);
    let row = run_row(record, request, state::REFUSED);
    RunRow {
        seq_closed: Some(row.seq_opened),
        ended_ms: ended,
        ..row
    }
}

fn run_end(record: &Record, body: RunClosed) -> RunEnd {
    RunEnd {
        id: without_nul(body.run),
        seq_closed: signed(record.seq),
        state: without_nul(body.state),
        exit_code: body.exit_code,
        ended_ms: record.time_ms,
        duration_ms: body.ms,
        stdout_bytes: body.stdout_bytes,
        stderr_bytes: body.stderr_bytes,
        output_location: body.output.map(without_nul),
        output_digest: body.digest.map(without_nul),
        error_kind: body.error.map(without_nul),
        cwd_after: body.cwd.map(without_nul),
    }
}

enum SessionChange {
    Created { at_ms: i64, session: SessionCreated },
    Ended { at_ms: i64, session: SessionEnded },
}

impl SessionChange {
    /// The engine writes sessions itself and knows more: what it wrote is not overwritten.
    async fn apply(self, connection: &mut AnyConnection, server: &str) -> Result<(), sqlx::Error> {
        let query = match self {
            Self::Created { at_ms, session } => sqlx::query(
                "INSERT INTO sessions (owner, id, target, created_ms, last_used_ms, timeout_s, \
                 cwd, client_info, command_count, server) \
                 VALUES ($1, $2, $3, $4, $4, $5, $6, $7, 0, $8) \
                 ON CONFLICT (owner, id) DO UPDATE SET target = excluded.target, \
                 created_ms = excluded.created_ms, last_used_ms = excluded.last_used_ms, \
                 timeout_s = excluded.timeout_s, ended_ms = NULL, end_reason = NULL, \
                 cwd = excluded.cwd, env_sealed = NULL, client_info = excluded.client_info, \
                 command_count = 0, server = excluded.server \
                 WHERE sessions.ended_ms <= excluded.created_ms \
                 AND sessions.created_ms < excluded.created_ms",
            )
            .bind(without_nul(session.caller))
            .bind(without_nul(session.session))
            .bind(without_nul(session.target))
            .bind(at_ms)
            .bind(session.timeout_s)
            .bind(without_nul(session.cwd))
            .bind(session.client_info.map(without_nul))
            .bind(server.to_owned()),
            Self::Ended { at_ms, session } => sqlx::query(
                "UPDATE sessions SET ended_ms = $1, end_reason = $2, env_sealed = NULL \
                 WHERE owner = $3 AND id = $4 AND server = $5 AND ended_ms IS NULL \
                 AND created_ms <= $1",
            )
            .bind(at_ms)
            .bind(without_nul(session.reason))
            .bind(without_nul(session.caller))
            .bind(without_nul(session.session))
            .bind(server.to_owned()),
        };
        query.execute(connection).await?;
        Ok(())
    }
}

/// Sequence numbers fit: at a million entries a second they would last 290,000 years.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
