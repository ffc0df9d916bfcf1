//! A command in a session.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};
use wharf_exec::{Executor, LaunchError, ShellCommand, ShellReport, ShellStart};
use wharf_model::{RunId, Target};
use wharf_shell::{Analysis, Kind, ShellUse};

use super::job;
use super::state::{self, Change, Living, Session};
use crate::engine::Inner;
use crate::error::Error;
use crate::places::{self, Spot};
use crate::policy::Approved;
use crate::record;
use crate::request::Access;
use crate::runs::ready::{Extra, ready};
use crate::runs::start::{Told, Waiting, about, as_result, background_place, exposed, time_limit};
use crate::runs::supervise::{self, Ended, Supervised, TIMEOUT_CODE, Why, until_end};
use crate::runs::{End, Run};

/// A command's turn in its session.
pub(crate) struct Turn {
    session: Arc<Session>,
    living: OwnedMutexGuard<Living>,
}

impl Turn {
    /// Where the session is. Nobody else can change that now.
    pub(crate) fn cwd(&self) -> PathBuf {
        self.session.cwd()
    }

    /// A session does not move: a command that names another place is a mistake.
    pub(crate) fn admits(&self, asked: &Target) -> Result<(), Error> {
        let own = &self.session.target;
        if asked.is_local() || asked == own {
            return Ok(());
        }
        let id = &self.session.id;
        let message = format!(
            "the session {id} lives on {own}; leave the host out, or make a session with the \
             target {asked}"
        );
        Err(Error::invalid("host", message))
    }

    /// Who we are at the session's host from now on: what was said first is forgotten when the
    /// server starts again.
    pub(crate) fn enter_with(&mut self, access: &Access) {
        self.session.enter_with(access);
    }

    /// Where its shell runs. Nobody asks a host again while the shell lives.
    pub(crate) async fn spot(&mut self, inner: &Inner) -> Result<Spot, Error> {
        let lives = self
            .living
            .shell
            .as_mut()
            .is_some_and(|shell| !shell.has_ended());
        if let (true, Some(spot)) = (lives, self.living.spot.as_ref().and_then(Spot::again)) {
            return Ok(spot);
        }
        let spot = places::spot(inner, &self.session.target, &self.session.access()).await?;
        self.living.spot = spot.again();
        Ok(spot)
    }

    /// Whether a name may stand for something else than the program that bears it.
    pub(crate) fn is_custom(&self) -> bool {
        self.living.custom
    }
}

/// Waits for a turn, in order of arrival.
pub(crate) async fn turn(inner: &Inner, session: Arc<Session>) -> Result<Turn, Error> {
    let limit = inner.options.limits.queued_per_session;
    let waiting = Waiting::enter(&session.waiting, limit, "this session's queue")?;
    let living = tokio::select! {
        living = Arc::clone(&session.living).lock_owned() => living,
        () = inner.stopping.cancelled() => return Err(Error::Stopping),
    };
    if session.ended.load(Ordering::Acquire) {
        return Err(Error::not_found("session", session.id.as_str()));
    }
    drop(waiting);
    Ok(Turn { session, living })
}

/// Records the command and gives it to the shell.
pub(crate) async fn run(
    inner: &Arc<Inner>,
    turn: Turn,
    approved: Box<Approved>,
    cwd: &str,
    told: Told,
) -> Result<(), Error> {
    let Turn {
        session,
        mut living,
    } = turn;
    let place = if approved.request().background {
        Some(background_place(inner)?)
    } else {
        None
    };
    let mut unreachable = None;
    if living.shell.as_mut().is_none_or(|shell| shell.has_ended())
        && let Err(error) = revive(inner, &session, &mut living).await
    {
        if session.target.is_local() {
            return Err(no_shell(&session, error));
        }
        unreachable = Some(error);
    }
    let id = RunId::random(inner.parts.entropy.as_ref());
    let mut recorded = record::open(inner, &id, approved, cwd).await?;
    let restored = unreachable.is_none() && std::mem::take(&mut living.lost);
    let background = recorded.approved.request().background;
    let output = inner.parts.journal.begin(&id, background);
    let about = about(inner, &recorded, Arc::clone(&output));
    let run = Run::new(about, recorded.approved.take_charge());
    inner.runs.insert(&run);
    session.begins(&run);

    let mut watch = Supervised {
        inner: Arc::clone(inner),
        run: Arc::clone(&run),
        limit: time_limit(&recorded.approved),
        receipt: recorded.receipt,
    };
    if let Some(spot) = &living.spot {
        spot.used(inner, cwd);
    }
    let executor = executor(inner, &session, &living).filter(|_| unreachable.is_none());
    let (mut told, approved) = (Some(told), &mut recorded.approved);
    let extra = match ready(&mut watch, approved, executor.as_ref(), &mut told).await {
        Ok(extra) => extra,
        Err(never) => {
            session.ends(inner.parts.clock.now(), Change::default());
            never.answer(watch).await;
            return Ok(());
        }
    };
    let ordered = Ordered {
        approved: recorded.approved,
        extra,
    };
    let begun = match unreachable {
        None => begin(&ordered, &mut living, &run),
        Some(error) => Err(error),
    };
    let _nobody_waits = told.map(|told| told.send(run));
    match begun {
        Ok(()) => {
            let turn = Turn { session, living };
            see_through(watch, ordered, turn, restored, place).await;
        }
        Err(error) => {
            session.ends(inner.parts.clock.now(), Change::default());
            supervise::not_started(watch, &error).await;
        }
    }
    Ok(())
}

