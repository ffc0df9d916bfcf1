//! The engine: one value that all adapters share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::{Caller, RunId, SessionId};
use wharf_policy::Policy;
use wharf_store::db::Projector;

use crate::approvals::table::Approvals;
use crate::error::Error;
use crate::knowledge::metadata::Format;
use crate::knowledge::{Knowledge, Machine, ToolResult, Wanted};
use crate::measure::Measured;
use crate::options::{Options, Parts};
use crate::quotas::Ledger;
use crate::request::{NewSession, RunRequest, Stream};
use crate::runs::idempotency::Keys;
use crate::runs::start::Asked;
use crate::runs::table::RunTable;
use crate::sessions::table::SessionTable;
use crate::view::{
    AuditLine, Finished, HistoryItem, Judged, OutputChunk, RunView, SessionView, Started,
    SuggestionView,
};
use crate::whole::Whole;
use crate::{
    approvals, files, hosts, housekeeping, judge, knowledge, policies, record, runs, sessions,
    shared,
};

/// From asking runs to end at a stop to giving up on them, on top of their own grace.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// What all use cases share.
pub(crate) struct Inner {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    pub(crate) runs: RunTable,
    pub(crate) sessions: SessionTable,
    pub(crate) approvals: Approvals,
    /// What everybody has used of what they may.
    pub(crate) quotas: Ledger,
    pub(crate) hosts: hosts::table::HostTable,
    pub(crate) manual: knowledge::Remembered,
    pub(crate) pasts: knowledge::Pasts,
    policy: RwLock<Arc<Policy>>,
    pub(crate) keys: Keys,
    pub(crate) shared: shared::Shared,
    /// Ends of runs that the record did not take yet.
    pub(crate) unclosed: record::Unclosed,
    pub(crate) places: Arc<Semaphore>,
    /// Places for what runs on after its answer.
    pub(crate) background: Arc<Semaphore>,
    /// Places for what takes a thread for long: counting files, reading long outputs.
    pub(crate) heavy: Arc<Semaphore>,
    /// Places for files that are read and written.
    pub(crate) transfers: Arc<Semaphore>,
    pub(crate) queued: AtomicUsize,
    pub(crate) followed: Mutex<housekeeping::Followed>,
    pub(crate) projector: tokio::sync::Mutex<Projector>,
    pub(crate) tasks: TaskTracker,
    /// No new runs.
    pub(crate) stopping: CancellationToken,
    /// Running ones shall end now.
    pub(crate) cancelled: CancellationToken,
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
pub struct Elsewhere {
    /// The home directory.
    pub home: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// The root of the working tree.
    pub workspace_root: Option<String>,
    /// The branch that is checked out.
    pub git_branch: Option<String>,
}

/// What is going on at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gauges {
    /// Runs that go on, background ones too.
    pub running: usize,
    /// Runs that wait for a place.
    pub queued: usize,
    /// Background runs that go on.
    pub background: usize,
    /// Living sessions.
    pub sessions: usize,
    /// The latest entry of the record.
    pub audit_seq: u64,
    /// Bytes of kept output.
    pub journal_bytes: u64,
}

