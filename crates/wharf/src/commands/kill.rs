//! `wharf kill RUN`

use wharf_api::{ProcessAction, ProcessRequest};

use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui;
use crate::wire::block_on;

/// End a run and its whole process tree, or send it a signal
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  wharf kill run_5t9…\n  wharf kill run_5t9… --signal HUP")]
pub(crate) struct Args {
    /// The run's id
    run: String,
    /// Send this signal instead of ending it
    #[arg(long, value_name = "SIGNAL")]
    signal: Option<String>,
}

pub(crate) fn kill(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find(cx)?;
    let answer = block_on(async {
        let Some(signal) = &args.signal else {
            return Ok(serde_json::to_value(server.client.cancel(&args.run).await?));
        };
        let ask = ProcessRequest {
            action: ProcessAction::Signal,
            session_key: None,
            pid: None,
            command_id: Some(args.run.clone()),
            signal: Some(signal.clone()),
            lines: None,
        };
        Ok(serde_json::to_value(server.client.process(&ask).await?))
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", answer.unwrap_or_default()))?;
    } else {
        cx.ui.note(&match &args.signal {
            Some(signal) => format!("sent {signal} to {}", args.run),
            None => format!("ended {}", args.run),
        });
    }
    Ok(DONE)
}
