//! The answer to a run, written in one pass.
//!
//! It has the members of [`wharf_api::RunResponse`], which a test holds it to, but borrows what it
//! can: a stream goes from the bytes that were captured into the answer's buffer, once.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;
use wharf_api::Truncated;
use wharf_engine::Finished;
use wharf_engine::knowledge::{self, DataAbout, Knowledge, TextAbout};
use wharf_engine::output::hints::ModelHints;
use wharf_engine::output::rows::Row;
use wharf_engine::shell::DecisionView;

use super::analysis;
use super::string;
use super::text::{Shown, shown};

/// Room for everything but the streams.
const AROUND_BYTES: usize = 2048;

/// What of an answer the request asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) base64: bool,
    pub(crate) knowledge: knowledge::Wanted,
}

/// The wire's `RunResponse` without its streams, borrowed.
#[derive(Serialize)]
struct Answer<'a> {
    success: bool,
    exit_code: Option<i32>,
    command: &'a str,
    execution_time: f64,
    command_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<Truncated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr_base64: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restored: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    processes: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<DecisionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_hints: Option<ModelHints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Vec<Row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_about: Option<DataAbout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_about: Option<TextAbout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView<'a>>,
}

#[derive(Serialize)]
struct ErrorView<'a> {
    kind: &'a str,
    message: Cow<'a, str>,
}

/// Whether a run did what it was asked for. A background command that was launched did.
pub(crate) fn succeeded(finished: &Finished) -> bool {
    finished.error.is_none() && finished.exit_code.is_none_or(|code| code == 0)
}

/// The answer as JSON.
pub(crate) fn json(
    finished: &Finished,
    base64_too: bool,
    known: Knowledge,
) -> Result<Vec<u8>, serde_json::Error> {
    let rest = format!("GET /api/commands/{}/output?stream=", finished.run);
    let stdout = shown(&finished.stdout, &format!("{rest}stdout"));
    let stderr = shown(&finished.stderr, &format!("{rest}stderr"));
    let room = stdout.text.len().saturating_add(stderr.text.len());
    // Escapes make a text longer; a sixteenth covers the newlines of ordinary output.
    let mut out = Vec::with_capacity(room.saturating_add(room / 16).saturating_add(AROUND_BYTES));
    let mut answer = around(finished, known);
    answer.truncated = truncated(&stdout, &stderr);
    answer.encoding = (stdout.lossy || stderr.lossy).then_some("lossy");
    if base64_too {
        answer.stdout_base64 = Some(base64(&finished.stdout));
        answer.stderr_base64 = Some(base64(&finished.stderr));
    }
    // The streams may be megabytes of text that needs no escape; they are written by themselves.
    out.extend_from_slice(b"{\"stdout\":");
    string::append(&mut out, &stdout.text);
    out.extend_from_slice(b",\"stderr\":");
    string::append(&mut out, &stderr.text);
    let rest = serde_json::to_vec(&answer)?;
    out.push(b',');
    out.extend_from_slice(rest.strip_prefix(b"{").unwrap_or(&rest));
    Ok(out)
}

/// The answer without its streams, for the last event of a stream.
pub(crate) fn json_without_streams(
    finished: &Finished,
    known: Knowledge,
) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&around(finished, known))
}

fn around(finished: &Finished, known: Knowledge) -> Answer<'_> {
    let by_text = || finished.decision.as_ref().map(analysis::decision_view);
    Answer {
        success: succeeded(finished),
        exit_code: finished.exit_code,
        command: &finished.command,
        execution_time: finished.duration.as_secs_f64(),
        command_id: finished.run.as_str(),
        session_id: finished
            .session
            .as_ref()
            .map(wharf_model::SessionId::as_str),
        cwd: finished
            .cwd
            .as_deref()
            .map(std::path::Path::to_string_lossy),
        pid: finished.pid,
        truncated: None,
        encoding: None,
        stdout_base64: None,
        stderr_base64: None,
        restored: finished.restored,
        replayed: finished.replayed,
        processes: &finished.survivors,
        metadata: known.metadata,
        decision: known.decision.or_else(by_text),
        model_hints: known.model_hints,
        data: known.data,
        data_about: known.data_about,
        text: known.text,
        text_about: known.text_about,
        error: error(finished),
    }
}

/// Why it failed: what is known beyond the code, or what the code itself says.
fn error(finished: &Finished) -> Option<ErrorView<'_>> {
    if let Some((kind, message)) = &finished.error {
        let message = Cow::Borrowed(message.as_str());
        return Some(ErrorView { kind, message });
    }
    let (kind, message) = match finished.exit_code? {
        0 => return None,
        126 => (
            "not_executable",
            "a program could not be executed".to_owned(),
        ),
        127 => ("not_found", "a program was not found".to_owned()),
        code @ 129..=192 => ("killed", format!("killed by signal {}", code - 128)),
        code => ("failed", format!("exited with {code}")),
    };
    Some(ErrorView {
        kind,
        message: message.into(),
    })
}

fn truncated(stdout: &Shown<'_>, stderr: &Shown<'_>) -> Option<Truncated> {
    let truncated = Truncated {
        stdout_bytes: stdout.omitted,
        stderr_bytes: stderr.omitted,
    };
    (truncated != Truncated::default()).then_some(truncated)
}

/// Head and tail, byte for byte, without the line between them.
fn base64(captured: &wharf_engine::Captured) -> String {
    if captured.tail.is_empty() {
        return BASE64_STANDARD.encode(&captured.head);
    }
    BASE64_STANDARD.encode([captured.head.as_ref(), captured.tail.as_ref()].concat())
}
