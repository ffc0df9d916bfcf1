//! `wharf workspace sync --watch`: what changes here is taken to the sandbox when it has settled, until
//! somebody ends it. What cannot be taken is said once; a connection that breaks is made again.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use wharf_workspace::identity::Workspace;
use wharf_workspace::manifest::Manifest;
use wharf_workspace::path::RelPath;
use wharf_workspace::scan::Scanned;
use wharf_workspace::walk::Why;
use wharf_workspace::watch::{Eyes, Said};

use super::place::{self, Place};
use super::take::{self, Taken, Wish, name};
use super::{Which, way};
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::sandbox::{Line, Machine};
use crate::ui;

/// Between two takings: who saves without end is not followed at each step.
const APART: Duration = Duration::from_secs(1);
/// The first pause after one that failed, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// What came about between a scan and the watching of a new directory is found by another scan.
const SCANS_MAX: usize = 4;

pub(super) async fn go_on(cx: &Context, which: &Which, wish: Wish) -> Outcome {
    let workspace = place::directory(cx, which.path.as_deref())?;
    let mut watching = Watching {
        cx,
        session: which.session.clone(),
        workspace,
        wish,
        way: None,
        eyes: Eyes::open(),
        taken: None,
        said: Said::default(),
    };
    let mut pause = PAUSE;
    let mut failed: Option<String> = None;
    loop {
        let was_connected = watching.way.is_some();
        match watching.round().await {
            Ok(()) => {
                if failed.take().is_some() {
                    cx.ui.event("the sandbox is reached again");
                }
                pause = PAUSE;
                sleep(APART).await;
                watching.eyes.settled().await;
            }
            Err(error) if may_pass(&error) => {
                // A session that came up again may be elsewhere. A connection that nobody used for a
                // while may be gone, and is nothing to be told.
                watching.way = None;
                if was_connected {
                    continue;
                }
                if failed.as_ref() != Some(&error.message) {
                    cx.ui
                        .event(&format!("{}; it is tried again", error.message));
                    for hint in &error.hints {
                        cx.ui.note(&format!("hint: {hint}"));
                    }
                    failed = Some(error.message);
                }
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether it may be otherwise in a while. What needs a person, a login or other words ends it, and
/// so does a session that has ended.
fn may_pass(error: &CommandError) -> bool {
    matches!(error.kind, Kind::TryLater | Kind::Failed)
}

struct Watching<'a> {
    cx: &'a Context,
    session: Option<String>,
    workspace: Workspace,
    wish: Wish,
    way: Option<(Machine, Line)>,
    eyes: Eyes,
    /// What was here when it was taken last.
    taken: Option<Manifest>,
    said: Said<String>,
}

impl Watching<'_> {
    /// Looks here, and takes what is new. The directory is held meanwhile and not longer: somebody may
    /// want to pull.
    async fn round(&mut self) -> Result<(), CommandError> {
        let place = Place::hold(self.cx, self.workspace.clone())?;
        let (machine, line) = match self.way.take() {
            Some(way) => way,
            None => {
                let id = self.workspace.id().as_str();
                way(self.cx, self.session.as_deref(), id).await?
            }
        };
        // Of several sandboxes it stays the one that it began with.
        self.session = Some(machine.session.clone());
        let scanned = self.look_here(&place, &machine).await?;
        if self.taken.as_ref() != Some(&scanned.manifest) {
            let taken = take::take(self.cx, &place, &line, &machine, &self.wish).await?;
            self.wish.include.extend(taken.released.iter().cloned());
            self.wish.is_again = true;
            self.tell(&machine, &taken, &scanned)?;
            self.taken = Some(scanned.manifest);
        }
        self.way = Some((machine, line));
        Ok(())
    }

    async fn look_here(
        &mut self,
        place: &Place,
        machine: &Machine,
    ) -> Result<Scanned, CommandError> {
        let setting = take::setting(self.cx, place, machine, self.wish.git);
        let mut scans = 0;
        loop {
            scans += 1;
            let (setting, now_ns) = (setting.clone(), take::now_ns());
            let scanned = spawn_blocking(move || setting.scan(now_ns)).await;
            let (scanned, _) = scanned
                .map_err(|error| CommandError::failed("the look has failed").because(error))??;
            let is_more = self.eyes.look_at(self.workspace.root(), &scanned.manifest);
            if !is_more || scans == SCANS_MAX {
                return Ok(scanned);
            }
        }
    }

    /// What was taken, and what cannot be and was not said before.
    fn tell(
        &mut self,
        machine: &Machine,
        taken: &Taken,
        scanned: &Scanned,
    ) -> Result<(), CommandError> {
        let ui = &self.cx.ui;
        let is_something = !taken.plan.is_empty();
        if is_something && ui.json {
            ui::data(&format!("{}\n", taken.to_json()))?;
        } else if is_something {
            ui.event(&format!("local -> {}  {}", machine.session, taken.counts()));
        }
        for (path, why) in self.said.news(cannot(taken, scanned)) {
            ui.event(&format!("stays here: {}  {why}", name(path.as_bytes())));
        }
        Ok(())
    }
}

/// What is here and is not there as it is here, and why.
fn cannot(taken: &Taken, scanned: &Scanned) -> BTreeMap<RelPath, String> {
    let mut all = BTreeMap::new();
    for left in &scanned.left {
        let why = match left.why {
            Why::Unreadable => "it cannot be read",
            Why::Special => "it is a pipe, a socket or a device",
            // As it should be.
            Why::Ignored | Why::State | Why::Git | Why::GitPointer => continue,
        };
        all.insert(left.path.clone(), why.to_owned());
    }
    let meanwhile = taken.pushed.iter().flat_map(|pushed| &pushed.kept);
    for kept in taken.plan.kept.iter().chain(meanwhile) {
        if kept.why.is_conflict() {
            all.insert(kept.path.clone(), take::why_kept(kept.why).to_owned());
        }
    }
    for finding in &taken.findings {
        all.insert(finding.path.clone(), take::why_held(finding.reason));
    }
    all
}
