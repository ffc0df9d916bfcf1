//! `wharf sync history`

use serde_json::json;
use wharf_sync::apply::{Operation, TouchedKind};

use super::place::{Place, seconds};
use super::report::{ago, named};
use super::sites::{self, Agent};
use super::state::State;
use super::versions;
use crate::commands::whose::Whose;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::{self, neutral::neutral_line, table::table};

/// Files that are named of one operation.
const NAMES_MAX: usize = 3;

/// What was done here, or the versions on the server
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync history                        what was written here, which wharf sync undo takes back
  wharf sync history --server               the versions of your profile on the server
  wharf sync history --server --of team:web")]
pub(crate) struct Args {
    /// The versions of your profile on the server
    #[arg(long)]
    server: bool,
    /// Whose profile: me, org or team:NAME
    #[arg(
        long,
        value_name = "PROFILE",
        default_value = "me",
        requires = "server"
    )]
    of: Whose,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

/// An operation in the directory of one agent.
pub(super) struct Done {
    pub(super) agent: Agent,
    /// The state that it was done with.
    pub(super) state: State,
    /// How many states have been at work there since: accounts, servers.
    pub(super) since: usize,
    pub(super) shown: String,
    pub(super) operation: Operation,
}

pub(super) async fn history(cx: &Context, args: &Args) -> Outcome {
    if args.server {
        return versions::list(cx, &args.of, args.limit).await;
    }
    let mut all = operations(cx)?;
    all.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
    if cx.ui.json {
        let each = all.iter().map(as_json).collect::<Vec<_>>();
        let answer = json!({ "operations": each });
        ui::data(&format!("{answer}\n"))?;
        return Ok(DONE);
    }
    if all.is_empty() {
        cx.ui.note("nothing was written here yet");
        return Ok(DONE);
    }
    let now = seconds();
    let rows: Vec<_> = all
        .iter()
        .map(|done| {
            let operation = &done.operation;
            [
                done.name(),
                ago(operation.at, now),
                format!("-> {}", done.shown),
                what(done),
            ]
        })
        .collect();
    ui::data(&table(["OPERATION", "WHEN", "WHERE", "WHAT"], &rows))?;
    Ok(DONE)
}

impl Done {
    /// Its name. With an account of before it has the number of accounts since behind it.
    pub(super) fn name(&self) -> String {
        self.name_of(self.operation.number)
    }

    /// That of another operation beside it.
    fn name_of(&self, number: u64) -> String {
        let name = named(self.agent.name(), number);
        match self.since {
            0 => name,
            since => format!("{name}~{since}"),
        }
    }
}

/// All operations that can be undone, newest first, whoever's they were.
pub(super) fn operations(cx: &Context) -> Result<Vec<Done>, CommandError> {
    let mut all = Vec::new();
    for agent in Agent::ALL {
        let site = sites::site(cx, agent)?;
        let shown = site.shown.clone();
        for (since, state) in State::all(cx, &site).into_iter().enumerate() {
            let place = Place::open_state(cx, site.clone(), state.clone())?;
            let done = place.work.operations()?.into_iter().map(|operation| Done {
                agent,
                state: state.clone(),
                since,
                shown: shown.clone(),
                operation,
            });
            all.extend(done);
        }
    }
    // Of one moment, the ones of Claude Code first, as they were made.
    all.sort_by_key(|done| (std::cmp::Reverse(done.operation.at), done.agent));
    Ok(all)
}

fn what(done: &Done) -> String {
    let touched = &done.operation.touched;
    let gone = touched.iter().filter(|it| it.kind == TouchedKind::Deleted);
    let gone = gone.count();
    let mut text = match done.operation.undoes {
        Some(number) => format!("undid {}: ", done.name_of(number)),
        None => String::new(),
    };
    text.push_str(&match (touched.len() - gone, gone) {
        (written, 0) => format!("{written} written"),
        (0, gone) => format!("{gone} to backup"),
        (written, gone) => format!("{written} written, {gone} to backup"),
    });
    let names: Vec<String> = touched
        .iter()
        .take(NAMES_MAX)
        .map(|it| neutral_line(it.path.as_str()))
        .collect();
    text.push_str(&format!("  {}", names.join(", ")));
    let more = touched.len().saturating_sub(NAMES_MAX);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn as_json(done: &Done) -> serde_json::Value {
    let operation = &done.operation;
    json!({
        "operation": done.name(),
        "target": done.agent.name(),
        "directory": done.shown,
        "at": operation.at,
        "undoes": operation.undoes.map(|number| done.name_of(number)),
        "files": operation.touched.iter().map(|it| json!({
            "path": it.path.as_str(),
            "kind": match it.kind {
                TouchedKind::Created => "created",
                TouchedKind::Changed => "changed",
                TouchedKind::Mode => "mode",
                TouchedKind::Deleted => "deleted",
            },
        })).collect::<Vec<_>>(),
    })
}
