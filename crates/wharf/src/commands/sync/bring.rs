//! `wharf sync` and `wharf sync pull`: what is new on the server comes here.

use std::collections::{BTreeMap, BTreeSet};

use wharf_sync::apply::{Change, Error as ApplyError, Outcome};
use wharf_sync::merge::block;
use wharf_sync::plan::{Action, Conflict, Contents, Options, Plan, Side, Step};
use wharf_sync::profile::{Digest, Entry, Manifest};

use super::contents::{Near, find, gather, settled};
use super::others;
use super::place;
use super::report::{Report, Section};
use super::rows::texts_of;
use super::run;
use super::session::{Look, Session};
use super::sites::{self, Agent, Site};
use crate::context::Context;
use crate::error::{CommandError, Kind};

/// How often it is planned anew because files change while they are looked at.
pub(super) const PLANS_MAX: usize = 5;
/// Contents up to this size are fetched for a rehearsal, to count their lines.
const REHEARSAL_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A side, as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Prefer {
    /// What is on this machine
    Local,
    /// What is on the server
    Remote,
}

impl Prefer {
    pub(super) const fn side(self) -> Side {
        match self {
            Self::Local => Side::Local,
            Self::Remote => Side::Remote,
        }
    }
}

/// How it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Show what would be done, and write nothing. A sync that did not come to its end is completed
    /// first
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Take what is on the server, also over edits of this machine; they go to the backup. Files
    /// that the server has never had stay
    #[arg(short, long, conflicts_with = "prefer")]
    force: bool,
    /// Write nothing, and exit with 3 when the two sides are not the same
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Which side wins where both have changed
    #[arg(long, value_name = "SIDE")]
    prefer: Option<Prefer>,
    /// The agents whose directories are synced; those of sync.targets when absent
    #[arg(short, long = "target", value_name = "TARGET")]
    target: Vec<Agent>,
    /// Do not ask, also where most files would go
    #[arg(long)]
    yes: bool,
}

impl Args {
    /// What the person wants where the rule alone does not decide.
    pub(super) fn options(&self) -> Options {
        Options {
            prefer: self.prefer.map(Prefer::side),
            force: self.force,
            ..Options::default()
        }
    }

    /// The same for another start of this program.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(prefer) = self.prefer {
            let side = match prefer {
                Prefer::Local => "local",
                Prefer::Remote => "remote",
            };
            words.push(format!("--prefer={side}"));
        }
        let targets = self.target.iter();
        words.extend(targets.map(|agent| format!("--target={}", agent.name())));
        if self.yes {
            words.push("--yes".to_owned());
        }
        words
    }

    /// Whether `OpenCode` finds the skills of this profile at Claude Code's.
    pub(super) fn claude_too(
        &self,
        cx: &Context,
        profile: &Manifest,
    ) -> Result<bool, CommandError> {
        sites::claude_too(cx, &self.target, profile)
    }

    pub(super) const fn is_dry(&self) -> bool {
        self.dry_run || self.check
    }
}

/// Brings what is new to the directories of these agents.
pub(super) async fn bring(cx: &Context, args: &Args) -> Result<Report, CommandError> {
    settled(async |_| once(cx, args).await).await
}

async fn once(cx: &Context, args: &Args) -> Result<Report, CommandError> {
    let mut sites = sites::chosen(cx, &args.target)?;
    if sites.is_empty() {
        return Err(CommandError::usage("there is no target")
            .hint("wharf config set sync.targets claude, or --target claude"));
    }
    let mut session = Session::begin(cx)?.reading(args.is_dry());
    let at = run::begin(cx);
    let is_claude = |site: &Site| site.agent == Agent::Claude;
    let claude = sites.iter().position(is_claude).map(|at| sites.remove(at));
    let (mut sections, mut failed) = (Vec::new(), Vec::new());
    let mut look = None;
    let mut fresh = Contents::new();
    let mut there = match claude {
        Some(site) => {
            let mut looked = session.look(site).await?;
            sections.push(to_claude(&session, &mut looked, args, &mut fresh, at).await?);
            let there = looked.there.clone();
            look = Some(looked);
            there
        }
        None => session.there().await?,
    };
    for site in sites {
        let shelf = look.as_ref().map(|look| look.place.shelf());
        let near = Near {
            here: look.as_ref().map(|look| &look.here),
            shelf: shelf.as_ref(),
            fresh: Some(&fresh),
        };
        // What was written for the agents before stays written, so that only this one begins again.
        let done = settled(async |looks| {
            if looks > 0 {
                there = session.there().await?;
            }
            others::bring(&session, &there, near, site.clone(), args, at).await
        });
        match done.await {
            Ok(section) => sections.push(section),
            // What was done for the others is told all the same.
            Err(error) => failed.push(error),
        }
    }
    Ok(Report {
        there,
        sections,
        failed,
        is_dry: args.is_dry(),
        is_check: args.check,
    })
}

