//! What the use cases answer with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wharf_exec::Facts;
use wharf_model::{RunId, SessionId, Target, Timestamp};
use wharf_shell::registry::Registry;
use wharf_shell::{Analysis, Reason, Verdict};

/// A decision before a run: may it, and why.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Allow, confirm or deny.
    pub verdict: Verdict,
    /// Every reason, with its place in the command.
    pub reasons: Vec<Reason>,
    /// What the command would do.
    pub analysis: Arc<Analysis>,
    /// The command's text, for the parts of the wire form that quote it.
    pub command: wharf_model::CommandText,
    /// What was known about commands when it was made.
    pub registry: Arc<Registry>,
    /// Where it would run.
    pub target: Target,
    /// What the host says of itself, where it is one.
    pub facts: Option<Arc<Facts>>,
}

/// A decision over a command that is not run.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What it came to.
    pub decision: Decision,
    /// The directory that it was judged in, where one is known.
    pub cwd: Option<String>,
}

/// One stream as an answer carries it.
#[derive(Debug, Clone, Default)]
pub struct Captured {
    /// All of it, or its head.
    pub head: Bytes,
    /// Its tail, where something in the middle is left out.
    pub tail: Bytes,
    /// Bytes written in all.
    pub total: u64,
}

impl Captured {
    /// Bytes left out between head and tail.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        let shown = self.head.len().saturating_add(self.tail.len());
        self.total
            .saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX))
    }
}

/// A run that has been recorded and launched.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its id.
    pub run: RunId,
    /// It is an earlier run, found by its idempotency key.
    pub replayed: bool,
}

/// The answer to a run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its id.
    pub run: RunId,
    /// Where it ran.
    pub target: Target,
    /// The command as asked for, or redacted when it comes from the record.
    pub command: String,
    /// The exit code; none while a background command runs.
    pub exit_code: Option<i32>,
    /// Standard output within the limit.
    pub stdout: Captured,
    /// Standard error within the limit.
    pub stderr: Captured,
    /// From launch to end.
    pub duration: Duration,
    /// The session it ran in.
    pub session: Option<SessionId>,
    /// The directory it started in.
    pub cwd_before: String,
    /// The directory after it.
    pub cwd: Option<PathBuf>,
    /// The first process of a background command.
    pub pid: Option<u32>,
    /// The session's shell was started anew.
    pub restored: bool,
    /// The stored answer to an earlier request.
    pub replayed: bool,
    /// Processes it left running.
    pub survivors: Vec<u32>,
    /// The decision that let it run; absent when the answer comes from the record.
    pub decision: Option<Decision>,
    /// `timeout`, `killed`, …, and a sentence.
    pub error: Option<(&'static str, String)>,
    /// When it started.
    pub started: Timestamp,
}

/// What is known of a run at this moment.
#[derive(Debug, Clone)]
pub struct RunView {
    /// Its id.
    pub run: RunId,
    /// `running`, `done`, `lost`, `refused`.
    pub state: &'static str,
    /// The command, secrets redacted.
    pub command: String,
    /// The session it ran in.
    pub session: Option<SessionId>,
    /// Once it is known.
    pub exit_code: Option<i32>,
    /// While it runs.
    pub pid: Option<u32>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Bytes of standard output until now.
    pub stdout_bytes: u64,
    /// Bytes of standard error until now.
    pub stderr_bytes: u64,
    /// Risk as judged.
    pub risk: Option<String>,
    /// Verdict as decided.
    pub verdict: Option<String>,
    /// The record's number in the audit log.
    pub audit_seq: Option<u64>,
    /// Kind and sentence.
    pub error: Option<(String, String)>,
}

/// A range of a stream.
#[derive(Debug, Clone, Default)]
pub struct OutputChunk {
    /// The bytes from the offset asked for; empty at the end.
    pub bytes: Bytes,
    /// Bytes in the stream until now.
    pub total: u64,
    /// Bytes that were written but not kept (cap or disk); they follow the kept ones.
    pub dropped: u64,
    /// More may come.
    pub running: bool,
}

/// A background process.
#[derive(Debug, Clone)]
pub struct ProcessView {
    /// Its run.
    pub run: RunView,
    /// The process id it was answered under.
    pub pid: u32,
    /// Processes of its tree at present.
    pub processes: Vec<u32>,
    /// The TCP ports on which they listen; none where it was not looked or cannot be told.
    pub ports: Option<Vec<u16>>,
}

/// A server on the same database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerView {
    /// Its id.
    pub id: String,
    /// Where other servers reach it; empty where they cannot.
    pub url: String,
    /// Its version.
    pub version: String,
    /// Whether it has been there in the last half minute.
    pub live: bool,
}

impl ServerView {
    /// Where it can be reached now.
    #[must_use]
    pub fn reachable(&self) -> Option<&str> {
        Some(self.url.as_str()).filter(|url| self.live && !url.is_empty())
    }
}

impl std::fmt::Display for ServerView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, url, live, .. } = self;
        match (url.as_str(), live) {
            ("", true) => write!(f, "{id}, which has no address for other servers"),
            (url, true) => write!(f, "{id} at {url}"),
            ("", false) => write!(f, "{id}, which is not there now"),
            (url, false) => write!(f, "{id} at {url}, which is not there now"),
        }
    }
}

/// A session.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// On which machine.
    pub target: Target,
    /// Where its shell is.
    pub cwd: PathBuf,
    /// The exported environment; secret values are redacted.
    pub env: BTreeMap<String, String>,
    /// Commands until now.
    pub command_count: u64,
    /// What runs in it now, redacted.
    pub active: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Timestamp,
    /// When it ends if nobody uses it.
    pub expires: Timestamp,
    /// What its commands left running.
    pub processes: Vec<ProcessView>,
    /// As the client gave it.
    pub client_info: Option<serde_json::Value>,
    /// The server that its shell lives on, where there may be several.
    pub server: Option<ServerView>,
}

/// One command of a session's past.
#[derive(Debug, Clone)]
pub struct HistoryItem {
    /// The run.
    pub run: RunView,
    /// Seconds it took.
    pub seconds: Option<f64>,
    /// The directory after it.
    pub cwd: Option<String>,
    /// The cursor for the page that begins after this item.
    pub cursor: String,
}

/// A command that may come next.
#[derive(Debug, Clone)]
pub struct SuggestionView {
    /// The command.
    pub command: String,
    /// `history` or `registry`.
    pub source: &'static str,
    /// Why.
    pub reason: String,
    /// Share of past cases in which it came next.
    pub confidence: Option<f64>,
}

/// One line of the audit log, as stored.
#[derive(Debug, Clone)]
pub struct AuditLine {
    /// Its number.
    pub seq: u64,
    /// The JSON line.
    pub json: String,
}