/// A command as it was approved, and what it gets besides.
struct Ordered {
    approved: Box<Approved>,
    extra: Extra,
}

/// What runs commands where the session is.
fn executor(inner: &Inner, session: &Session, living: &Living) -> Option<Arc<dyn Executor>> {
    match &living.spot {
        Some(spot) => spot.reached.as_ref().ok().map(Arc::clone),
        None => session
            .target
            .is_local()
            .then(|| Arc::clone(&inner.parts.executor)),
    }
}

/// Gives the command to the shell.
fn begin(ordered: &Ordered, living: &mut Living, run: &Run) -> Result<(), LaunchError> {
    let command = command(ordered, living, Arc::clone(&run.output));
    let shell = living.shell.as_mut().ok_or(LaunchError::ZygoteGone)?;
    shell.begin(command)?;
    run.attach(shell.tree(), None);
    Ok(())
}

/// Starts the session's shell with the directory and environment that it had.
pub(crate) async fn revive(
    inner: &Inner,
    session: &Session,
    living: &mut Living,
) -> Result<(), LaunchError> {
    if let Some(dead) = living.shell.take() {
        dead.end(inner.options.limits.grace).await;
        living.lost = true;
    }
    let cwd = session.cwd();
    let start = ShellStart {
        cwd: Some(cwd.clone()),
        env: session.env(),
    };
    let shell = executor(inner, session, living)
        .ok_or(LaunchError::ZygoteGone)?
        .shell(start)
        .await?;
    living.shell = Some(shell);
    living.generation += 1;
    living.custom = false;
    living.redirected = false;
    Ok(())
}

/// A session without a shell.
pub(crate) fn no_shell(session: &Session, error: LaunchError) -> Error {
    let (_, _, text) = as_result(&error);
    tracing::error!(target: "system", session = %session.id, error = text, "no shell");
    Error::internal("starting the session's shell", error)
}

/// The command as the shell gets it.
fn command(
    Ordered { approved, extra }: &Ordered,
    living: &mut Living,
    output: Arc<wharf_exec::journal::RunOutput>,
) -> ShellCommand {
    let request = approved.request();
    let shell_use = &approved.decision().analysis.shell_use;
    let text = request.command.as_str();
    living.custom |= shell_use.mutates_state && may_define(text);
    living.redirected |= shell_use.redirects_shell;
    let detach = request.background && shell_use.background_tail.is_none();
    let text = extra.text(text);
    ShellCommand {
        text: if detach {
            format!("{{ {text}\n}} &")
        } else {
            text
        },
        cwd: request.cwd.clone(),
        env: extra.env(exposed(&request.env)),
        stdin: request.stdin.clone(),
        output,
        own_pipes: !living.redirected && own_pipes(shell_use, living.custom) || request.background,
        // The environment of a host is known after the first command there.
        report_env: shell_use.mutates_state || living.custom || !living.env_known,
        single: !living.custom && is_single(&approved.decision().analysis),
    }
}

/// Whether ending the program that runs ends the text.
fn is_single(analysis: &Analysis) -> bool {
    let several = [Kind::Chain, Kind::Compound, Kind::Background, Kind::Invalid];
    !analysis.features.iter().any(|kind| several.contains(kind))
}

/// Whether what it leaves running could write into a later command's output.
const fn own_pipes(shell_use: &ShellUse, custom: bool) -> bool {
    let quiet = shell_use.pure_builtins && !shell_use.backgrounds && !custom;
    !quiet
}

/// Whether a text may give names a new meaning. It may say yes too often: that costs microseconds.
fn may_define(text: &str) -> bool {
    ["()", "function", "alias", "source", "eval", ". "]
        .iter()
        .any(|mark| text.contains(mark))
}