impl Engine {
    /// Opens the record, closes runs that an earlier process left open, restores sessions.
    ///
    /// # Errors
    /// When the record or the database cannot be used.
    pub async fn open(mut parts: Parts, options: Options) -> Result<Self, Error> {
        let policy = Arc::new(std::mem::replace(&mut parts.policy, Policy::builtin()));
        policies::warn_of(&policy);
        // Rules and registry are read at their first use, which shall not be a caller's.
        let _warm = wharf_shell::analyze("", &wharf_shell::Context::default());
        let projector = Projector::open(&parts.database, &parts.audit_directory)
            .await
            .map_err(Error::from_database)?;
        let quotas = Ledger::new(options.quotas);
        let inner = Arc::new(Inner {
            hosts: hosts::table::HostTable::open(&parts.database).await?,
            places: Arc::new(Semaphore::new(options.limits.concurrent_runs)),
            background: Arc::new(Semaphore::new(options.limits.background_runs)),
            heavy: Arc::new(Semaphore::new(knowledge::AT_ONCE)),
            transfers: Arc::new(Semaphore::new(files::MAX_TRANSFERS)),
            unclosed: record::Unclosed::default(),
            followed: Mutex::default(),
            projector: tokio::sync::Mutex::new(projector),
            parts,
            options,
            runs: RunTable::default(),
            sessions: SessionTable::default(),
            approvals: Approvals::default(),
            quotas,
            manual: knowledge::Remembered::default(),
            pasts: knowledge::Pasts::default(),
            policy: RwLock::new(policy),
            keys: Keys::default(),
            shared: shared::Shared::default(),
            queued: AtomicUsize::new(0),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            cancelled: CancellationToken::new(),
        });
        inner.catch_up().await?;
        runs::idempotency::settle_open(&inner).await?;
        inner.close_lost_runs().await?;
        inner.quotas.load(&inner).await;
        approvals::keep::restore(&inner).await?;
        sessions::restore::all(&inner).await?;
        housekeeping::start(&inner);
        shared::start(&inner).await?;
        Ok(Self { inner })
    }

    /// Analyses, decides, records and launches. Dropping the future while it waits in a queue
    /// leaves the queue; afterwards neither that nor dropping the answer ends anything.
    ///
    /// # Errors
    /// When the run was refused or could not be started or recorded.
    pub async fn start(&self, caller: &Caller, request: RunRequest) -> Result<Started, Error> {
        Ok(
            match runs::start::start(&self.inner, caller, request).await? {
                Asked::New(begun) => Started {
                    run: begun.run.id.clone(),
                    replayed: false,
                },
                Asked::Earlier(found) => Started {
                    run: found.id(),
                    replayed: true,
                },
            },
        )
    }

