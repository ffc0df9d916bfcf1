//! The engine: one value that all adapters share.

use std::sync::Arc;
use std::time::Duration;

use wharf_model::{Caller, RunId, SessionId};
use wharf_shell::Analysis;

use crate::error::Error;
use crate::options::{Options, Parts};
use crate::request::{NewSession, ProcessSelector, RunRequest, Stream};
use crate::view::{
    AuditLine, Decision, Finished, HistoryItem, OutputChunk, ProcessView, RunView, SessionView,
    Started, SuggestionView,
};

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    _inner: Arc<()>,
}

/// Where `analyze` judges.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The directory it would run in.
    pub cwd: Option<String>,
    /// The session it would run in.
    pub session: Option<SessionId>,
    /// Judge as if elsewhere: nothing of this machine is looked at then.
    pub elsewhere: Option<Elsewhere>,
}

/// Another machine's circumstances.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Elsewhere {
    pub home: Option<String>,
    pub user: Option<String>,
    pub workspace_root: Option<String>,
    pub git_branch: Option<String>,
}

#[expect(clippy::unused_async, reason = "signatures first")]
#[expect(unused_variables, missing_docs, reason = "signatures first")]
impl Engine {
    /// Opens the record, closes runs that an earlier process left open, restores sessions.
    pub async fn open(parts: Parts, options: Options) -> Result<Self, Error> {
        Ok(Self { _inner: Arc::new(()) })
    }
    /// Analyses, decides, records and launches. Dropping the future or the answer ends nothing.
    pub async fn start(&self, caller: &Caller, request: RunRequest) -> Result<Started, Error> {
        Err(Error::Stopping)
    }
    /// `start`, then waits for the end (a background run: until it is launched).
    pub async fn run(&self, caller: &Caller, request: RunRequest) -> Result<Finished, Error> {
        Err(Error::Stopping)
    }
    /// The answer to a run: waits until it has ended unless it is a background run.
    pub async fn finished(&self, caller: &Caller, run: &RunId, output_limit: usize) -> Result<Finished, Error> {
        Err(Error::Stopping)
    }
    pub async fn view(&self, caller: &Caller, run: &RunId) -> Result<RunView, Error> {
        Err(Error::Stopping)
    }
    pub async fn recent(&self, caller: &Caller, limit: usize) -> Result<Vec<RunView>, Error> {
        Err(Error::Stopping)
    }
    /// A range of what a run wrote, while it runs and afterwards.
    pub async fn output(&self, caller: &Caller, run: &RunId, stream: Stream, offset: u64, limit: usize) -> Result<OutputChunk, Error> {
        Err(Error::Stopping)
    }
    /// Waits until the run has more output than these totals, or has ended, or the time is up.
    /// True: has ended (and for background runs: all output is in).
    pub async fn output_changed(&self, caller: &Caller, run: &RunId, stdout: u64, stderr: u64, at_most: Duration) -> Result<bool, Error> {
        Err(Error::Stopping)
    }
    /// The last lines of a stream.
    pub async fn tail(&self, caller: &Caller, run: &RunId, stream: Stream, lines: usize) -> Result<OutputChunk, Error> {
        Err(Error::Stopping)
    }
    /// Ends a run and its whole process tree. Ok when it had ended already.
    pub async fn cancel(&self, caller: &Caller, run: &RunId) -> Result<RunView, Error> {
        Err(Error::Stopping)
    }
    pub async fn create_session(&self, caller: &Caller, new: NewSession) -> Result<(SessionId, bool), Error> {
        Err(Error::Stopping)
    }
    pub async fn session(&self, caller: &Caller, id: &SessionId) -> Result<SessionView, Error> {
        Err(Error::Stopping)
    }
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, Error> {
        Err(Error::Stopping)
    }
    pub async fn delete_session(&self, caller: &Caller, id: &SessionId) -> Result<(), Error> {
        Err(Error::Stopping)
    }
    /// Newest first, at most `limit`, older than the cursor `before`.
    pub async fn history(&self, caller: &Caller, id: &SessionId, limit: usize, before: Option<&str>) -> Result<Vec<HistoryItem>, Error> {
        Err(Error::Stopping)
    }
    pub async fn suggestions(&self, caller: &Caller, id: &SessionId) -> Result<Vec<SuggestionView>, Error> {
        Err(Error::Stopping)
    }
    /// Background processes, of one session when given.
    pub async fn processes(&self, caller: &Caller, session: Option<&SessionId>) -> Result<Vec<ProcessView>, Error> {
        Err(Error::Stopping)
    }
    pub async fn process(&self, caller: &Caller, which: &ProcessSelector) -> Result<ProcessView, Error> {
        Err(Error::Stopping)
    }
    /// Sends a signal to the process group.
    pub async fn signal(&self, caller: &Caller, which: &ProcessSelector, signal: i32) -> Result<ProcessView, Error> {
        Err(Error::Stopping)
    }
    /// Judges without running anything.
    pub async fn analyze(&self, caller: &Caller, command: &wharf_model::CommandText, around: &Surroundings) -> Result<Decision, Error> {
        Err(Error::Stopping)
    }
    /// The latest `n` lines of the audit log (everything: the local caller is its owner).
    pub async fn audit_tail(&self, n: usize) -> Result<Vec<AuditLine>, Error> {
        Err(Error::Stopping)
    }
    /// Refuses new runs, lets running ones finish within `patience`, then ends them; closes all.
    pub async fn shutdown(&self, patience: Duration) {}
    /// Numbers for /metrics and doctor: running, queued, sessions, …
    pub fn gauges(&self) -> Gauges {
        Gauges::default()
    }
}

/// What is going on at this moment.
#[derive(Debug, Clone, Copy, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Gauges {
    pub running: usize,
    pub queued: usize,
    pub background: usize,
    pub sessions: usize,
    pub audit_seq: u64,
    pub journal_bytes: u64,
}

fn _unused(_: &Analysis) {}
