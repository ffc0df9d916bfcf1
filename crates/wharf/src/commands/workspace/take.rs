//! Taking a directory to a sandbox: looked at on both sides, planned, sent.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_workspace::look::{Finding, Held, LARGE_BYTES, Reason};
use wharf_workspace::plan::{Kept, KeptWhy, Options, Plan};
use wharf_workspace::push::{Progress, Pushed, Report};
use wharf_workspace::round::{Round, Setting};
use wharf_workspace::scan::Scanned;
use wharf_workspace::walk::{GitForm, THREADS_MAX, Why};

use super::place::{Place, excludes, far_place};
use crate::context::Context;
use crate::error::CommandError;
use crate::login::now;
use crate::sandbox::{Line, Machine};
use crate::ui::neutral::neutral_line;
use crate::ui::size::size_of;

/// Names that are listed before the rest is counted.
const NAMES_SHOWN: usize = 5;
/// Between two looks at how far it is.
const EVERY: Duration = Duration::from_millis(100);

/// How it is to be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// What changed there is overwritten where it stands in the way.
    pub(crate) force: bool,
    /// What is gone here stays there.
    pub(crate) keep_deleted: bool,
    /// `.git` goes along.
    pub(crate) git: bool,
    /// Nothing is sent.
    pub(crate) dry_run: bool,
    /// What is sent though it is held back, by name.
    pub(crate) include: Vec<String>,
    /// Of that, what is not held back any more is nobody's mistake.
    pub(crate) is_again: bool,
    /// All of them.
    pub(crate) include_all: bool,
}

/// How it came out.
pub(crate) struct Taken {
    pub(crate) plan: Plan,
    pub(crate) findings: Vec<Finding>,
    pub(crate) left: BTreeMap<&'static str, usize>,
    /// What somebody said yes to just now, by name.
    pub(crate) released: Vec<String>,
    /// None where nothing was to be sent.
    pub(crate) pushed: Option<Pushed>,
    pub(crate) took: Duration,
}

/// What a round is about.
pub(super) fn setting(cx: &Context, place: &Place, machine: &Machine, git: bool) -> Setting {
    Setting {
        workspace: place.workspace.clone(),
        place: far_place(machine),
        sandbox: machine.session.clone(),
        shelf: place.dir.clone(),
        excludes: excludes(cx),
        git: if git { GitForm::Take } else { GitForm::Leave },
        large: LARGE_BYTES,
        threads: THREADS_MAX,
    }
}

/// The time, in nanoseconds since 1970.
pub(super) fn now_ns() -> i64 {
    now().millis().saturating_mul(1_000_000)
}

/// Looks at both sides at once.
pub(crate) async fn look_at(
    cx: &Context,
    place: &Place,
    line: &Line,
    machine: &Machine,
    git: bool,
) -> Result<Round, CommandError> {
    let setting = setting(cx, place, machine, git);
    Ok(Round::begin(setting, &line.connection, now_ns()).await?)
}

/// What would be done.
pub(crate) fn plan_of(round: &Round, wish: &Wish) -> Result<Plan, CommandError> {
    let mut held = Held::all(&round.findings);
    if wish.include_all {
        held = Held::default();
    }
    for name in &wish.include {
        let path = name.trim_end_matches('/').as_bytes();
        let is_sent = round.agreement.manifest().get(path).is_some();
        if !held.release(path) && !wish.is_again && !is_sent {
            let text = format!("{name} is nothing that is held back");
            return Err(CommandError::usage(text).hint("wharf workspace status lists them"));
        }
    }
    let options = Options {
        force: wish.force,
        keep_deleted: wish.keep_deleted,
        ..Options::default()
    };
    Ok(round.plan(&held, &options))
}

/// Takes the directory there.
pub(crate) async fn take(
    cx: &Context,
    place: &Place,
    line: &Line,
    machine: &Machine,
    wish: &Wish,
) -> Result<Taken, CommandError> {
    let began = Instant::now();
    let looked = look_at(cx, place, line, machine, wish.git).await?;
    let mut wish = wish.clone();
    let mut released = Vec::new();
    if may_send(cx, &looked, &wish).await {
        wish.include_all = true;
        // A name that is no text cannot be said again.
        let named = |finding: &Finding| String::from_utf8(finding.path.as_bytes().to_vec()).ok();
        released = looked.findings.iter().filter_map(named).collect();
    }
    let plan = plan_of(&looked, &wish)?;
    let pushed = match wish.dry_run {
        true => None,
        false => Some(send(cx, line, machine, &looked, &plan).await?),
    };
    Ok(Taken {
        left: left(&looked.scanned),
        released,
        findings: still_held(looked.findings, &plan),
        plan,
        pushed,
        took: began.elapsed(),
    })
}

