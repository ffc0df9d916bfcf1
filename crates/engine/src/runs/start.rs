//! The one straight path: analyse, decide, record, launch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wharf_exec::{Launch, LaunchError, Process, Program};
use wharf_model::{Caller, RunId};
use wharf_shell::{Analysis, Launch as HowToLaunch};
use wharf_store::db::RunRow;

use super::ground::{self, Ground};
use super::idempotency::{Held, Keyed};
use super::ready::{Extra, ready};
use super::supervise::{self, Supervised};
use super::{About, Run, idempotency, kept, privilege, read};
use crate::approvals::sight::Sight;
use crate::engine::Inner;
use crate::error::Error;
use crate::places::Spot;
use crate::policy::{self, Approved, Outcome, Refused};
use crate::request::RunRequest;
use crate::view::RunView;
use crate::whole::Whole;
use crate::{approvals, judge, knowledge, places, record, sessions, syntax};

/// When to try again after a queue was full.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A run that was asked for.
pub(crate) enum Found {
    /// It goes on, or has just ended.
    Here(Arc<Run>),
    /// The database knows it.
    Stored(Box<RunRow>),
}

impl Found {
    pub(crate) fn id(&self) -> RunId {
        match self {
            Self::Here(run) => run.id.clone(),
            Self::Stored(row) => read::id_of(row),
        }
    }

    pub(crate) fn view(&self) -> RunView {
        match self {
            Self::Here(run) => run.view(),
            Self::Stored(row) => read::view_of(row),
        }
    }
}

/// What came of a request.
pub(crate) enum Asked {
    /// A new run.
    New(Begun),
    /// The run that an earlier request with the same key has started.
    Earlier(Found),
}

/// A run that was just begun. Whoever asked sees it to its end by waiting for `rest`; when they go
/// away, a task of the engine's own does.
pub(crate) struct Begun {
    pub(crate) run: Arc<Run>,
    pub(crate) rest: Whole<Result<(), Error>>,
}

/// Where a run says that it has begun.
pub(crate) type Told = oneshot::Sender<Arc<Run>>;

impl Begun {
    /// Waits until `rest` has begun its run, or has failed to.
    async fn by(
        mut rest: Whole<Result<(), Error>>,
        mut told: oneshot::Receiver<Arc<Run>>,
    ) -> Result<Self, Error> {
        let lost = |error| Error::internal("beginning a run", error);
        let run = tokio::select! {
            biased;
            done = &mut rest => {
                done?;
                told.try_recv().map_err(|error| Error::internal("beginning a run", error))?
            }
            run = &mut told => run.map_err(lost)?,
        };
        Ok(Self { run, rest })
    }

    /// Waits until the run can be answered. What it leaves running is followed by the engine.
    pub(crate) async fn answerable(self) -> Arc<Run> {
        let Self { run, mut rest } = self;
        tokio::select! {
            biased;
            _ = &mut rest => {}
            _ = run.await_answerable() => {}
        }
        run
    }
}

/// Starts a run, or finds the one that an earlier request with the same key has started.
pub(crate) async fn start(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: RunRequest,
) -> Result<Asked, Error> {
    if inner.stopping.is_cancelled() {
        return Err(Error::Stopping);
    }
    policy::check_env(&request.env)?;
    let password = request.sudo_password.as_ref();
    if let Some(field) = password.and_then(|password| privilege::check(password.expose())) {
        let fields = vec![field];
        return Err(Error::Invalid { fields });
    }
    let Some(key) = request.idempotency.clone() else {
        return fresh(inner, caller, request, &mut None)
            .await
            .map(Asked::New);
    };
    match idempotency::hold(inner, caller, &key).await? {
        Held::Earlier(id) => inner.find_run(caller, &id).await.map(Asked::Earlier),
        Held::Here(keyed) => {
            let mut keyed = Some(keyed);
            let begun = fresh(inner, caller, request, &mut keyed).await;
            // Refused: the work that would have taken the key along was never begun.
            if let Some(keyed) = keyed {
                keyed.release().await;
            }
            begun.map(Asked::New)
        }
    }
}

