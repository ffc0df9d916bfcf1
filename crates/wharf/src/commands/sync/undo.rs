//! `wharf sync undo [OPERATION]`

use std::collections::BTreeSet;

use serde_json::json;
use wharf_sync::apply::Outcome as Applied;

use super::history::{Done, operations};
use super::place::Place;
use super::report::{beside, count, named};
use super::run;
use super::sites::{self, Agent};
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};

/// Take a sync back: every file becomes what it was before it
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync undo              the last sync, in the directories of all agents
  wharf sync undo 12           one operation of wharf sync history
  wharf sync undo opencode:3   one in the directory of OpenCode
  wharf sync undo 7~1          one with the account that was at work here before

Given again, it goes further back. It is an operation itself, so that it can be undone by its name
as well. What was undone counts as an edit of yours: the next sync does not do it again, wharf sync
push sends it.")]
pub(crate) struct Args {
    /// The operation; the last sync when absent
    #[arg(value_name = "OPERATION")]
    operation: Option<String>,
    /// Also files that were changed since; they go to the backup
    #[arg(short, long)]
    force: bool,
}

/// What became of one operation.
struct Undone {
    agent: Agent,
    shown: String,
    name: String,
    since: usize,
    applied: Applied,
}

impl Undone {
    /// The name of the operation that undid it.
    fn operation(&self) -> Option<String> {
        let name = named(self.agent.name(), self.applied.operation?);
        Some(match self.since {
            0 => name,
            since => format!("{name}~{since}"),
        })
    }
}

pub(super) fn undo(cx: &Context, args: &Args) -> Outcome {
    let all = operations(cx)?;
    let wanted = match &args.operation {
        Some(name) => vec![find(all, name)?],
        None => last(all)?,
    };
    let mut undone = Vec::new();
    let at = run::begin(cx);
    for done in wanted {
        let site = sites::site(cx, done.agent)?;
        let name = done.name();
        let number = done.operation.number;
        let mut place = Place::open_state(cx, site, done.state)?;
        undone.push(Undone {
            agent: done.agent,
            shown: done.shown,
            name,
            since: done.since,
            applied: place.work.undo(number, args.force, at)?,
        });
    }
    show(cx, &undone)?;
    let left = undone.iter().any(|it| it.applied.is_partial());
    Ok(if left {
        Kind::Conflict.exit_code()
    } else {
        DONE
    })
}

fn find(all: Vec<Done>, name: &str) -> Result<Done, CommandError> {
    let found = all.into_iter().find(|done| done.name() == name);
    found.ok_or_else(|| {
        CommandError::new(Kind::NotFound, format!("there is no operation {name}"))
            .hint("wharf sync history lists them")
    })
}

/// The operations of the last sync that holds still: those of one moment. What was undone and the
/// undoing are passed over, so that undoing again goes further back.
fn last(all: Vec<Done>) -> Result<Vec<Done>, CommandError> {
    let mut last: Vec<Done> = Vec::new();
    let mut undone: BTreeSet<(Agent, usize, u64)> = BTreeSet::new();
    for done in all {
        let operation = &done.operation;
        if undone.contains(&(done.agent, done.since, operation.number)) {
            continue;
        }
        if let Some(number) = operation.undoes {
            undone.insert((done.agent, done.since, number));
            continue;
        }
        let at = last.first().map(|it| it.operation.at);
        if at.is_none_or(|at| at == operation.at) {
            last.push(done);
        }
    }
    if last.is_empty() {
        let text = "nothing was written here that could be undone";
        return Err(CommandError::new(Kind::NotFound, text));
    }
    Ok(last)
}

fn show(cx: &Context, undone: &[Undone]) -> Result<(), CommandError> {
    if cx.ui.json {
        let each = undone.iter().map(|it| {
            let names = |paths: &[wharf_sync::profile::ProfilePath]| {
                paths.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            json!({
                "undid": it.name,
                "operation": it.operation(),
                "directory": it.shown,
                "written": names(&it.applied.written),
                "deleted": names(&it.applied.deleted),
                "skipped": names(&it.applied.skipped),
            })
        });
        let answer = json!({ "undone": each.collect::<Vec<_>>() });
        ui::data(&format!("{answer}\n"))?;
        return Ok(());
    }
    if cx.ui.quiet {
        return Ok(());
    }
    let mut text = String::new();
    for it in undone {
        let old = &it.name;
        let files = it.applied.written.len() + it.applied.deleted.len();
        let files = count(files, "file", "files");
        let end = match it.operation() {
            Some(name) => format!("{files} as before (operation {name})"),
            None => "nothing was left to undo".to_owned(),
        };
        text.push_str(&format!("backup {old} -> {}  {end}\n", it.shown));
        for path in &it.applied.skipped {
            let path = neutral_line(path.as_str());
            text.push_str(&format!(
                "   {path} was changed since and left alone; --force\n"
            ));
        }
        text.push_str(&beside(&it.applied));
    }
    let mine = undone.iter().filter(|it| it.agent == Agent::Claude);
    for number in mine.filter_map(Undone::operation) {
        text.push_str(&format!(
            "It counts as an edit of yours. Send: wharf sync push. Back again: wharf sync undo {number}\n"
        ));
    }
    ui::data(&text)?;
    Ok(())
}