    /// [`Engine::start`], then the end; a background run is answered as soon as it is launched.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn run(&self, caller: &Caller, request: RunRequest) -> Result<Finished, Error> {
        let limit = request.output_limit;
        match runs::start::start(&self.inner, caller, request).await? {
            Asked::New(begun) => runs::answer::when_ready(&begun.answerable().await, limit).await,
            Asked::Earlier(found) => {
                let mut finished = runs::answer::of(&self.inner, &found, limit).await?;
                finished.replayed = true;
                Ok(finished)
            }
        }
    }

    /// The answer to a run: waits for its end unless it is a background run.
    ///
    /// # Errors
    /// When there is no such run of this caller's, or its output cannot be read.
    pub async fn finished(
        &self,
        caller: &Caller,
        run: &RunId,
        output_limit: usize,
    ) -> Result<Finished, Error> {
        let found = self.inner.find_run(caller, run).await?;
        runs::answer::of(&self.inner, &found, output_limit).await
    }

    /// What is known of a run at this moment.
    ///
    /// # Errors
    /// When there is no such run of this caller's.
    pub async fn view(&self, caller: &Caller, run: &RunId) -> Result<RunView, Error> {
        Ok(self.inner.seen_run(caller, run).await?.view())
    }

    /// The caller's latest runs, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recent(&self, caller: &Caller, limit: usize) -> Result<Vec<RunView>, Error> {
        runs::read::recent(&self.inner, caller, limit).await
    }

    /// A range of what a run wrote, while it runs and afterwards.
    ///
    /// # Errors
    /// When there is no such run of this caller's, or its output cannot be read.
    pub async fn output(
        &self,
        caller: &Caller,
        run: &RunId,
        stream: Stream,
        offset: u64,
        limit: usize,
    ) -> Result<OutputChunk, Error> {
        let run = self.inner.find_run(caller, run).await?;
        runs::read::range(&self.inner, &run, stream, offset, limit)
    }

    /// Waits until the run has more output than these totals, or has ended, or the time is up.
    /// True when no more output will come.
    ///
    /// # Errors
    /// When there is no such run of this caller's.
    pub async fn output_changed(
        &self,
        caller: &Caller,
        run: &RunId,
        stdout: u64,
        stderr: u64,
        at_most: Duration,
    ) -> Result<bool, Error> {
        let run = self.inner.find_run(caller, run).await?;
        Ok(runs::read::changed(&run, stdout, stderr, at_most).await)
    }

    /// The last lines of a stream.
    ///
    /// # Errors
    /// When there is no such run of this caller's, or its output cannot be read.
    pub async fn tail(
        &self,
        caller: &Caller,
        run: &RunId,
        stream: Stream,
        lines: usize,
    ) -> Result<OutputChunk, Error> {
        let run = self.inner.find_run(caller, run).await?;
        runs::read::tail(&self.inner, &run, stream, lines)
    }

    /// Ends a run and its whole process tree. Ok when it had ended already.
    ///
    /// # Errors
    /// When there is no such run of this caller's.
    pub async fn cancel(&self, caller: &Caller, run: &RunId) -> Result<RunView, Error> {
        let found = self.inner.find_run(caller, run).await?;
        if let runs::start::Found::Here(run) = &found {
            run.cancel().await;
        }
        Ok(found.view())
    }

    /// Makes a session, or finds the caller's living one of that name. True: made.
    ///
    /// # Errors
    /// When the request is wrong, there are too many, or no shell can be started.
    pub async fn create_session(
        &self,
        caller: &Caller,
        new: NewSession,
    ) -> Result<(SessionId, bool), Error> {
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        self.whole(async move { sessions::create::create(&inner, &caller, new).await })
            .await
    }

    /// One session.
    ///
    /// # Errors
    /// When there is no such session of this caller's.
    pub async fn session(&self, caller: &Caller, id: &SessionId) -> Result<SessionView, Error> {
        let session = self.inner.session_here(caller, id).await?;
        sessions::view::of(&self.inner, &session, true).await
    }

    /// The caller's sessions on all servers, last used first.
    ///
    /// # Errors
    /// When the database does not answer, where there may be other servers.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, Error> {
        sessions::view::all(&self.inner, caller).await
    }

    /// Ends a session and everything in it. Its history stays.
    ///
    /// # Errors
    /// When there is no such session of this caller's.
    pub async fn delete_session(&self, caller: &Caller, id: &SessionId) -> Result<(), Error> {
        let session = self.inner.session_here(caller, id).await?;
        let inner = Arc::clone(&self.inner);
        self.whole(async move { sessions::end::end(&inner, &session, "deleted").await })
            .await
    }

    /// A session's commands, newest first, at most `limit`, older than the cursor `before`.
    ///
    /// # Errors
    /// When there is no such session of this caller's, or the cursor is none of ours.
    pub async fn history(
        &self,
        caller: &Caller,
        id: &SessionId,
        limit: usize,
        before: Option<&str>,
    ) -> Result<Vec<HistoryItem>, Error> {
        sessions::history::page(&self.inner, caller, id, limit, before).await
    }

    /// Commands that may come next in a session, best first.
    ///
    /// # Errors
    /// When there is no such session of this caller's.
    pub async fn suggestions(
        &self,
        caller: &Caller,
        id: &SessionId,
    ) -> Result<Vec<SuggestionView>, Error> {
        sessions::suggestions::next(&self.inner, caller, id).await
    }

    /// Judges without running anything.
    ///
    /// # Errors
    /// When the session that is named is not there.
    pub async fn analyze(
        &self,
        caller: &Caller,
        command: &wharf_model::CommandText,
        around: &Surroundings,
    ) -> Result<Judged, Error> {
        judge::elsewhere(&self.inner, caller, command, around).await
    }

    /// What is known of a run that has been answered, as far as it is wanted.
    ///
    /// # Errors
    /// When its output cannot be read.
    pub async fn knowledge(
        &self,
        caller: &Caller,
        finished: &Finished,
        wanted: Wanted,
        machine: &Machine,
    ) -> Result<Knowledge, Error> {
        knowledge::of_finished(&self.inner, caller, finished, wanted, machine).await
    }

    /// What is known of a run at this moment.
    ///
    /// # Errors
    /// When there is no such run of this caller's, or its output cannot be read.
    pub async fn knowledge_of_run(
        &self,
        caller: &Caller,
        run: &RunId,
        wanted: Wanted,
        machine: &Machine,
    ) -> Result<Knowledge, Error> {
        knowledge::of_run(&self.inner, caller, run, wanted, machine).await
    }

    /// What a result from elsewhere says; nothing is run.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn tool_result(
        &self,
        caller: &Caller,
        result: ToolResult,
        wanted: Wanted,
        machine: &Machine,
    ) -> Result<Knowledge, Error> {
        knowledge::of_tool_result(&self.inner, caller, result, wanted, machine).await
    }

    /// What is known of a command before it runs. Judged as if `elsewhere`, nothing of this
    /// machine and of the caller's past is looked at.
    pub async fn foresee(
        &self,
        caller: &Caller,
        judged: &Judged,
        elsewhere: bool,
        format: Option<Format>,
        machine: &Machine,
    ) -> Knowledge {
        knowledge::foresee(&self.inner, caller, judged, !elsewhere, format, machine).await
    }

    /// Counts what a judged command would delete, move or change on this machine, read-only;
    /// none when it does none of it.
    ///
    /// # Errors
    /// When too much is being counted already.
    pub async fn measure(&self, judged: &Judged) -> Result<Option<Measured>, Error> {
        let Some(cwd) = &judged.cwd else {
            return Ok(None);
        };
        knowledge::measured(&self.inner, &judged.decision.command, cwd).await
    }

    /// The latest `n` lines of the record.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn audit_tail(&self, n: usize) -> Result<Vec<AuditLine>, Error> {
        let records = wharf_store::audit::tail(&self.inner.parts.audit_directory, n)
            .map_err(|error| Error::internal("reading the record", error))?;
        let line = |record: &wharf_store::audit::Record| AuditLine {
            seq: record.head().seq,
            json: record.json().to_owned(),
        };
        Ok(records.iter().map(line).collect())
    }

    /// Refuses new runs, lets running ones finish within `patience`, then ends them; closes all.
    pub async fn shutdown(&self, patience: Duration) {
        let inner = &self.inner;
        inner.stopping.cancel();
        inner.tasks.close();
        let foreground = async {
            while inner.runs.foreground() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _out_of_patience = tokio::time::timeout(patience, foreground).await;
        inner.cancelled.cancel();
        let last = inner.options.limits.grace + LAST_PATIENCE;
        if tokio::time::timeout(last, inner.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(target: "system", "some runs did not end in time");
        }
        sessions::end::park_all(inner).await;
        record::close_late(inner, true);
        if let Err(error) = inner.catch_up().await {
            tracing::warn!(target: "system", %error, "the database is behind the record; it catches up at the next start");
        }
        shared::leave(inner).await;
        inner.parts.database.close().await;
    }

    /// Does something to its end, whether or not whoever asked stays to hear of it.
    pub(crate) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        Whole::new(&self.inner.tasks, work).await
    }

    /// Why nothing can be run any more, in words; none while all is well.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.inner.parts.executor.fault()
    }

    /// Who may run what from now on.
    pub fn set_policy(&self, policy: Policy) {
        policies::warn_of(&policy);
        let mut current = self
            .inner
            .policy
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(policy);
    }

    /// Who may run what.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.inner.policy()
    }

    pub(crate) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// Numbers for metrics and doctor.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let inner = &self.inner;
        let (running, background) = inner.runs.counts();
        Gauges {
            running,
            queued: inner.queued.load(Ordering::Relaxed),
            background,
            sessions: inner.sessions.len(),
            audit_seq: inner.parts.audit.head().seq,
            journal_bytes: inner.parts.journal.bytes(),
        }
    }
}

impl Inner {
    /// Who may run what.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&policy)
    }
}