/// Begins a run. `keyed` is taken by the work once there is some.
async fn fresh(
    inner: &Arc<Inner>,
    caller: &Caller,
    mut request: RunRequest,
    keyed: &mut Option<Keyed>,
) -> Result<Begun, Error> {
    inner.quotas.check(caller, inner.parts.clock.now())?;
    // Before a session moves for it.
    check_durable(&request)?;
    let Ground { turn, spot, base } = ground::find(inner, caller, &mut request).await?;
    // Where everything is to run here, the target has become another.
    check_durable(&request)?;
    // What is refused or asked about counts, too: judging it is work, and a question is to be kept.
    let mut charge = inner.quotas.begin(caller, inner.parts.clock.now())?;
    request.cwd = spot.cwd(request.cwd.as_deref(), &base)?;
    let cwd = request.cwd.as_ref().unwrap_or(&base).display().to_string();

    let at = (&request.target, spot.facts().map(AsRef::as_ref));
    let analysis = judge::at(inner, &request.command, at, &cwd);
    request.background |= analysis.shell_use.background_tail.is_some();
    let entropy = inner.parts.entropy.as_ref();
    let text = request.command.as_str();
    let broken = analysis.parse_error.is_some() && syntax::bash_rejects(inner, text, entropy).await;
    let context = places::context(inner, at.0, at.1, &cwd);
    let around = policy::Place {
        cwd: context.cwd,
        home: context.home,
        workspace_root: context.workspace_root,
        facts: spot.facts(),
        runs_nothing: broken || spot.unreachable().is_some(),
    };
    let judgement = policy::judge_now(inner, caller, &request, analysis, around).await?;
    let sight = match judgement.asks() {
        true => Some(sight(&judgement, &spot, &cwd).await?),
        false => None,
    };
    let mut approved = match policy::decide(inner, caller, request, &cwd, judgement, sight) {
        Outcome::Approved(approved) => approved,
        Outcome::Refused(refused) => {
            drop(turn);
            charge.opened();
            return Err(turn_away(inner, caller, *refused, &cwd).await);
        }
    };
    approved.charged(charge);
    // Whoever asked may go away from here on: the run is still begun whole, recorded and seen to
    // its end.
    let (told, begun) = oneshot::channel();
    let engine = Arc::clone(inner);
    let rest = match turn {
        Some(turn)
            if !broken
                && spot.unreachable().is_none()
                && (turn.is_custom() || blind(&approved).is_none()) =>
        {
            let keyed = keyed.take();
            Whole::new(&inner.tasks, async move {
                let run = |told| sessions::run::run(&engine, turn, approved, &cwd, told);
                idempotency::under(keyed, told, run).await
            })
        }
        _ => {
            let place = place(inner, approved.request().background).await?;
            // Only bash can complain as bash does, and a host may have none.
            let spot = if broken { Spot::here(inner) } else { spot };
            let keyed = keyed.take();
            Whole::new(&inner.tasks, async move {
                let run = |told| alone(&engine, place, approved, (spot, &cwd), told);
                idempotency::under(keyed, told, run).await
            })
        }
    };
    Begun::by(rest, begun).await
}

/// What the command would find, which takes reading files.
pub(crate) async fn sight(
    judgement: &policy::Judgement,
    spot: &Spot,
    cwd: &str,
) -> Result<Sight, Error> {
    if !spot.target.is_local() {
        return Ok(approvals::sight::of_host(
            spot.bound_to().unwrap_or_default(),
        ));
    }
    let (analysis, cwd) = (Arc::clone(&judgement.decision.analysis), cwd.to_owned());
    let looking = tokio::task::spawn_blocking(move || approvals::sight::look(&analysis, &cwd));
    let seen = looking.await;
    seen.map_err(|error| Error::internal("looking at what a command would find", error))
}

/// Records that it was asked for, and with it the question that a yes would answer.
pub(crate) async fn turn_away(
    inner: &Inner,
    caller: &Caller,
    refused: Refused,
    cwd: &str,
) -> Error {
    let id = RunId::random(inner.parts.entropy.as_ref());
    if let Err(error) = record::refused(inner, &id, caller, &refused, cwd) {
        return error;
    }
    let decision = Box::new(refused.decision);
    let Some(asked) = refused.asked else {
        return Error::Denied { decision };
    };
    if let Err(error) = approvals::keep::question(inner, &asked).await {
        tracing::warn!(target: "decision", approval = asked.approval.id, %error, "a question cannot be kept");
    }
    let measured = if decision.target.is_local() {
        knowledge::before_a_yes(inner, &decision.command, cwd).await
    } else {
        None
    };
    Error::NeedsConfirmation {
        measured: measured.map(Box::new),
        decision,
        token: asked.token,
        approval: asked.approval.id,
        until: asked.approval.until,
    }
}

