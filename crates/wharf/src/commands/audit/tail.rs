//! `wharf audit tail`

use serde::Deserialize;
use wharf_model::Timestamp;
use wharf_store::audit::{self, Record};

use super::folder;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui::{self, table::table};

/// The latest entries of the record, newest last
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf audit tail -n 50\n  wharf audit tail --json | jq .command"
)]
pub(crate) struct Args {
    /// How many entries
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    lines: u32,
}

pub(crate) fn tail(cx: &Context, args: &Args) -> Outcome {
    let wanted = usize::try_from(args.lines).unwrap_or(usize::MAX);
    let records = audit::tail(&folder(cx)?, wanted)
        .map_err(|error| CommandError::failed("cannot read the record").because(error))?;
    let text = if cx.ui.json {
        records
            .iter()
            .map(|record| format!("{}\n", record.json()))
            .collect()
    } else {
        let rows: Vec<_> = records.iter().map(row).collect();
        table(["SEQ", "TIME", "WHAT", "RESULT", "RUN", "COMMAND"], &rows)
    };
    ui::data(&text)?;
    Ok(DONE)
}

/// What most kinds of entries have in common.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    run: Option<String>,
    session: Option<String>,
    approval: Option<String>,
    by: Option<String>,
    command: Option<String>,
    verdict: Option<String>,
    risk: Option<String>,
    exit_code: Option<i64>,
    state: Option<String>,
}

fn row(record: &Record) -> [String; 6] {
    let body: Body = record.body().unwrap_or_default();
    let result = match (&body.state, body.exit_code, &body.verdict) {
        (Some(state), Some(code), _) => format!("{state} {code}"),
        (Some(state), None, _) => state.clone(),
        (None, _, Some(verdict)) => body
            .risk
            .as_ref()
            .map_or(verdict.clone(), |risk| format!("{verdict}, {risk}")),
        _ => body.by.map(|by| format!("by {by}")).unwrap_or_default(),
    };
    [
        record.seq.to_string(),
        Timestamp::from_millis(record.time_ms).to_string(),
        record.kind().to_owned(),
        result,
        body.run
            .or(body.approval)
            .or(body.session)
            .unwrap_or_default(),
        body.command.unwrap_or_default(),
    ]
}
