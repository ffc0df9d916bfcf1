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

/// What the output says in place of the output: its digest, or its rows.
pub(super) async fn meaning(
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
    let meaning = &answer.meaning;
    let text = match (&meaning.text, &meaning.data) {
        (Some(text), _) if text.is_empty() || text.ends_with('\n') => text.clone(),
        (Some(text), _) => format!("{text}\n"),
        (None, Some(rows)) => rows.iter().map(line).collect(),
        (None, None) => {
            cx.ui
                .note("no parser knows this output; this is the output itself");
            answer.stdout.clone()
        }
    };
    let written = ui::data(&text);
    if meaning.text.is_none() {
        cx.ui.say(&crate::ui::neutral::neutral(&answer.stderr));
    }
    match written {
        Err(error) if !ui::is_gone(&error) => return Err(CommandError::from(error).into()),
        _ => after::say(cx, &answer),
    }
    Ok(answer.exit_code.map_or(DONE, after::exit_code))
}

fn line(row: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(row).unwrap_or_default() + "\n"
}

fn print_json(answer: &RunResponse) -> Result<(), CommandError> {
    let json = serde_json::to_string(answer)
        .map_err(|error| CommandError::failed("cannot write the answer").because(error))?;
    match ui::data(&format!("{json}\n")) {
        Err(error) if !ui::is_gone(&error) => Err(error.into()),
        _ => Ok(()),
    }
}
