//! Staying with a run until its end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wharf_exec::journal::Stream;
use wharf_exec::{Exit, LaunchError, Process, Tree};

use super::{End, Run, locks, privilege};
use crate::engine::Inner;
use crate::quotas::Spent;
use crate::record::{self, Closing, Receipt};
use crate::runs::start::as_result;
use crate::sessions::state::{Change, Session};

/// After this long, output that is still in memory goes to disk, so that a crash does not lose it.
const PERSIST_AFTER: Duration = Duration::from_secs(1);
/// From killing a tree to giving up on seeing its end.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// Answers a run whose supervision ends without having done so, which only a fault of ours can
/// cause. Its record stays open, and the next start closes it as lost.
pub(crate) struct Answered {
    inner: Arc<Inner>,
    run: Arc<Run>,
    session: Option<Arc<Session>>,
}

impl Answered {
    pub(crate) fn new(watch: &Supervised, session: Option<&Arc<Session>>) -> Self {
        Self {
            inner: Arc::clone(&watch.inner),
            run: Arc::clone(&watch.run),
            session: session.cloned(),
        }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        if self.run.end().is_some() {
            return;
        }
        tracing::error!(target: "system", run = %self.run.id, "the supervision of a run has failed");
        if let Some(session) = &self.session {
            session.ends(self.inner.parts.clock.now(), Change::default());
        }
        self.run.ended(End {
            exit_code: Some(FAILED_CODE),
            error: Some(("failed", "the server failed while it ran".to_owned())),
            ..End::default()
        });
        self.run.output.finish();
        self.inner.runs.over(&self.run);
    }
}

/// The code of a run that we failed.
const FAILED_CODE: i32 = 125;

/// What it takes to see a run to its end.
pub(crate) struct Supervised {
    pub(crate) inner: Arc<Inner>,
    pub(crate) run: Arc<Run>,
    pub(crate) receipt: Receipt,
    pub(crate) limit: Option<Duration>,
}

/// Why a run was ended before it ended itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Timeout(Duration),
    Cancelled,
    Stopping,
}

impl Why {
    /// Kind and sentence for the answer.
    pub(crate) fn explain(self, interactive: bool) -> (&'static str, String) {
        match self {
            Self::Timeout(limit) if interactive => (
                "needs_input",
                format!(
                    "ended after {} s: it is an interactive program and there is no terminal here",
                    limit.as_secs_f64()
                ),
            ),
            Self::Timeout(limit) => (
                "timeout",
                format!("ended after {} s, its time limit", limit.as_secs_f64()),
            ),
            Self::Cancelled => ("killed", "ended on request".to_owned()),
            Self::Stopping => ("killed", "ended because the server stops".to_owned()),
        }
    }
}

/// The code of a run that ran out of time, as `timeout(1)` has it.
pub(crate) const TIMEOUT_CODE: i32 = 124;

/// How far the ending of a tree is.
enum Ending {
    /// It goes on.
    Not,
    /// It was asked to end; at this moment it is made to.
    Asked(Instant),
    /// It was killed; at this moment it is given up.
    Killed(Instant),
}

/// How a wait for a command's end came out.
pub(crate) enum Ended<T> {
    With(T),
    /// It was killed and is still there, because the system holds it: a process in the middle of a
    /// call to a disk or network that does not answer cannot be ended by anybody.
    Held,
    /// The server stops, and it goes on without.
    Left,
}

