//! Questions about runs.

use std::fmt;
use std::str::FromStr;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::error::reading;
use super::limits::PAGE_ROWS_MAX;
use super::text::{contains_pattern, without_nul};
use super::{Database, DbError};

/// The states that this crate itself writes or asks for. Others come from the closing entry.
pub mod state {
    /// Opened and not closed.
    pub const RUNNING: &str = "running";
    /// Asked for and refused.
    pub const REFUSED: &str = "refused";
}

/// One run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRow {
    /// Id of the run.
    pub id: String,
    /// Number of its opening entry in the log of its server.
    pub seq_opened: i64,
    /// Sequence number of its closing entry.
    pub seq_closed: Option<i64>,
    /// Who asked.
    pub caller: String,
    /// Session it ran in.
    pub session_id: Option<String>,
    /// Where it ran.
    pub target: String,
    /// The command, redacted.
    pub command: String,
    /// Directory it started in.
    pub cwd: String,
    /// Type of command.
    pub kind: String,
    /// Risk as judged.
    pub risk: String,
    /// Verdict of the decision.
    pub verdict: String,
    /// Whether its answer did not wait for its end.
    pub background: bool,
    /// [`state::RUNNING`], [`state::REFUSED`], or what the closing entry says.
    pub state: String,
    /// Exit code, when there is one.
    pub exit_code: Option<i64>,
    /// When it was opened.
    pub started_ms: i64,
    /// When it was closed.
    pub ended_ms: Option<i64>,
    /// How long it took, by the monotonic clock.
    pub duration_ms: Option<i64>,
    /// Bytes written to stdout.
    pub stdout_bytes: i64,
    /// Bytes written to stderr.
    pub stderr_bytes: i64,
    /// Where the output is kept.
    pub output_location: Option<String>,
    /// Digest of the output.
    pub output_digest: Option<String>,
    /// Kind of error.
    pub error_kind: Option<String>,
    /// Directory after the command.
    pub cwd_after: Option<String>,
    /// The caller's idempotency key.
    pub idempotency_key: Option<String>,
    /// Digest of the request under that key.
    pub idempotency_fingerprint: Option<String>,
    /// Whatever else the opening entry held, as JSON.
    pub extra: Option<String>,
    /// The server that it is of.
    pub server: String,
}

impl RunRow {
    /// Its place among all runs.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            started_ms: self.started_ms,
            server: self.server.clone(),
            seq_opened: self.seq_opened,
        }
    }
}

/// The place of a run among those of all servers: by time, and where that is the same, by server
/// and by number.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When it was opened.
    pub started_ms: i64,
    /// The server that it is of.
    pub server: String,
    /// The number of its opening entry there.
    pub seq_opened: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.started_ms, self.seq_opened)?;
        match self.server.as_str() {
            "" => Ok(()),
            server => write!(f, ".{server}"),
        }
    }
}

/// A text that is no [`Cursor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no place among runs")]
pub struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next()?.parse().ok();
        let (started_ms, seq_opened) = number().zip(number()).ok_or(NoCursor)?;
        Ok(Self {
            started_ms,
            server: parts.next().unwrap_or_default().to_owned(),
            seq_opened,
        })
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// The beginning of the command, redacted.
    pub command: String,
    /// Its exit code.
    pub exit_code: i64,
}

/// A page of rows, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Most rows wanted; taken as at least 1 and at most [`PAGE_ROWS_MAX`].
    pub limit: u32,
    /// Only rows before this place: that of the last row of the page before.
    pub before: Option<Cursor>,
}

impl Page {
    pub(super) fn limit(&self) -> i64 {
        i64::from(self.limit.clamp(1, PAGE_ROWS_MAX))
    }

    pub(super) fn before(&self) -> Cursor {
        self.before.clone().unwrap_or(Cursor {
            started_ms: i64::MAX,
            ..Cursor::default()
        })
    }
}

/// The columns of `runs`, in the order that `run_of` and the projection's insert rely on.
macro_rules! run_columns {
    () => {
        "id, seq_opened, seq_closed, caller, session_id, target, command, cwd, kind, risk, \
         verdict, background, state, exit_code, started_ms, ended_ms, duration_ms, stdout_bytes, \
         stderr_bytes, output_location, output_digest, error_kind, cwd_after, idempotency_key, \
         idempotency_fingerprint, extra, server"
    };
}
pub(super) use run_columns;

