//! `wharf registry search [TEXT]`

use serde::Deserialize;

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Find commands by a word in their name or description
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf registry search archive\n  wharf registry search --category filesystem/search"
)]
pub(crate) struct Args {
    /// The word
    #[arg(default_value = "")]
    text: String,
    /// Only in this category and below it
    #[arg(long, value_name = "CATEGORY", default_value = "")]
    category: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    name: String,
    category: String,
    risk: String,
    description: String,
}

pub(crate) fn search(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    let ask = server.client.registry(&args.text, &args.category);
    let found = block_on(async { Ok(ask.await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
        return Ok(DONE);
    }
    if found.commands.is_empty() {
        cx.ui.note("nothing like that is known");
        return Ok(DONE);
    }
    let rows: Vec<_> = found
        .commands
        .iter()
        .map(|entry| Row::deserialize(entry).unwrap_or_default())
        .map(|row| [row.name, row.risk, row.category, row.description])
        .collect();
    ui::data(&table(
        ["COMMAND", "RISK", "CATEGORY", "DESCRIPTION"],
        &rows,
    ))?;
    Ok(DONE)
}