async fn to_claude(
    session: &Session<'_>,
    look: &mut Look,
    args: &Args,
    fresh: &mut Contents,
    at: i64,
) -> Result<Section, CommandError> {
    for _ in 0..PLANS_MAX {
        let mut plan = plan(look, args);
        follow_block(session, look, &mut plan, fresh).await?;
        if args.is_dry() {
            let is_counted = args.dry_run && plan.summary().bytes <= REHEARSAL_BYTES_MAX;
            if is_counted {
                fetch(session, look, &plan, fresh).await?;
            }
            let section = section(look, &plan, fresh);
            look.place.note_time(false)?;
            return Ok(section);
        }
        allowed(session.cx, look, &plan, args.yes).await?;
        fetch(session, look, &plan, fresh).await?;
        let mut section = section(look, &plan, fresh);
        let changes = changes(&plan, fresh)?;
        match apply(look, &plan, &changes, fresh, at) {
            Ok(done) => {
                section.done = Some(done);
                return Ok(section);
            }
            Err(ApplyError::Changed(_)) => {
                look.here = place::look(&look.place.site, Some(&look.place.state))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(CommandError::new(
        Kind::TryLater,
        "files change faster than they can be looked at; nothing was written",
    ))
}

fn plan(look: &Look, args: &Args) -> Plan {
    look.place
        .plan(&look.here, &look.there.manifest, &args.options())
}

/// Where only the platform's part of `CLAUDE.md` changed there, it is put into the text here: that
/// part is nobody's edit.
async fn follow_block(
    session: &Session<'_>,
    look: &Look,
    plan: &mut Plan,
    fresh: &mut Contents,
) -> Result<(), CommandError> {
    let is_ours = |step: &Step, why: &Conflict| {
        step.path.as_str() == "CLAUDE.md" && *why == Conflict::BothChanged
    };
    let found = plan.conflicts().find(|(step, why)| is_ours(step, why));
    let Some((step, _)) = found else {
        return Ok(());
    };
    let (Some(base), Some(local), Some(remote)) = (step.base, step.local, step.remote) else {
        return Ok(());
    };
    let path = step.path.clone();
    let shelf = look.place.shelf();
    let near = Near {
        here: Some(&look.here),
        shelf: Some(&shelf),
        fresh: Some(fresh),
    };
    let known = find(near, &BTreeSet::from([base.sha256, local.sha256]));
    let wanted = BTreeSet::from([remote.sha256]);
    let told = gather(session, &look.there, near, wanted).await?;
    let text = |contents: &Contents, entry: Entry| {
        let bytes = contents.get(&entry.sha256)?;
        String::from_utf8(bytes.to_vec()).ok()
    };
    let texts = (text(&known, base), text(&known, local), text(&told, remote));
    fresh.extend(told);
    let (Some(base), Some(here), Some(there)) = texts else {
        return Ok(());
    };
    if let Some(merged) = block::follow(&base, &here, &there) {
        let entry = Entry::of(merged.as_bytes(), local.executable);
        fresh.insert(entry.sha256, merged.into_bytes().into());
        plan.resolve(&path, entry);
    }
    Ok(())
}

/// Asks before most files of this side go.
async fn allowed(cx: &Context, look: &Look, plan: &Plan, yes: bool) -> Result<(), CommandError> {
    let Some(gone) = plan.too_many_deletions(Side::Local).filter(|_| !yes) else {
        return Ok(());
    };
    let shown = &look.place.site.shown;
    let question = format!(
        "The server no longer has {gone} of the files in {shown}. Move them to the backup?"
    );
    if cx.ui.yes(&question).await {
        return Ok(());
    }
    let text = format!("{gone} files would go from {shown}, more than half; nothing was written");
    Err(CommandError::new(Kind::Approval, text)
        .hint("wharf sync -n -v lists them; wharf sync --yes moves them to the backup"))
}

/// Gets what the plan writes.
async fn fetch(
    session: &Session<'_>,
    look: &Look,
    plan: &Plan,
    fresh: &mut Contents,
) -> Result<(), CommandError> {
    let mut wanted = plan.needed();
    wanted.retain(|digest| !fresh.contains_key(digest));
    let shelf = look.place.shelf();
    let near = Near {
        here: Some(&look.here),
        shelf: Some(&shelf),
        fresh: None,
    };
    fresh.extend(gather(session, &look.there, near, wanted).await?);
    Ok(())
}

fn section(look: &Look, plan: &Plan, fresh: &Contents) -> Section {
    // What is replaced is read before it is replaced.
    let written = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Write { .. }) && fresh_of(step, fresh));
    let olds: BTreeMap<Digest, _> = written
        .filter_map(|step| {
            let entry = step.local?;
            let bytes = look.here.content(&step.path).ok()?;
            Some((entry.sha256, bytes.into()))
        })
        .collect();
    Section::new(&look.place, plan, &|step| texts_of(step, &olds, fresh))
}

fn fresh_of(step: &Step, fresh: &Contents) -> bool {
    matches!(&step.action, Action::Write { to, .. } if fresh.contains_key(&to.sha256))
}

/// What a plan writes, each content looked at.
pub(super) fn changes(plan: &Plan, contents: &Contents) -> Result<Vec<Change>, CommandError> {
    plan.changes(contents).map_err(|error| {
        CommandError::failed(error.to_string())
            .hint("nothing was written; whoever looks after the server should know")
    })
}

fn apply(
    look: &mut Look,
    plan: &Plan,
    changes: &[Change],
    fresh: &Contents,
    at: i64,
) -> Result<Outcome, ApplyError> {
    let version = &look.there.tree.version;
    let next = look.place.work.base().next(version, plan.agreed());
    let is_news = next != *look.place.work.base();
    let done = look.place.work.apply(changes, next, at)?;
    // What follows can be had again, and must not make a sync fail that is done.
    let _unnoted = look.place.note_time(is_news);
    if is_news {
        keep_contents(look, fresh);
    }
    Ok(done)
}

/// Keeps the contents that are agreed on now.
pub(super) fn keep_contents(look: &Look, fresh: &Contents) {
    let shelf = look.place.shelf();
    let agreed = &look.place.work.base().manifest;
    let mut lacking = shelf.lacks(agreed);
    lacking.retain(|digest| !fresh.contains_key(digest));
    let near = Near {
        here: Some(&look.here),
        ..Near::default()
    };
    let mut contents = find(near, &lacking);
    contents.extend(fresh.iter().map(|(digest, bytes)| (*digest, bytes.clone())));
    shelf.keep(agreed, &contents);
}
