//! `wharf session history ID`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// What was run in a session, newest last
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The session's id
    session: String,
    /// How many commands
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only those before this one; the last line of an earlier answer says it
    #[arg(long, value_name = "CURSOR")]
    before: Option<String>,
}

pub(crate) fn history(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find(cx)?;
    let page = block_on(async {
        Ok(server
            .client
            .history(&args.session, args.limit, args.before.as_deref())
            .await?)
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(page)))?;
        return Ok(DONE);
    }
    let rows: Vec<_> = page
        .history
        .into_iter()
        .rev()
        .map(|entry| {
            [
                entry.timestamp,
                entry
                    .exit_code
                    .map_or("-".to_owned(), |code| code.to_string()),
                entry
                    .execution_time
                    .map_or("-".to_owned(), |seconds| format!("{seconds:.2} s")),
                entry.command_id,
                entry.command,
            ]
        })
        .collect();
    ui::data(&table(["STARTED", "EXIT", "TOOK", "RUN", "COMMAND"], &rows))?;
    if let Some(before) = page.next_before {
        cx.ui.note(&format!(
            "earlier: wharf session history {} --before {before}",
            args.session
        ));
    }
    Ok(DONE)
}