/// Drives `end` to completion. When the time is up, or somebody wants that, the tree is ended:
/// TERM, after the grace KILL, and after [`KILL_PATIENCE`] nobody waits for it any more.
pub(crate) async fn until_end<T>(
    watch: &Supervised,
    tree: &Arc<dyn Tree>,
    end: impl Future<Output = T>,
) -> (Ended<T>, Option<Why>) {
    let Supervised {
        inner, run, limit, ..
    } = watch;
    let mut end = std::pin::pin!(end);
    let begin = Instant::now();
    let deadline = limit.map(|limit| begin + limit);
    let mut persist = Some(begin + PERSIST_AFTER);
    let (mut why, mut ending) = (None, Ending::Not);
    loop {
        let next = match ending {
            Ending::Not => deadline,
            Ending::Asked(at) | Ending::Killed(at) => Some(at),
        };
        let wake = [persist, next].into_iter().flatten().min();
        let reason = tokio::select! {
            biased;
            value = &mut end => return (Ended::With(value), why),
            () = run.cancellation().cancelled(), if why.is_none() => {
                let stops = inner.cancelled.is_cancelled();
                if stops && run.is_kept() {
                    return (Ended::Left, why);
                }
                Some(if stops { Why::Stopping } else { Why::Cancelled })
            }
            () = sleep_until(wake), if wake.is_some() => {
                let now = Instant::now();
                if persist.is_some_and(|at| at <= now) {
                    persist = None;
                    run.output.persist();
                }
                match ending {
                    Ending::Asked(at) if at <= now => {
                        ending = Ending::Killed(now + KILL_PATIENCE);
                        kill_apart(tree);
                    }
                    Ending::Killed(at) if at <= now => {
                        tracing::warn!(target: "command", run = %run.id, "a command that was killed does not end");
                        return (Ended::Held, why);
                    }
                    Ending::Not | Ending::Asked(_) | Ending::Killed(_) => {}
                }
                limit.filter(|_| why.is_none() && deadline.is_some_and(|at| at <= now))
                    .map(Why::Timeout)
            }
        };
        if reason.is_some() {
            why = reason;
            end_apart(tree);
            ending = Ending::Asked(Instant::now() + inner.options.limits.grace);
        }
    }
}

/// A command of its own, from its launch to the end of its last process.
pub(crate) async fn process(
    watch: Supervised,
    mut process: Box<dyn Process>,
    place: OwnedSemaphorePermit,
) {
    let _answered = Answered::new(&watch, None);
    let tree = process.tree();
    let (result, why) = until_end(&watch, &tree, process.wait()).await;
    let exit = match result {
        Ended::With(Ok(exit)) => exit,
        Ended::With(Err(error)) => return not_started(watch, &error).await,
        Ended::Held => return held(watch, process, why).await,
        Ended::Left => return left(watch),
    };

    let Supervised {
        inner,
        run,
        mut receipt,
        ..
    } = watch;
    let (mut stragglers, kept) = match process {
        process if exit.goes_on => (Some(process), None),
        process => (None, run.is_kept().then_some(process)),
    };
    if why.is_some()
        && let Some(process) = stragglers.take()
    {
        // The whole tree was to end, not only its first process.
        kill_apart(&tree);
        let _gave_up = tokio::time::timeout(KILL_PATIENCE, process.outlive()).await;
    }
    let mut end = end_of(&run, &exit, why, stragglers.is_some());
    let behind = (stragglers.is_some() && !run.background)
        .then(|| place_behind(&inner, &run, &mut end))
        .flatten();
    close(&inner, &run, &mut receipt, end, stragglers.is_some()).await;
    // A background command keeps its own place until all of it is over.
    let _place = if run.background {
        Some(place)
    } else {
        drop(place);
        behind
    };
    if let Some(process) = stragglers {
        run.attach(Arc::clone(&tree), exit.survivors.first().copied());
        stragglers_end(&inner, &run, &tree, process.outlive()).await;
        run.output.finish();
    }
    inner.runs.over(&run);
    if let Some(mut process) = kept {
        process.settle().await;
    }
}

/// The server stops and the command goes on without it. Its record stays open, and the next start
/// takes it up again.
pub(crate) fn left(watch: Supervised) {
    let Supervised { inner, run, .. } = watch;
    run.ended(End {
        error: Some(("left", LEFT.to_owned())),
        ..End::default()
    });
    run.output.finish();
    inner.runs.over(&run);
}