/// Stays with a command until its end, and with what it leaves running until theirs.
async fn see_through(
    watch: Supervised,
    ordered: Ordered,
    turn: Turn,
    mut restored: bool,
    mut place: Option<OwnedSemaphorePermit>,
) {
    let Turn {
        session,
        mut living,
    } = turn;
    let _answered = supervise::Answered::new(&watch, Some(&session));
    let (mut report, why) = loop {
        // `run` has begun it there; should that ever change, the guard above answers.
        let Some(shell) = living.shell.as_mut() else {
            return;
        };
        let tree = shell.tree();
        let (report, why) = until_end(&watch, &tree, shell.finish()).await;
        let report = match report {
            Ended::With(report) => report,
            // A session's commands are its shell's: none of them is kept.
            Ended::Held | Ended::Left => {
                abandon(&mut living);
                return held(watch, &session, why).await;
            }
        };
        // The shell was killed while nobody looked. Nothing of the command has run, so that this
        // is not running it again.
        let again = report.not_started && why.is_none() && !restored;
        if again
            && revive(&watch.inner, &session, &mut living).await.is_ok()
            && begin(&ordered, &mut living, &watch.run).is_ok()
        {
            restored = std::mem::take(&mut living.lost);
            continue;
        }
        break (report, why);
    };
    let Supervised {
        inner,
        run,
        mut receipt,
        limit,
    } = watch;
    let now = inner.parts.clock.now();
    let change = Change {
        cwd: report.cwd.clone(),
        env: report.env.take(),
    };
    living.env_known |= change.env.is_some();
    let changed = session.ends(now, change);
    if report.ended {
        living.lost = true;
    }
    if changed && let Err(error) = state::save(&inner, &session).await {
        tracing::warn!(target: "system", session = %session.id, %error, "its state cannot be saved");
    }
    let rest = report.rest.take();
    let job = report.job.filter(|_| rest.is_some() || run.background);
    if let (Some(job), Some(tree)) = (job, run.tree()) {
        run.attach(tree, Some(job));
    }
    let mut end = end_of(&run, &session, &report, why, restored, job);
    if rest.is_some() && place.is_none() {
        place = supervise::place_behind(&inner, &run, &mut end);
    }
    if let (true, Some(job)) = (run.background, job) {
        // Answered now, closed when the job has ended.
        run.launched();
        let job = job::Job::of(job, &living, limit);
        drop(living);
        let ended = job.see_through(&inner, &session, &run, rest).await;
        let end = End {
            exit_code: ended.code,
            error: ended.error.or(end.error),
            ..end
        };
        supervise::close(&inner, &run, &mut receipt, end, false).await;
    } else {
        supervise::close(&inner, &run, &mut receipt, end, rest.is_some()).await;
        drop(living);
        if let (Some(rest), Some(tree)) = (rest, run.tree()) {
            supervise::stragglers_end(&inner, &run, &tree, rest).await;
        }
        run.output.finish();
    }
    inner.runs.over(&run);
    drop(place);
}

/// Lets go of a shell that cannot be ended now, so that the session goes on with another. What is
/// left of it is seen to by a task of its own.
fn abandon(living: &mut Living) {
    living.lost = true;
    if let Some(shell) = living.shell.take() {
        tokio::spawn(shell.end(Duration::ZERO));
    }
}

/// Answers a command that was killed and does not end.
async fn held(watch: Supervised, session: &Session, why: Option<Why>) {
    let Supervised {
        inner,
        run,
        mut receipt,
        ..
    } = watch;
    session.ends(inner.parts.clock.now(), Change::default());
    let end = End {
        exit_code: Some(supervise::held_code(why)),
        error: why.map(|why| supervise::held_error(&run, why)),
        cwd: Some(session.cwd()),
        ..End::default()
    };
    supervise::close(&inner, &run, &mut receipt, end, false).await;
    inner.runs.over(&run);
}

/// The code of a command on a host of which it is not known how it ended.
const UNKNOWN_CODE: i32 = 255;

/// What became of the shell, in a word.
fn fault(run: &Run, exit_code: i32) -> &'static str {
    let lost = !run.decision.target.is_local() && exit_code == UNKNOWN_CODE;
    if lost { "lost" } else { "killed" }
}

fn end_of(
    run: &Run,
    session: &Session,
    report: &ShellReport,
    why: Option<Why>,
    restored: bool,
    job: Option<u32>,
) -> End {
    let exit_code = match why {
        Some(Why::Timeout(_)) => TIMEOUT_CODE,
        _ => report.status.code(),
    };
    End {
        exit_code: Some(exit_code),
        error: why
            .map(|why| why.explain(run.decision.analysis.interactive))
            .or_else(|| {
                report
                    .fault
                    .map(|text| (fault(run, exit_code), text.to_owned()))
            }),
        cwd: Some(report.cwd.clone().unwrap_or_else(|| session.cwd())),
        restored,
        survivors: job.into_iter().collect(),
        ..End::default()
    }
}