/// What stays here, of what was found.
fn still_held(mut findings: Vec<Finding>, plan: &Plan) -> Vec<Finding> {
    let held = plan.held();
    findings.retain(|finding| held.contains(&finding.path));
    findings
}

/// Asks about what is held back, once for a set of files: who said no is not asked each time.
async fn may_send(cx: &Context, looked: &Round, wish: &Wish) -> bool {
    let is_new = |finding: &&Finding| {
        let known = looked.agreement.manifest().get(finding.path.as_bytes());
        known.is_none()
            && !wish
                .include
                .iter()
                .any(|it| it.as_bytes() == finding.path.as_bytes())
    };
    let findings: Vec<_> = looked.findings.iter().filter(is_new).collect();
    let first_time = looked.agreement.token().is_empty();
    // A question about what nobody has seen is none.
    let may_ask = cx.ui.may_ask && !cx.ui.quiet;
    if findings.is_empty() || wish.include_all || wish.dry_run || !may_ask || !first_time {
        return false;
    }
    let mut text = String::from("These stay here unless you say yes:\n");
    for finding in findings.iter().take(NAMES_SHOWN * 2) {
        text.push_str(&format!("  {}\n", found(finding)));
    }
    if findings.len() > NAMES_SHOWN * 2 {
        text.push_str(&format!(
            "  and {} more\n",
            findings.len() - NAMES_SHOWN * 2
        ));
    }
    cx.ui.say(&text);
    cx.ui.yes("Take them to the sandbox as well?").await
}