/// A place for what a command in the foreground leaves running. Where there is none, it is ended
/// as if somebody had asked for that, and the answer says so.
pub(crate) fn place_behind(
    inner: &Inner,
    run: &Run,
    end: &mut End,
) -> Option<OwnedSemaphorePermit> {
    let place = Arc::clone(&inner.background).try_acquire_owned().ok();
    if place.is_none() {
        run.cancellation().cancel();
        let limit = inner.options.limits.background_runs;
        end.error.get_or_insert_with(|| {
            let text = format!(
                "what it left running was ended, because {limit} background commands run already"
            );
            ("background_full", text)
        });
    }
    place
}

/// Answers a run that was killed and does not end. What is left of it ends when the system lets
/// go of it.
async fn held(watch: Supervised, process: Box<dyn Process>, why: Option<Why>) {
    let Supervised {
        inner,
        run,
        mut receipt,
        ..
    } = watch;
    drop(process);
    let end = End {
        exit_code: Some(held_code(why)),
        error: why.map(|why| held_error(&run, why)),
        ..End::default()
    };
    close(&inner, &run, &mut receipt, end, false).await;
    inner.runs.over(&run);
}

/// The code of a command that was killed and does not end.
pub(crate) fn held_code(why: Option<Why>) -> i32 {
    match why {
        Some(Why::Timeout(_)) => TIMEOUT_CODE,
        _ => KILLED_CODE,
    }
}

/// What is said of it.
pub(crate) fn held_error(run: &Run, why: Why) -> (&'static str, String) {
    let (kind, text) = why.explain(run.decision.analysis.interactive);
    if !run.decision.target.is_local() {
        let text = format!(
            "{text}; the host could not be told so in time, and the command may go on there"
        );
        return ("lost", text);
    }
    let text = format!(
        "{text}; it was killed, but the system holds a process of it that ends only when the \
         disk, network or debugger it waits for lets go"
    );
    (kind, text)
}

/// The code of a command whose host could not be reached.
const UNREACHED_CODE: i32 = 255;

/// Nothing was started: the answer is what a shell would have said.
pub(crate) async fn not_started(watch: Supervised, error: &LaunchError) {
    let (mut code, mut kind, text) = as_result(error);
    let theirs = matches!(error, LaunchError::System(_) | LaunchError::TooSlow { .. });
    if theirs && !watch.run.decision.target.is_local() {
        (code, kind) = (UNREACHED_CODE, "connection_failed");
    }
    never_ran(watch, code, kind, text).await;
}

/// Nothing was started; `text` says why, also on standard error.
pub(crate) async fn never_ran(watch: Supervised, code: i32, kind: &'static str, text: String) {
    let Supervised {
        inner,
        run,
        mut receipt,
        ..
    } = watch;
    run.output
        .append(Stream::Stderr, format!("{text}\n").as_bytes());
    let end = End {
        exit_code: Some(code),
        error: Some((kind, text)),
        ..End::default()
    };
    close(&inner, &run, &mut receipt, end, false).await;
    inner.runs.over(&run);
}

/// Closes the record, then gives the answer free: what was acknowledged is on record.
pub(crate) async fn close(
    inner: &Inner,
    run: &Run,
    receipt: &mut Receipt,
    mut end: End,
    goes_on: bool,
) {
    let summary = if goes_on {
        run.output.interim()
    } else {
        run.output.finish()
    };
    if end.error.is_none() {
        let sudo = privilege::explain(inner, run, &end).await;
        end.error = sudo.or_else(|| locks::explain(run, &end));
    }
    end.duration = run.since.elapsed();
    end.at = Some(inner.parts.clock.now());
    let cwd = end
        .cwd
        .as_deref()
        .map(|path| path.to_string_lossy().into_owned());
    let closing = Closing {
        state: "done",
        exit_code: end.exit_code,
        ms: u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX),
        summary: &summary,
        error: end.error.as_ref().map(|(kind, _)| *kind),
        cwd: cwd.as_deref(),
    };
    record::close(inner, receipt, &closing).await;
    let spent = Spent {
        bytes: summary.stdout_bytes.saturating_add(summary.stderr_bytes),
        ms: closing.ms,
    };
    run.count(inner.parts.clock.now(), spent);
    if let Some(code) = end.exit_code {
        let (analysis, registry) = (&run.decision.analysis, inner.parts.registry.current());
        let pasts = &inner.pasts;
        pasts.ended(&run.caller, &run.id, analysis, &registry, code == 0);
    }
    run.ended(end);
}