/// A command of its own.
async fn alone(
    inner: &Arc<Inner>,
    place: OwnedSemaphorePermit,
    approved: Box<Approved>,
    (spot, cwd): (Spot, &str),
    told: Told,
) -> Result<(), Error> {
    let id = RunId::random(inner.parts.entropy.as_ref());
    let mut recorded = record::open(inner, &id, approved, cwd).await?;
    let background = recorded.approved.request().background;
    let output = inner.parts.journal.begin(&id, background);
    let about = about(inner, &recorded, Arc::clone(&output));
    let run = Run::new(about, recorded.approved.take_charge());
    inner.runs.insert(&run);
    let limit = time_limit(&recorded.approved);
    let blind = blind(&recorded.approved);
    let mut watch = Supervised {
        inner: Arc::clone(inner),
        run: Arc::clone(&run),
        receipt: recorded.receipt,
        limit,
    };
    if let Some(why) = blind {
        let _nobody_waits = told.send(run);
        supervise::never_ran(watch, NEEDS_INPUT_CODE, "needs_input", why).await;
        return Ok(());
    }
    spot.used(inner, cwd);
    let (mut told, approved) = (Some(told), &mut recorded.approved);
    let ready = ready(&mut watch, approved, spot.reached.as_ref().ok(), &mut told);
    let extra = match ready.await {
        Ok(extra) => extra,
        Err(never) => {
            never.answer(watch).await;
            return Ok(());
        }
    };
    let request = recorded.approved.request();
    let launch = Launch {
        program: program(&recorded.approved, &extra),
        cwd: request
            .cwd
            .clone()
            .filter(|_| spot.target == request.target),
        env: extra.env(exposed(&request.env)),
        stdin: request.stdin.clone(),
        output,
        wants_pid: background,
        keep: keeps(request),
    };
    let tell = |run| told.map(|told: Told| told.send(run));
    let launched = match spot.reached {
        Ok(executor) if spot.target.is_local() || launch.keep => executor.launch(launch).await,
        Ok(executor) => launched_in_time(&watch, executor.launch(launch)).await,
        Err(error) => Err(error),
    };
    match launched {
        Ok(process) => {
            run.attach(process.tree(), process.pid());
            if let Some(handle) = process.handle() {
                run.keep();
                kept::note(inner, &run.id, &handle, limit);
            }
            if run.background {
                run.launched();
            }
            let _nobody_waits = tell(run);
            supervise::process(watch, process, place).await;
        }
        Err(error) => {
            let _nobody_waits = tell(run);
            supervise::not_started(watch, &error).await;
        }
    }
    Ok(())
}

/// A lane of a host may have to be waited for: within the time limit, and until somebody wants the
/// run to end. Nothing was handed over when it is given up.
async fn launched_in_time(
    watch: &Supervised,
    launching: impl Future<Output = Result<Box<dyn Process>, LaunchError>>,
) -> Result<Box<dyn Process>, LaunchError> {
    let within = watch.limit.unwrap_or(Duration::MAX);
    let too_slow = LaunchError::TooSlow {
        what: "the command on the host",
        within,
    };
    tokio::select! {
        launched = tokio::time::timeout(within, launching) => launched.unwrap_or(Err(too_slow)),
        () = watch.run.cancellation().cancelled() => Err(too_slow),
    }
}

/// Whether it goes on when its connection or this server is gone.
fn keeps(request: &RunRequest) -> bool {
    let may = !request.target.is_local() && request.session.is_none();
    may && request.durable.unwrap_or(request.background)
}

/// What is asked for has to be possible.
fn check_durable(request: &RunRequest) -> Result<(), Error> {
    if request.durable != Some(true) || keeps(request) {
        return Ok(());
    }
    let why = if request.session.is_some() {
        "a session's commands belong to its shell; leave the session out"
    } else {
        "is for hosts: what runs on this machine ends with the server"
    };
    Err(Error::invalid("durable", why))
}

/// Why nothing but waiting would come of it: it wants a person at a terminal, and none can come.
fn blind(approved: &Approved) -> Option<String> {
    if approved.request().stdin.is_some() {
        return None;
    }
    let needs = wharf_shell::needs_terminal(&approved.decision().analysis)?;
    Some(format!(
        "{} needs a terminal and there is none here, so it was not started; {}",
        needs.program, needs.instead
    ))
}

/// The code of a program that is there and cannot do its work here.
const NEEDS_INPUT_CODE: i32 = 126;