macro_rules! select_runs {
    ($rest:literal) => {
        sqlx::query(concat!("SELECT ", run_columns!(), " FROM runs ", $rest))
    };
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

impl Database {
    /// A caller's run. Somebody else's is absent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run(&self, caller: &str, id: &str) -> Result<Option<RunRow>, DbError> {
        let query = select_runs!("WHERE id = $1 AND caller = $2").bind(id.to_owned());
        Ok(self.fetch_runs(query.bind(caller.to_owned())).await?.pop())
    }

    /// The runs of a caller's session, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn session_runs(
        &self,
        caller: &str,
        session_id: &str,
        page: Page,
    ) -> Result<Vec<RunRow>, DbError> {
        let query = select_runs!(
            "WHERE caller = $1 AND session_id = $6 \
             AND (started_ms, server, seq_opened) < ($2, $3, $4) \
             ORDER BY started_ms DESC, server DESC, seq_opened DESC LIMIT $5"
        );
        let query = paged(query, caller, &page).bind(session_id.to_owned());
        self.fetch_runs(query).await
    }

    /// A caller's runs, newest first; with a `text`, those whose command contains it, in any case
    /// of ASCII letters.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recent_runs(
        &self,
        caller: &str,
        text: Option<&str>,
        page: Page,
    ) -> Result<Vec<RunRow>, DbError> {
        let query = match text {
            None => select_runs!(
                "WHERE caller = $1 AND (started_ms, server, seq_opened) < ($2, $3, $4) \
                 ORDER BY started_ms DESC, server DESC, seq_opened DESC LIMIT $5"
            ),
            Some(_) => select_runs!(
                "WHERE caller = $1 AND (started_ms, server, seq_opened) < ($2, $3, $4) \
                 AND LOWER(command) LIKE $6 ESCAPE '!' \
                 ORDER BY started_ms DESC, server DESC, seq_opened DESC LIMIT $5"
            ),
        };
        let query = paged(query, caller, &page);
        let query = match text {
            None => query,
            Some(text) => query.bind(without_nul(contains_pattern(text))),
        };
        self.fetch_runs(query).await
    }

    /// How a caller's latest runs ended, newest first; those with an exit code, among the latest
    /// `limit`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recent_ends(&self, caller: &str, limit: u32) -> Result<Vec<RunEnd>, DbError> {
        let query = sqlx::query(
            "SELECT SUBSTR(command, 1, 512), exit_code FROM runs WHERE caller = $1 \
             ORDER BY started_ms DESC, server DESC, seq_opened DESC LIMIT $2",
        )
        .bind(caller.to_owned())
        .bind(i64::from(limit.clamp(1, PAGE_ROWS_MAX)));
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("runs"))?;
        let mut ends = Vec::with_capacity(rows.len());
        for row in &rows {
            let code: Option<i64> = row.try_get(1).map_err(reading("runs"))?;
            if let Some(exit_code) = code {
                let command = row.try_get(0).map_err(reading("runs"))?;
                ends.push(RunEnd { command, exit_code });
            }
        }
        Ok(ends)
    }

    /// Runs of this server that are opened and not closed, oldest first, after `seq_opened`; at
    /// most [`PAGE_ROWS_MAX`]. For start-up, which closes what an earlier process left.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open_runs(&self, after: i64) -> Result<Vec<RunRow>, DbError> {
        let query = select_runs!(
            "WHERE state = 'running' AND server = $3 AND seq_opened > $1 \
             ORDER BY seq_opened LIMIT $2"
        );
        let query = query.bind(after).bind(i64::from(PAGE_ROWS_MAX));
        self.fetch_runs(query.bind(self.server.to_string())).await
    }

    /// The newest run that a caller started under an idempotency key at `since_ms` or later.
    /// Refused ones do not count: nothing was run that could be answered again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_by_idempotency(
        &self,
        caller: &str,
        key: &str,
        since_ms: i64,
    ) -> Result<Option<RunRow>, DbError> {
        let query = select_runs!(
            "WHERE caller = $1 AND idempotency_key = $2 AND started_ms >= $3 \
             AND state <> 'refused' ORDER BY started_ms DESC, server DESC, seq_opened DESC LIMIT 1"
        );
        let query = query
            .bind(caller.to_owned())
            .bind(without_nul(key.to_owned()))
            .bind(since_ms);
        Ok(self.fetch_runs(query).await?.pop())
    }

    async fn fetch_runs(&self, query: Query) -> Result<Vec<RunRow>, DbError> {
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let rows = rows.map_err(reading("runs"))?;
        rows.iter()
            .map(run_of)
            .collect::<Result<_, _>>()
            .map_err(reading("runs"))
    }
}

fn run_of(row: &AnyRow) -> Result<RunRow, sqlx::Error> {
    Ok(RunRow {
        id: row.try_get(0)?,
        seq_opened: row.try_get(1)?,
        seq_closed: row.try_get(2)?,
        caller: row.try_get(3)?,
        session_id: row.try_get(4)?,
        target: row.try_get(5)?,
        command: row.try_get(6)?,
        cwd: row.try_get(7)?,
        kind: row.try_get(8)?,
        risk: row.try_get(9)?,
        verdict: row.try_get(10)?,
        background: row.try_get::<i64, _>(11)? != 0,
        state: row.try_get(12)?,
        exit_code: row.try_get(13)?,
        started_ms: row.try_get(14)?,
        ended_ms: row.try_get(15)?,
        duration_ms: row.try_get(16)?,
        stdout_bytes: row.try_get(17)?,
        stderr_bytes: row.try_get(18)?,
        output_location: row.try_get(19)?,
        output_digest: row.try_get(20)?,
        error_kind: row.try_get(21)?,
        cwd_after: row.try_get(22)?,
        idempotency_key: row.try_get(23)?,
        idempotency_fingerprint: row.try_get(24)?,
        extra: row.try_get(25)?,
        server: row.try_get(26)?,
    })
}

/// Binds what every page is asked for with: whose, from where, how much.
fn paged(query: Query, caller: &str, page: &Page) -> Query {
    let before = page.before();
    let query = query.bind(caller.to_owned()).bind(before.started_ms);
    let query = query.bind(before.server).bind(before.seq_opened);
    query.bind(page.limit())
}
