//! One request, one answer: for `--json` and for what is left running.

use wharf_api::{RunRequest, RunResponse};
use wharf_client::Client;

use super::{Failure, after};
use crate::commands::DONE;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;

pub(super) async fn run(
    cx: &Context,
    client: &Client,
    request: &RunRequest,
) -> Result<u8, Failure> {
    let answer = tokio::select! {
        answer = client.run(request) => answer?,
        wanted = after::interrupted() => {
            after::cancel_by_key(client, request).await;
            return Err(wanted.into());
        }
    };
    if cx.ui.json {
        print_json(&answer)?;
    } else {
        let text = format!("{}\n", answer.command_id);
        ui::data(&text).map_err(CommandError::from)?;
        let pid = answer
            .pid
            .map_or(String::new(), |pid| format!(" (pid {pid})"));
        cx.ui.note(&format!(
            "running{pid}; wharf logs -f {}",
            answer.command_id
        ));
    }
    Ok(match answer.exit_code {
        None => DONE,
        Some(code) => after::exit_code(code),
    })
}

fn print_json(answer: &RunResponse) -> Result<(), CommandError> {
    let json = serde_json::to_string(answer)
        .map_err(|error| CommandError::failed("cannot write the answer").because(error))?;
    match ui::data(&format!("{json}\n")) {
        Err(error) if !ui::is_gone(&error) => Err(error.into()),
        _ => Ok(()),
    }
}
