//! `wharf sync --watch`: what is new there comes here as soon as it is seen, and what is edited here
//! is told, or sent where that was asked for.

mod eyes;
pub(super) mod unit;

use std::time::Duration;

use tokio::time::{sleep, timeout};
use wharf_sync::profile::Manifest;

use super::bring::{self, bring};
use super::offline::OFFLINE;
use super::report::Report;
use super::state::State;
use super::{place, push, sites};
use crate::commands::Outcome;
use crate::config::value::Value;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::stop::Stop;
use eyes::Eyes;

/// How often the server is asked where no setting says it.
const INTERVAL: Duration = Duration::from_secs(60);
/// The longest pause while the server is away.
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// After an edit it is waited until there is none for so long.
const QUIET: Duration = Duration::from_millis(300);
/// And no longer than so many times that.
const QUIET_WAITS_MAX: usize = 10;

/// How it is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Go on until Ctrl-C: look whenever a file here changes, and ask the server every sync.interval
    #[arg(long, conflicts_with_all = ["dry_run", "check", "force"])]
    pub(super) watch: bool,
    /// Send what is edited here as well
    #[arg(long, requires = "watch")]
    push: bool,
    /// Watch whenever you are logged in: a systemd unit of your own
    #[arg(long, requires = "watch", conflicts_with = "uninstall")]
    install: bool,
    /// Take that unit away
    #[arg(long, requires = "watch")]
    uninstall: bool,
}

/// Watches, or has it done.
pub(super) fn watch(cx: &Context, args: &Args, how: &bring::Args) -> Outcome {
    if args.uninstall {
        return unit::uninstall(cx);
    }
    if args.install {
        return unit::install(cx, args.push, how);
    }
    super::answer(cx, go_on(cx, args, how))
}

/// What was seen last, so that it is told once.
#[derive(Debug, Default)]
struct Seen {
    told: String,
    local: Option<Manifest>,
    failed: Vec<String>,
}

async fn go_on(cx: &Context, args: &Args, how: &bring::Args) -> Outcome {
    let mut stop = Stop::listen()?;
    let mut eyes = Eyes::open(cx);
    let mut seen = Seen::default();
    let interval = match cx.settings.get("sync.interval") {
        Some(Value::Time(time)) => *time,
        _ => INTERVAL,
    };
    let mut pause = interval;
    loop {
        let went = tokio::select! {
            // An operation that is under way is not cut in two: nothing waits within it.
            went = round(cx, args, how, &mut seen) => went,
            kind = stop.asked() => return Err(CommandError::new(kind, "")),
        };
        // A directory that cannot be looked at for a while is no end either.
        let (went, site) = match sites::claude(cx) {
            Ok(site) => (went, Some(site)),
            Err(error) => (went.and(Err(error)), None),
        };
        match went {
            Ok(()) => {
                pause = interval;
                seen.failed.clear();
            }
            Err(error) if may_pass(&error) => {
                let failed = lines(&error);
                if seen.failed != failed {
                    failed.iter().for_each(|line| cx.ui.event(line));
                    seen.failed = failed;
                }
                pause = (pause * 2).min(PAUSE_MAX.max(interval));
            }
            Err(error) => return Err(error),
        }
        if let Some(site) = &site {
            eyes.look_at(site);
        }
        tokio::select! {
            kind = stop.asked() => return Err(CommandError::new(kind, "")),
            () = sleep(pause) => {}
            () = edited(cx, &mut eyes, site.as_ref(), &seen) => {}
        }
    }
}

/// Why a round failed, what stands behind it, and what to do.
fn lines(error: &CommandError) -> Vec<String> {
    let mut lines = vec![format!("{}; it is tried again", error.message)];
    lines.extend(error.causes.iter().map(|cause| format!("because: {cause}")));
    lines.extend(error.hints.iter().map(|hint| format!("hint: {hint}")));
    lines
}

/// Whether it may be otherwise in a while. What needs a person, a login or other words, ends it.
fn may_pass(error: &CommandError) -> bool {
    error.code == OFFLINE || !matches!(error.kind, Kind::Login | Kind::Usage | Kind::NotFound)
}

async fn round(
    cx: &Context,
    args: &Args,
    how: &bring::Args,
    seen: &mut Seen,
) -> Result<(), CommandError> {
    let report = bring(cx, how).await?;
    let edits = report.edits();
    tell(cx, report, seen)?;
    seen.local = here(cx, &sites::claude(cx)?);
    if args.push && edits > 0 {
        push::push(cx, &push::Args::default()).await?;
    }
    Ok(())
}

/// Shows a report in which something is new.
fn tell(cx: &Context, report: Report, seen: &mut Seen) -> Result<(), CommandError> {
    let is_written = report.has_written();
    let told = report.rows();
    let is_news = is_written || told != seen.told;
    seen.told = told;
    if is_news && (is_written || !report.is_settled()) {
        report.show(cx)?;
    }
    Ok(())
}

/// Waits until something of the profile is another here than it was seen last.
async fn edited(cx: &Context, eyes: &mut Eyes, site: Option<&sites::Site>, seen: &Seen) {
    let Some(site) = site else {
        return std::future::pending().await;
    };
    loop {
        eyes.changed().await;
        for _ in 0..QUIET_WAITS_MAX {
            if timeout(QUIET, eyes.changed()).await.is_err() {
                break;
            }
        }
        let here = here(cx, site);
        if here.is_none() || here != seen.local {
            return;
        }
    }
}

/// What is in the directory; nothing where it cannot be looked at.
fn here(cx: &Context, site: &sites::Site) -> Option<Manifest> {
    let state = State::last(cx, site).map(|(state, _)| state);
    let here = place::look(site, state.as_ref()).ok();
    here.map(|here| here.manifest)
}
