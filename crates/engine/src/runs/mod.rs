//! Runs: one command's life.
//!
//! [`start`] is the one straight path: analysed, decided, recorded, launched. [`supervise`] stays
//! with it until its end, [`answer`] and [`read`] tell of it.

pub(crate) mod answer;
pub(crate) mod ground;
pub(crate) mod idempotency;
pub(crate) mod kept;
pub(crate) mod locks;
pub(crate) mod privilege;
pub(crate) mod read;
pub(crate) mod ready;
pub(crate) mod start;
pub(crate) mod supervise;
pub(crate) mod table;

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wharf_exec::Tree;
use wharf_exec::journal::RunOutput;
use wharf_model::{Caller, RunId, SessionId, Timestamp};

use crate::quotas::{Charge, Spent};
use crate::view::{Decision, RunView};

/// A run that goes on, or has just ended.
pub(crate) struct Run {
    about: About,
    pub(crate) since: Instant,
    /// The first process, 0 while it is not known.
    pid: AtomicU32,
    tree: Mutex<Option<Arc<dyn Tree>>>,
    /// As what it is counted against what its caller may use.
    charge: Mutex<Option<Charge>>,
    /// The way on which its sudo asks for a password.
    way: Mutex<Option<ready::Way>>,
    phase: watch::Sender<Phase>,
    /// It goes on when the server stops, and is taken up again at the next start.
    kept: AtomicBool,
    /// Nothing of it runs any more and its output is complete.
    over: AtomicBool,
}

/// What is known of a run from its start and does not change.
pub(crate) struct About {
    pub(crate) id: RunId,
    pub(crate) caller: Caller,
    pub(crate) session: Option<SessionId>,
    pub(crate) decision: Decision,
    pub(crate) redacted: String,
    pub(crate) background: bool,
    pub(crate) started: Timestamp,
    pub(crate) seq: u64,
    pub(crate) output: Arc<RunOutput>,
    /// Where it started.
    pub(crate) cwd: String,
    /// Somebody wants it to end.
    pub(crate) cancel: CancellationToken,
}

/// A run is what is known of it, and how far it is.
impl Deref for Run {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

/// How far a run is.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// It is being started, or somebody waits for its end.
    Running,
    /// A background run that is there: it can be answered.
    Launched,
    Ended(Arc<End>),
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    pub(crate) exit_code: Option<i32>,
    pub(crate) error: Option<(&'static str, String)>,
    pub(crate) cwd: Option<std::path::PathBuf>,
    pub(crate) restored: bool,
    pub(crate) survivors: Vec<u32>,
    pub(crate) duration: Duration,
    pub(crate) at: Option<Timestamp>,
}

impl Run {
    pub(crate) fn new(about: About, charge: Option<Charge>) -> Arc<Self> {
        Arc::new(Self {
            about,
            since: Instant::now(),
            pid: AtomicU32::new(0),
            tree: Mutex::new(None),
            charge: Mutex::new(charge),
            way: Mutex::new(None),
            phase: watch::Sender::new(Phase::Running),
            kept: AtomicBool::new(false),
            over: AtomicBool::new(false),
        })
    }

    /// Whether it is this caller's, and within the reach of their token.
    pub(crate) fn is_for(&self, caller: &Caller) -> bool {
        self.caller == *caller && caller.reaches(self.session.as_ref())
    }

    /// What it has written by now counts.
    pub(crate) fn count_written(&self) {
        if let Some(charge) = self.charge().as_mut() {
            let totals = self.output.totals();
            charge.written(totals.stdout.saturating_add(totals.stderr));
        }
    }

    /// What it came to counts.
    pub(crate) fn count(&self, now: Timestamp, spent: Spent) {
        if let Some(charge) = self.charge().as_mut() {
            charge.close(now, spent);
        }
    }

    fn charge(&self) -> MutexGuard<'_, Option<Charge>> {
        self.charge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who to signal from now on, and the first process where it is known.
    pub(crate) fn attach(&self, tree: Arc<dyn Tree>, pid: Option<u32>) {
        *self.tree.lock().unwrap_or_else(PoisonError::into_inner) = Some(tree);
        if let Some(pid) = pid {
            self.pid.store(pid, Ordering::Relaxed);
        }
    }

    pub(crate) fn tree(&self) -> Option<Arc<dyn Tree>> {
        self.tree
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps the way to a password as long as something of the run may ask.
    pub(crate) fn set_way(&self, way: ready::Way) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = Some(way);
    }

    pub(crate) fn way(&self) -> Option<ready::Way> {
        self.way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The process id that answers and lists name it by.
    pub(crate) fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    pub(crate) fn signal(&self, signal: i32) {
        if let (false, Some(tree)) = (self.is_over(), self.tree()) {
            tree.signal(signal);
        }
    }

    pub(crate) fn ended(&self, end: End) {
        self.phase.send_replace(Phase::Ended(Arc::new(end)));
    }

    pub(crate) fn end(&self) -> Option<Arc<End>> {
        match &*self.phase.borrow() {
            Phase::Running | Phase::Launched => None,
            Phase::Ended(end) => Some(Arc::clone(end)),
        }
    }

    /// A background run is there: it can be answered.
    pub(crate) fn launched(&self) {
        self.phase.send_replace(Phase::Launched);
    }

    /// Waits until it can be answered: until its end, or, in the background, until it is there.
    pub(crate) async fn await_answerable(&self) -> Option<Arc<End>> {
        if !self.background {
            return Some(self.await_end().await);
        }
        let mut phase = self.phase.subscribe();
        let there = phase
            .wait_for(|phase| !matches!(phase, Phase::Running))
            .await;
        match there.as_deref() {
            Ok(Phase::Ended(end)) => Some(Arc::clone(end)),
            _ => None,
        }
    }

    /// Waits for its end.
    pub(crate) async fn await_end(&self) -> Arc<End> {
        let mut phase = self.phase.subscribe();
        loop {
            if let Phase::Ended(end) = &*phase.borrow_and_update() {
                return Arc::clone(end);
            }
            if phase.changed().await.is_err() {
                return Arc::new(End::default());
            }
        }
    }

    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn set_over(&self) {
        drop(self.charge().take());
        self.tree
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.over.store(true, Ordering::Release);
        // Nothing changes in it, but whoever waits for the end of all looks again.
        self.phase.send_modify(|_| {});
    }

    /// Somebody wants it to end; see [`supervise`].
    pub(crate) fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Ends it and its tree, and waits until both are gone.
    pub(crate) async fn cancel(&self) {
        let mut phase = self.phase.subscribe();
        self.cancel.cancel();
        while !self.is_over() {
            if phase.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn view(&self) -> RunView {
        let totals = self.output.totals();
        let end = self.end();
        let over = self.is_over();
        RunView {
            run: self.id.clone(),
            state: if end.is_some() { "done" } else { "running" },
            command: self.redacted.clone(),
            session: self.session.clone(),
            exit_code: end.as_ref().and_then(|end| end.exit_code),
            pid: self.pid().filter(|_| !over),
            started: self.started,
            ended: end.as_ref().and_then(|end| end.at),
            stdout_bytes: totals.stdout,
            stderr_bytes: totals.stderr,
            risk: Some(crate::record::word(&self.decision.analysis.risk)),
            verdict: Some(crate::record::word(&self.decision.verdict)),
            audit_seq: Some(self.seq),
            error: end.and_then(|end| {
                end.error
                    .as_ref()
                    .map(|(kind, text)| ((*kind).to_owned(), text.clone()))
            }),
        }
    }
}
