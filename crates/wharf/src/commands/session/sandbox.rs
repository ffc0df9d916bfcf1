//! Sandbox sessions among the others: told apart by their id.

use serde_json::json;
use wharf_api::gateway::{Sandbox, SandboxList};
use wharf_client::{Client, Error as ClientError};

use crate::commands::workspace::server;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::stop::Stop;
use crate::sandbox::find::is_sandbox;
use crate::sandbox::line;
use crate::ui::neutral::neutral_line;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Those that the caller sees; none where the server knows of no sandboxes.
pub(super) async fn list(client: &Client) -> Result<SandboxList, CommandError> {
    match client.sandboxes(None, false).await {
        Ok(list) => Ok(list),
        Err(ClientError::Refused { problem, .. }) if problem.status == 404 => {
            Ok(SandboxList::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// The list, for people.
pub(super) fn rows(sandboxes: &[Sandbox]) -> String {
    let rows: Vec<_> = sandboxes
        .iter()
        .map(|it| {
            [
                it.id.clone(),
                it.status.clone(),
                it.provider.clone(),
                it.last_activity_at.clone(),
                it.expires_at.clone(),
                it.display_name
                    .clone()
                    .or_else(|| it.title.clone())
                    .unwrap_or_default(),
            ]
        })
        .collect();
    let head = [
        "SANDBOX",
        "STATUS",
        "PROVIDER",
        "LAST USED",
        "ENDS",
        "DIRECTORY",
    ];
    table(head, &rows)
}

/// `wharf session show gws_…`
pub(super) fn show(cx: &Context, id: &str) -> Outcome {
    let server = server(cx)?;
    let sandbox = block_on(async { Ok(server.client.sandbox(id).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(sandbox)))?;
    } else {
        ui::data(&describe(&sandbox))?;
    }
    Ok(DONE)
}

fn describe(sandbox: &Sandbox) -> String {
    let status = match &sandbox.reason {
        Some(reason) => format!("{}: {reason}", sandbox.status),
        None => sandbox.status.clone(),
    };
    let address = match (&sandbox.ssh_host, sandbox.ssh_port) {
        (Some(host), Some(port)) => Some(format!("{host}:{port}")),
        _ => None,
    };
    let seconds = sandbox.seconds_used;
    let lines = [
        ("sandbox", Some(sandbox.id.clone())),
        ("status", Some(status)),
        ("directory", sandbox.display_name.clone()),
        ("title", sandbox.title.clone()),
        ("provider", Some(sandbox.provider.clone())),
        ("machine", sandbox.sandbox_id.clone()),
        ("ssh", address),
        ("workspace", sandbox.workspace.clone()),
        ("created", Some(sandbox.created_at.clone())),
        ("last used", Some(sandbox.last_activity_at.clone())),
        (
            "pauses",
            sandbox
                .pauses_at
                .clone()
                .map(|at| format!("{at} unless it is used")),
        ),
        (
            "ends",
            sandbox
                .ended_at
                .is_none()
                .then(|| sandbox.expires_at.clone()),
        ),
        ("ended", sandbox.ended_at.clone()),
        ("ran for", Some(format!("{} min", seconds / 60))),
    ];
    let lines = lines
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)));
    lines
        .map(|(name, text)| format!("{name:<10} {}\n", neutral_line(&text)))
        .collect()
}

/// Stop sessions, with all that runs in them
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf session stop gws_01                a sandbox, with all that is in it
  wharf session stop work                  a living shell

What was not brought back from a sandbox is gone with it: wharf workspace diff shows what there is.")]
pub(crate) struct StopArgs {
    /// The sessions' ids
    #[arg(required = true, value_name = "SESSION")]
    pub(super) sessions: Vec<String>,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
}

pub(super) fn stop(cx: &Context, args: &StopArgs) -> Outcome {
    let server = server(cx)?;
    block_on(async {
        for id in &args.sessions {
            if !is_sandbox(id) {
                server.client.delete_session(id).await?;
                cx.ui.note(&format!("ended session {id}"));
                continue;
            }
            let before = server.client.sandbox(id).await?;
            let is_over = before.ended_at.is_some();
            let question = format!("End {id} and all that is in it?");
            if !is_over && !args.yes && !cx.ui.yes(&question).await {
                return Err(CommandError::new(Kind::Approval, format!("{id} goes on"))
                    .hint("--yes does not ask"));
            }
            let ended = server.client.end_sandbox(id).await?;
            // What is kept of it here is of no more use.
            let _gone = line::dir(&cx.places, id).map(std::fs::remove_dir_all);
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(ended)))?;
            } else if is_over {
                cx.ui.event(&format!("{id} had ended already"));
            } else {
                cx.ui.event(&format!("ended {id}"));
            }
        }
        Ok(DONE)
    })
}

/// What one call makes of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Extend(u64),
}

pub(super) fn change(cx: &Context, id: &str, change: Change) -> Outcome {
    if !is_sandbox(id) {
        let text = format!("{id} is a living shell, and goes on by itself");
        return Err(CommandError::usage(text).hint("this is for sandboxes: gws_\u{2026}"));
    }
    let server = server(cx)?;
    let client = &server.client;
    let sandbox = block_on(async {
        Ok(match change {
            Change::Pause => client.pause_sandbox(id).await?,
            Change::Resume => client.resume_sandbox(id).await?,
            Change::Extend(seconds) => client.extend_sandbox(id, seconds).await?,
        })
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(sandbox)))?;
    } else {
        let text = format!(
            "{id} is {}, and ends {}",
            sandbox.status, sandbox.expires_at
        );
        cx.ui.event(&text);
    }
    Ok(DONE)
}

/// `wharf session events gws_…`: what is known, then what happens, to the session's end.
pub(super) fn events(cx: &Context, id: &str, after: u64) -> Outcome {
    if !is_sandbox(id) {
        return Err(
            CommandError::usage(format!("{id} is a living shell, which has no events")).hint(
                format!("wharf session history {id} says what was run in it"),
            ),
        );
    }
    let server = server(cx)?;
    block_on(async {
        let mut stop = Stop::listen()?;
        let mut events = server.client.sandbox_events(id, after);
        loop {
            let event = tokio::select! {
                kind = stop.asked() => return Err(CommandError::new(kind, "stopped")),
                event = events.next() => event?,
            };
            let Some(event) = event else {
                return Ok(DONE);
            };
            let text = if cx.ui.json {
                json!(event).to_string()
            } else {
                let reason = event
                    .reason
                    .as_ref()
                    .map_or_else(String::new, |it| format!("  {it}"));
                let ends = format!("ends {}", event.expires_at);
                neutral_line(&format!(
                    "{:>4}  {}  {:<10} {:<9}{reason}  {ends}",
                    event.number, event.at, event.kind, event.status
                ))
            };
            ui::data(&format!("{text}\n"))?;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_described_by_what_is_known() {
        let sandbox = Sandbox {
            id: "gws_1".to_owned(),
            status: "paused".to_owned(),
            reason: Some("nobody used it\u{1b}[2J".to_owned()),
            provider: "local".to_owned(),
            created_at: "A".to_owned(),
            last_activity_at: "B".to_owned(),
            expires_at: "C".to_owned(),
            seconds_used: 125,
            ..Sandbox::default()
        };
        assert_eq!(
            describe(&sandbox),
            "sandbox    gws_1\n\
             status     paused: nobody used it\u{241b}[2J\n\
             provider   local\n\
             created    A\n\
             last used  B\n\
             ends       C\n\
             ran for    2 min\n"
        );
    }
}
