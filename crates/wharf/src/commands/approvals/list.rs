//! `wharf approvals list`

use wharf_api::{Approval, Grant};

use super::show::state;
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// List those that wait for an answer
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf approvals list\n  wharf approvals list --all -n 100\n  wharf approvals list --grants          yeses that hold for longer"
)]
pub(crate) struct Args {
    /// Those that are over, too
    #[arg(short, long)]
    all: bool,
    /// Only those in this state
    #[arg(long, value_name = "STATE", conflicts_with = "all",
        value_parser = ["pending", "approved", "denied", "expired", "used"])]
    state: Option<String>,
    /// Yeses that hold for longer than one run, instead
    #[arg(long, conflicts_with_all = ["all", "state"])]
    grants: bool,
    /// How many
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
}

pub(crate) fn list(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find(cx)?;
    if args.grants {
        let found = block_on(async { Ok(server.client.grants().await?) })?;
        if cx.ui.json {
            ui::data(&format!("{}\n", serde_json::json!(found)))?;
        } else if found.grants.is_empty() {
            cx.ui.note("no yes holds for longer than its run");
        } else {
            let rows: Vec<_> = found.grants.into_iter().map(grant_row).collect();
            ui::data(&table(["APPROVAL", "FOR", "UNTIL", "WHAT", "WHERE"], &rows))?;
        }
        return Ok(DONE);
    }
    let wanted = args.state.as_deref();
    let wanted = wanted.or_else(|| (!args.all).then_some("pending"));
    let found = block_on(async { Ok(server.client.approvals(wanted, args.limit).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
    } else if found.approvals.is_empty() {
        cx.ui.note(match wanted {
            Some("pending") => "nothing waits for an answer; --all lists those that are over",
            _ => "there are none",
        });
    } else {
        let rows: Vec<_> = found.approvals.into_iter().map(row).collect();
        ui::data(&table(
            ["APPROVAL", "STATE", "ASKED BY", "UNTIL", "COMMAND"],
            &rows,
        ))?;
    }
    Ok(DONE)
}

fn row(approval: Approval) -> [String; 5] {
    [
        approval.id,
        state(approval.state).to_owned(),
        approval.caller,
        approval.expires_at,
        approval.command,
    ]
}

fn grant_row(grant: Grant) -> [String; 5] {
    let what = grant
        .pattern
        .unwrap_or_else(|| "the same command".to_owned());
    let place = match (grant.session_id, grant.project, grant.cwd) {
        (Some(session), _, _) => format!("session {session}"),
        (None, Some(place), _) | (None, None, Some(place)) => place,
        (None, None, None) => String::new(),
    };
    [grant.id, grant.caller, grant.expires_at, what, place]
}
