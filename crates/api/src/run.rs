//! `POST /api/run-command` and what is kept of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Meaning;

/// The most bytes that a command gets on its standard input. They come with the request, which is
/// held in memory; more belongs into a file.
pub const STDIN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much metadata an answer carries. Absent: none is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetadataFormat {
    /// Everything.
    Full,
    /// Command, result, description, risk, output format, next steps.
    Summary,
    /// Base command, result and registry entry.
    Minimal,
}

/// What an answer carries on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Include {
    /// The output as a list of objects, where a parser knows it.
    Data,
}

/// What to run, where and how.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct RunRequest {
    /// The command: 1 byte to 128 KiB, no NUL.
    #[schema(min_length = 1, max_length = 131_072)]
    pub command: String,
    /// Run it on another host.
    #[serde(default, skip_serializing_if = "is_false")]
    pub remote: bool,
    /// A sandbox session, `gws_…`, to run it in; `remote`, `host` and what belongs to them are left
    /// out then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// The host, for a remote run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The host's SSH port; 22 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// The user on that host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password for that host; never recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A private key file for that host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_path: Option<String>,
    /// What each `sudo` of the command gets when it asks for a password; one line of at most 1023
    /// bytes, given on a private way and never recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1023)]
    pub sudo_password: Option<String>,
    /// Run in this living session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The directory to start in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment variables for this command alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Text for the command's standard input, which is otherwise closed; at most 8 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// The same in base 64, for bytes that are no text; at most 8 MiB decoded. One of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin_base64: Option<String>,
    /// Seconds until the command is ended; by its kind when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3600)]
    pub timeout: Option<f64>,
    /// Answer at once and leave it running.
    #[serde(default, skip_serializing_if = "is_false")]
    pub background: bool,
    /// On a host: it goes on when the connection or the server is gone, and is taken up again.
    /// When absent, what runs in the background outside of a session does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable: Option<bool>,
    /// How much metadata the answer carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_format: Option<MetadataFormat>,
    /// Bytes kept of each stream in the answer; 1 MiB when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 67_108_864)]
    pub output_limit: Option<u64>,
    /// The token that an earlier 428 answer carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation_token: Option<String>,
    /// The same key and body within 24 hours give the first result again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub idempotency_key: Option<String>,
    /// Tokens, of about 4 bytes, that `text` may have: the output as a model should read it.
    /// Absent: none is made. 100 to 1,000,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 100, maximum = 1_000_000)]
    pub token_budget: Option<u64>,
    /// What else the answer carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Include>,
    /// Also send both streams in base 64, byte-exact.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stdout_base64: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if takes a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The answer to a run, whether the command succeeded or not.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RunResponse {
    /// The command exited with 0.
    pub success: bool,
    /// The exit code; 124 timeout, 126 not executable, 127 not found, 128+N killed by signal N.
    /// Null while a background command runs.
    pub exit_code: Option<i32>,
    /// Standard output, head and tail when it is longer than the limit. Absent in the `exit` event
    /// of a stream, which has sent it before.
    #[serde(default)]
    pub stdout: String,
    /// Standard error, likewise.
    #[serde(default)]
    pub stderr: String,
    /// The command as it was asked for.
    pub command: String,
    /// Seconds that it took.
    pub execution_time: f64,
    /// The run's id, under which output and record are kept.
    pub command_id: String,
    /// The session, if it ran in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The directory after the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The process id of a background command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Bytes left out of each stream, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<Truncated>,
    /// `lossy` when a stream was not UTF-8 and U+FFFD stands for what was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Standard output in base 64, on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout_base64: Option<String>,
    /// Standard error in base 64, on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr_base64: Option<String>,
    /// The session's shell was started anew for this command.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub restored: bool,
    /// This is the stored answer to an earlier request with the same idempotency key.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub replayed: bool,
    /// Processes that the command left running.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub processes: Vec<u32>,
    /// What is known of the command and its result, as asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// The decision that let it run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Value>,
    /// How a model may best read the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub model_hints: Option<Value>,
    /// What the output says, as far as it was asked for.
    #[serde(flatten)]
    pub meaning: Meaning,
    /// Why it failed, where that is known beyond the exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// Bytes of each stream that the answer leaves out; they can be read by range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Truncated {
    /// Bytes of standard output left out.
    pub stdout_bytes: u64,
    /// Bytes of standard error left out.
    pub stderr_bytes: u64,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunError {
    /// `timeout`, `killed`, `not_found`, `not_executable`, `needs_input`, `sudo_password`,
    /// `locked`, `failed`, …
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

/// What is kept of a run: `GET /api/commands/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RunRecord {
    /// The run's id.
    pub command_id: String,
    /// `running`, `done`, `lost` or `refused`.
    pub state: String,
    /// The command, secrets redacted.
    pub command: String,
    /// The session, if it ran in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The exit code, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The first process's id, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// When it ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Bytes written to standard output until now.
    pub stdout_bytes: u64,
    /// Bytes written to standard error until now.
    pub stderr_bytes: u64,
    /// `low`, `medium`, `high`, `critical` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<String>,
    /// `allow`, `confirm` or `deny`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The record's number in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_seq: Option<u64>,
    /// Why it failed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// What is known of the command and its result, as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Value>,
    /// How a model may best read the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub model_hints: Option<Value>,
    /// What the output says, as far as it was asked for.
    #[serde(flatten)]
    pub meaning: Meaning,
}

/// `GET /api/commands`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The caller's latest runs, newest first.
    pub commands: Vec<RunRecord>,
}

/// `DELETE /api/commands/{id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RunCancelled {
    /// The run has ended, now or before.
    pub success: bool,
    /// What is kept of it.
    #[serde(flatten)]
    pub run: RunRecord,
}

/// `GET /api/commands/{id}/output` with `Accept: application/json`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct OutputPage {
    /// The run's id.
    pub command_id: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The first byte of this page.
    pub offset: u64,
    /// Ask for this offset next.
    pub next_offset: u64,
    /// Bytes written to the stream until now.
    pub total: u64,
    /// Bytes that were written but not kept; they follow the kept ones.
    pub dropped: u64,
    /// More may come.
    pub running: bool,
    /// The bytes as text, where they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes in base 64, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}