/// A place to run in: at once, or in order after waiting.
async fn place(inner: &Inner, background: bool) -> Result<OwnedSemaphorePermit, Error> {
    if background {
        return background_place(inner);
    }
    if let Ok(permit) = Arc::clone(&inner.places).try_acquire_owned() {
        return Ok(permit);
    }
    let _waiting = Waiting::enter(&inner.queued, inner.options.limits.queued_runs, "the queue")?;
    let permit = tokio::select! {
        permit = Arc::clone(&inner.places).acquire_owned() => permit,
        () = inner.stopping.cancelled() => return Err(Error::Stopping),
    };
    permit.map_err(|_closed| Error::Stopping)
}

/// A place to run on in after the answer; nobody waits for one.
pub(crate) fn background_place(inner: &Inner) -> Result<OwnedSemaphorePermit, Error> {
    Arc::clone(&inner.background)
        .try_acquire_owned()
        .map_err(|_full| Error::Busy {
            what: "the number of background commands",
            limit: inner.options.limits.background_runs,
            retry_after: RETRY_AFTER,
        })
}

/// A bounded count of those who wait; left when dropped.
pub(crate) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(crate) fn enter(
        count: &'a AtomicUsize,
        limit: usize,
        what: &'static str,
    ) -> Result<Self, Error> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(Error::Busy {
                what,
                limit,
                retry_after: RETRY_AFTER,
            });
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(crate) fn about(
    inner: &Inner,
    recorded: &record::Recorded,
    output: Arc<wharf_exec::journal::RunOutput>,
) -> About {
    let request = recorded.approved.request();
    About {
        id: recorded.receipt.run.clone(),
        caller: recorded.approved.caller().clone(),
        session: request.session.clone(),
        decision: recorded.approved.decision().clone(),
        redacted: recorded.redacted.clone(),
        background: request.background,
        started: inner.parts.clock.now(),
        seq: recorded.receipt.seq,
        output,
        cwd: recorded.cwd.clone(),
        cancel: inner.cancelled.child_token(),
    }
}

/// When the command is to be ended. One in the background only when that was asked for.
pub(crate) fn time_limit(approved: &Approved) -> Option<Duration> {
    let request = approved.request();
    let usual = Duration::from_secs(approved.decision().analysis.timeout_class.seconds());
    request.timeout.or((!request.background).then_some(usual))
}

pub(crate) fn exposed(env: &[(String, wharf_model::Secret)]) -> Vec<(String, String)> {
    env.iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect()
}

/// How a command of its own is started.
fn program(approved: &Approved, extra: &Extra) -> Program {
    let analysis: &Analysis = &approved.decision().analysis;
    if analysis.parse_error.is_some() {
        return syntax::check(approved.request().command.as_str());
    }
    if let HowToLaunch::Direct { argv } = &analysis.launch
        && !extra.changes_text()
    {
        return Program::Direct(argv.clone());
    }
    let text = approved.request().command.as_str();
    let text = match analysis.shell_use.background_tail {
        Some(tail) => text.get(..tail).unwrap_or(text),
        None => text,
    };
    let shell_use = &analysis.shell_use;
    let forkable = !shell_use.inspects_shell && !shell_use.backgrounds;
    Program::Shell {
        text: extra.text(text),
        forkable,
    }
}

/// The directory that was asked for, from `base` when it is relative.
pub(crate) fn checked_cwd(asked: Option<&Path>, base: &Path) -> Result<Option<PathBuf>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let path = base.join(asked);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok((path != base).then_some(path)),
        Ok(_) => Err(Error::invalid(
            "cwd",
            format!("{} is not a directory", path.display()),
        )),
        Err(error) => Err(Error::invalid(
            "cwd",
            format!("{} cannot be used: {error}", path.display()),
        )),
    }
}

/// What a launch error is as a result: code, kind, and what goes to standard error.
pub(crate) fn as_result(error: &LaunchError) -> (i32, &'static str, String) {
    match error {
        LaunchError::NotFound(_) => (127, "not_found", error.to_string()),
        LaunchError::NotExecutable { .. } => (126, "not_executable", error.to_string()),
        LaunchError::Cwd { .. } => (126, "cwd", error.to_string()),
        LaunchError::Uncertain => (255, "lost", error.to_string()),
        LaunchError::Host(why) => (255, why.step().failure(), error.to_string()),
        LaunchError::System(_) | LaunchError::TooSlow { .. } | LaunchError::ZygoteGone => {
            (126, "system", error.to_string())
        }
    }
}
