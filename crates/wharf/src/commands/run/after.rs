//! What comes after a command, or instead of its end: words about it, its exit code, and stopping
//! it.

use std::time::Duration;

use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use wharf_api::{RunRequest, RunResponse};
use wharf_client::{Client, RunEvent};

use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// How long the server may take to say that a run has ended after Ctrl-C.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Kinds of failure of what was not started: the command's standard error says why already.
const ON_STDERR: [&str; 7] = [
    "not_found",
    "not_executable",
    "cwd",
    "system",
    "host_key",
    "authentication_failed",
    "connection_failed",
];

/// The lines that `--meta` asks for, and why Wharf ended it if it did.
pub(super) fn say(cx: &Context, answer: &RunResponse) {
    if let Some(metadata) = &answer.metadata {
        let summary = Summary::deserialize(metadata).unwrap_or_default();
        cx.ui.say(&lines(answer, &summary));
    }
    let unsaid = |kind: &str| !ON_STDERR.contains(&kind);
    if let Some(error) = answer.error.as_ref().filter(|error| unsaid(&error.kind)) {
        cx.ui.note(&format!("{}: {}", error.kind, error.message));
    }
    if answer.restored {
        cx.ui
            .note("the session's shell had ended; a new one goes on in its directory");
    }
    if !answer.processes.is_empty() {
        let pids: Vec<_> = answer.processes.iter().map(ToString::to_string).collect();
        cx.ui.note(&format!("still running: {}", pids.join(" ")));
    }
}

/// What of the metadata is shown to people.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Summary {
    risk_level: Option<String>,
    registry: Option<Registry>,
    next_steps: Vec<serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Registry {
    description: Option<String>,
}

fn lines(answer: &RunResponse, summary: &Summary) -> String {
    let code = answer
        .exit_code
        .map_or("running".to_owned(), |code| format!("exit {code}"));
    let mut first = vec![
        answer.command_id.clone(),
        code,
        format!("{:.1} s", answer.execution_time),
    ];
    first.extend(
        summary
            .risk_level
            .as_ref()
            .map(|risk| format!("{risk} risk")),
    );
    first.extend(answer.cwd.clone());
    let mut text = format!("- {}\n", neutral_line(&first.join("  ")));
    let description = summary
        .registry
        .as_ref()
        .and_then(|registry| registry.description.as_ref());
    if let Some(description) = description.filter(|text| !text.is_empty()) {
        text.push_str(&format!("  {}\n", neutral_line(description)));
    }
    let steps: Vec<_> = summary.next_steps.iter().filter_map(step).collect();
    if !steps.is_empty() {
        text.push_str(&format!("  next: {}\n", neutral_line(&steps.join("; "))));
    }
    text.push_str(&format!("  all output: wharf logs {}\n", answer.command_id));
    text
}

/// A step is a text, or an object with one.
fn step(step: &serde_json::Value) -> Option<String> {
    let named = || {
        step.get("command")
            .or_else(|| step.get("step"))
            .and_then(|text| text.as_str())
    };
    step.as_str().or_else(named).map(str::to_owned)
}

/// The exit code as a process can have it.
pub(super) fn exit_code(code: i32) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(u8::MAX)
}

/// Comes to an end when somebody wants us to; as what, says the kind. Both signals are waited for
/// from here on, so that a second one while we stop changes nothing; a third party can still KILL.
pub(crate) async fn interrupted() -> CommandError {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => CommandError::new(Kind::Interrupted, "interrupted"),
        _ = terminate.recv() => CommandError::new(Kind::Terminated, "terminated"),
    }
}

/// Ends a run on the server. A second Ctrl-C stops the waiting.
pub(super) async fn cancel(client: &Client, run: &str) {
    let ended = tokio::time::timeout(STOP_PATIENCE, client.cancel(run));
    tokio::select! {
        // What cannot be said to the server cannot be mended here.
        _unsaid = ended => {}
        _again = interrupted() => {}
    }
}

/// Ends a run whose id is not known yet: under the same key, the server says which run it is, and
/// starts it only if it never came so far. Then it is ended at once.
pub(super) async fn cancel_by_key(client: &Client, request: &RunRequest) {
    let found = async {
        let mut stream = client.run_streamed(request.clone());
        while let Ok(Some(event)) = stream.next().await {
            if let RunEvent::Started { command_id } = event {
                return cancel(client, &command_id).await;
            }
        }
    };
    let _in_time = tokio::time::timeout(STOP_PATIENCE, found).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_happened_and_what_next() {
        let answer = RunResponse {
            command_id: "run_1".into(),
            exit_code: Some(1),
            execution_time: 12.44,
            cwd: Some("/home/ada/shop".into()),
            metadata: Some(serde_json::json!({
                "risk_level": "low",
                "registry": { "description": "Runs\u{1b} tests" },
                "next_steps": ["npx jest cart", { "command": "npm ci" }, 3],
            })),
            ..RunResponse::default()
        };
        let summary = Summary::deserialize(answer.metadata.as_ref().unwrap()).unwrap();
        assert_eq!(
            lines(&answer, &summary),
            "- run_1  exit 1  12.4 s  low risk  /home/ada/shop\n  Runs␛ tests\n  \
             next: npx jest cart; npm ci\n  all output: wharf logs run_1\n"
        );
    }

    #[test]
    fn exit_codes_are_those_of_a_process() {
        assert_eq!(
            (exit_code(0), exit_code(255), exit_code(256), exit_code(-1)),
            (0, 255, 0, 255)
        );
    }
}
