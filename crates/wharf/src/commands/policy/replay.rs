//! `wharf policy replay DIR`

use std::path::PathBuf;

use wharf_api::{PolicyReplay, PolicyReplayRequest};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// What a changed policy would have decided differently over your latest runs
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf policy replay ./policy\n  wharf policy replay ./policy -n 10000"
)]
pub(crate) struct Args {
    /// The folder with the changed policy
    folder: PathBuf,
    /// How many runs
    #[arg(short = 'n', long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
}

pub(crate) fn replay(cx: &Context, args: Args) -> Outcome {
    let files = super::files(cx, Some(&args.folder))?.unwrap_or_default();
    let server = connect::find(cx)?;
    let ask = PolicyReplayRequest {
        files: super::to_wire(files),
        limit: Some(args.limit),
    };
    let found = block_on(async { Ok(server.client.replay_policy(&ask).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
    } else {
        ui::data(&describe(found))?;
        cx.ui
            .note("recorded commands are without their secrets, input and variables");
    }
    Ok(DONE)
}

fn describe(found: PolicyReplay) -> String {
    let mut text = format!(
        "{} runs, {} decided as before, {} differently\n",
        found.read, found.same, found.changed
    );
    for one in &found.moves {
        text.push_str(&format!("  {} to {}: {}\n", one.from, one.to, one.count));
    }
    if !found.changes.is_empty() {
        let rows: Vec<_> = found
            .changes
            .into_iter()
            .map(|change| {
                [
                    change.from,
                    change.to,
                    change.count.to_string(),
                    change.policies.join(", "),
                    change.command,
                ]
            })
            .collect();
        text.push_str(&table(["NOW", "THEN", "RUNS", "POLICY", "COMMAND"], &rows));
    }
    if found.unlisted > 0 {
        text.push_str(&format!(
            "and {} runs that are not listed\n",
            found.unlisted
        ));
    }
    text
}