async fn send(
    cx: &Context,
    line: &Line,
    machine: &Machine,
    round: &Round,
    plan: &Plan,
) -> Result<Pushed, CommandError> {
    let far = Arc::new(Mutex::new(Progress::default()));
    let noted = Arc::clone(&far);
    let report: Report = Arc::new(move |progress| {
        *noted.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    });
    let pushing = round.push(&line.connection, plan, !machine.is_near(), report);
    tokio::pin!(pushing);
    let mut shown = Shown::new(cx);
    let pushed = loop {
        tokio::select! {
            pushed = &mut pushing => break pushed?,
            () = tokio::time::sleep(EVERY) => {
                shown.show(*far.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    };
    drop(shown);
    // Without them a change of both sides is a conflict, and no more than that.
    if let Err(error) = round.keep_bases(&pushed.agreement) {
        cx.ui.note(&CommandError::from(error).message);
    }
    Ok(pushed)
}

/// One line of a terminal that says how far it is.
struct Shown {
    shows: bool,
    began: Instant,
    is_there: bool,
}

impl Shown {
    fn new(cx: &Context) -> Self {
        Self {
            shows: cx.world.stderr_terminal && !cx.ui.json && !cx.ui.quiet,
            began: Instant::now(),
            is_there: false,
        }
    }

    fn show(&mut self, progress: Progress) {
        if !self.shows {
            return;
        }
        self.is_there = true;
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let rate = progress.bytes_sent.saturating_mul(1000) / millis.max(1);
        let percent = progress.bytes.saturating_mul(100) / progress.bytes_all.max(1);
        let line = format!(
            "  sync  {percent} %  {} of {} files  {} of {}  {}/s",
            progress.files,
            progress.files_all,
            size_of(progress.bytes),
            size_of(progress.bytes_all),
            size_of(rate)
        );
        // A terminal that has gone away needs no line.
        let _gone = write!(std::io::stderr(), "\r\u{1b}[K{line}");
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.is_there {
            let _gone = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

impl Taken {
    /// What was done, on one line, and what was not.
    pub(crate) fn summary(&self) -> String {
        let mut text = self.counts();
        if !self.findings.is_empty() {
            let names = self.findings.iter().map(|it| name(it.path.as_bytes()));
            text.push_str(&format!("; held back: {}", few(names)));
        }
        let conflicts: Vec<_> = self.conflicts().collect();
        if !conflicts.is_empty() {
            let names = conflicts.iter().map(|kept| name(kept.path.as_bytes()));
            text.push_str(&format!(
                "; changed on both sides, left alone: {}",
                few(names)
            ));
        }
        if let Some(pushed) = &self.pushed
            && !pushed.missed.is_empty()
        {
            text.push_str(&format!("; {} changed meanwhile", pushed.missed.len()));
        }
        text
    }

    /// What was done, in numbers.
    pub(super) fn counts(&self) -> String {
        let count = self.plan.sends.len() + self.plan.modes.len();
        let mut text = match count {
            0 => "nothing new".to_owned(),
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        match &self.pushed {
            Some(pushed) if count > 0 => {
                let progress = pushed.progress;
                text.push_str(&format!(", {}", size_of(progress.bytes_all)));
                if progress.bytes_sent < progress.bytes_all {
                    text.push_str(&format!(" ({} sent)", size_of(progress.bytes_sent)));
                }
            }
            _ => {}
        }
        if !self.plan.deletes.is_empty() {
            text.push_str(&format!(", {} deleted", self.plan.deletes.len()));
        }
        text
    }

    /// What both sides changed, before or while it was taken there.
    pub(crate) fn conflicts(&self) -> impl Iterator<Item = &Kept> {
        let meanwhile = self.pushed.iter().flat_map(|pushed| &pushed.kept);
        let meanwhile = meanwhile.filter(|kept| kept.why.is_conflict());
        self.plan.conflicts().chain(meanwhile)
    }

    /// Whether somebody should look at it.
    pub(crate) fn wants_a_look(&self) -> bool {
        !self.findings.is_empty() || self.conflicts().next().is_some()
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let progress = self
            .pushed
            .as_ref()
            .map(|pushed| pushed.progress)
            .unwrap_or_default();
        let names = |kept: &Kept| name(kept.path.as_bytes());
        let missed = self.pushed.iter().flat_map(|pushed| &pushed.missed);
        json!({
            "sent": self.plan.sends.iter().map(|it| name(it.entry.path.as_bytes())).collect::<Vec<_>>(),
            "deleted": self.plan.deletes.iter().map(|it| name(it.path.as_bytes())).collect::<Vec<_>>(),
            "conflicts": self.conflicts().map(names).collect::<Vec<_>>(),
            "missed": missed.map(|path| name(path.as_bytes())).collect::<Vec<_>>(),
            "held_back": self.findings.iter().map(|it| json!({
                "path": name(it.path.as_bytes()), "why": why_held(it.reason),
            })).collect::<Vec<_>>(),
            "left_out": self.left,
            "bytes": progress.bytes_all,
            "bytes_sent": progress.bytes_sent,
            "dry_run": self.pushed.is_none(),
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// What is left out, counted by why.
fn left(scanned: &Scanned) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for left in &scanned.left {
        *counts.entry(why_left(left.why)).or_insert(0) += 1;
    }
    counts
}

pub(super) const fn why_left(why: Why) -> &'static str {
    match why {
        Why::Ignored => "ignored",
        Why::Special => "special",
        Why::State => "state",
        Why::Git => "git",
        Why::GitPointer => "git_pointer",
        Why::Unreadable => "unreadable",
    }
}

/// A finding as people read it.
pub(super) fn found(finding: &Finding) -> String {
    format!(
        "{}  {}",
        name(finding.path.as_bytes()),
        why_held(finding.reason)
    )
}

pub(super) fn why_held(reason: Reason) -> String {
    match reason {
        Reason::Secret { line, kind } => format!("line {line} looks like {}", kind.words()),
        Reason::Name => "such files hold logins or keys".to_owned(),
        Reason::Uncovered => "left out here until rules came from the sandbox".to_owned(),
        Reason::Large(bytes) => size_of(bytes),
    }
}

pub(super) const fn why_kept(why: KeptWhy) -> &'static str {
    match why {
        KeptWhy::BothChanged => "changed on both sides",
        KeptWhy::BothNew => "new on both sides",
        KeptWhy::GoneHere => "gone here, changed there",
        KeptWhy::ChangedThere => "changed there",
        KeptWhy::GoneThere => "deleted there",
        KeptWhy::Blocked => "no directory there any more",
        KeptWhy::Provided => "the sandbox's own",
        KeptWhy::Held => "held back",
    }
}

/// A path for people: what is no text in it is replaced.
pub(super) fn name(path: &[u8]) -> String {
    neutral_line(&String::from_utf8_lossy(path))
}

/// A few names, and how many more there are.
fn few(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES_SHOWN);
    let mut text = names.take(NAMES_SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