/// Waits for the last straggler; ends all of them when somebody wants that, and then says by
/// which signal they went.
pub(crate) async fn stragglers_end(
    inner: &Inner,
    run: &Run,
    tree: &Arc<dyn Tree>,
    rest: impl Future<Output = ()>,
) -> Option<i32> {
    let mut rest = std::pin::pin!(rest);
    tokio::select! {
        () = &mut rest => return None,
        () = run.cancellation().cancelled() => signal_apart(tree, SIGTERM),
    }
    if tokio::time::timeout(inner.options.limits.grace, &mut rest)
        .await
        .is_ok()
    {
        return Some(SIGTERM);
    }
    kill_apart(tree);
    let _gave_up = tokio::time::timeout(KILL_PATIENCE, rest).await;
    Some(SIGKILL)
}

fn end_of(run: &Run, exit: &Exit, why: Option<Why>, leaves: bool) -> End {
    let analysis = &run.decision.analysis;
    let exit_code = match why {
        Some(Why::Timeout(_)) => TIMEOUT_CODE,
        _ => exit.status.code(),
    };
    End {
        exit_code: Some(exit_code),
        error: why
            .map(|why| why.explain(analysis.interactive))
            .or_else(|| exit.lost.then(|| lost(run))),
        survivors: if leaves {
            exit.survivors.clone()
        } else {
            Vec::new()
        },
        ..End::default()
    }
}

/// What is said of a command that the server leaves behind as it stops.
const LEFT: &str = "the server stops; the command goes on on its host, and the next start of the \
                    server takes it up again";

/// What is said of a command whose keeper was killed.
const LOST: &str = "the process that keeps this command was killed from outside; \
                    what was left of the command is ended too";

/// What is said of a command whose end nobody has seen.
fn lost(run: &Run) -> (&'static str, String) {
    if run.decision.target.is_local() {
        ("killed", LOST.to_owned())
    } else {
        ("lost", LOST_THERE.to_owned())
    }
}

/// The same, of one on a host.
const LOST_THERE: &str = "the connection to the host, or what kept the command there, was lost; \
                          whether it went on to its end is not known, and it is not run again";

/// Asking a living shell to end its command takes a moment, so that it has a thread of its own.
fn end_apart(tree: &Arc<dyn Tree>) {
    let tree = Arc::clone(tree);
    tokio::task::spawn_blocking(move || tree.end());
}

/// Looking for the processes of a tree takes a moment, so that it has a thread of its own.
fn signal_apart(tree: &Arc<dyn Tree>, signal: i32) {
    let tree = Arc::clone(tree);
    tokio::task::spawn_blocking(move || tree.signal(signal));
}

/// Killing looks through all processes, perhaps many times, so that it has a thread of its own.
pub(crate) fn kill_apart(tree: &Arc<dyn Tree>) {
    let tree = Arc::clone(tree);
    tokio::task::spawn_blocking(move || tree.kill());
}

async fn sleep_until(wake: Option<Instant>) {
    if let Some(wake) = wake {
        tokio::time::sleep_until(wake).await;
    }
}

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;
/// The code of what was killed, as a shell reports it.
const KILLED_CODE: i32 = 128 + SIGKILL;
