//! The bodies of the entries that the writer and the projector share.
//!
//! The engine may append other kinds with bodies of its own; the projector skips what it does not
//! know. Members may be added here; none may change its meaning, because old logs stay readable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_model::Caller;

/// Kind of [`RunOpened`].
pub const RUN_OPENED: &str = "run.opened";
/// Kind of [`RunClosed`].
pub const RUN_CLOSED: &str = "run.closed";
/// Kind of [`RunRefused`].
pub const RUN_REFUSED: &str = "run.refused";
/// Kind of [`SessionCreated`].
pub const SESSION_CREATED: &str = "session.created";
/// Kind of [`SessionEnded`].
pub const SESSION_ENDED: &str = "session.ended";

/// Who does what an entry about accounts or sandboxes is of: its first two members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct By<'a> {
    /// A caller's name, or `server` for what nobody asked for. Empty where nobody is known yet.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub caller: &'a str,
    /// The credential that they showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<&'a str>,
}

impl<'a> By<'a> {
    /// A caller, by what they showed.
    #[must_use]
    pub fn caller(caller: &'a Caller) -> Self {
        Self {
            caller: caller.name(),
            credential: caller.grants().credential_id.as_deref(),
        }
    }

    /// Somebody of whom no more than the name is known.
    #[must_use]
    pub const fn named(caller: &'a str) -> Self {
        Self {
            caller,
            credential: None,
        }
    }
}

/// A run was decided and is about to start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOpened {
    /// Id of the run.
    pub run: String,
    /// Who asked.
    pub caller: String,
    /// Session it runs in, when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Where it runs.
    pub target: String,
    /// The command, already redacted.
    pub command: String,
    /// Directory it starts in.
    pub cwd: String,
    /// Type of command (`simple`, `pipe`, …).
    #[serde(rename = "type")]
    pub command_type: String,
    /// Risk as judged.
    pub risk: String,
    /// Verdict of the decision.
    pub verdict: String,
    /// Whether the answer does not wait for the end.
    #[serde(default)]
    pub background: bool,
    /// Key under which the same request is answered from this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<Idempotency>,
    /// Whatever else belongs to the run (correlation id, rules, …); kept as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// An idempotency key and what it stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// Digest of the request, to tell a repeat from another request under the same key.
    pub fingerprint: String,
}

/// A run has ended, or is known to be lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunClosed {
    /// Id of the run.
    pub run: String,
    /// How it ended: `done`, `lost`, ….
    pub state: String,
    /// Exit code, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// How long it took.
    pub ms: i64,
    /// Bytes written to stdout, kept or not.
    #[serde(default)]
    pub stdout_bytes: i64,
    /// Bytes written to stderr, kept or not.
    #[serde(default)]
    pub stderr_bytes: i64,
    /// Where the output is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Kind of error, when Wharf has one to report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Directory after the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Digest of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A run was asked for and refused: nothing was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRefused {
    /// The same members as a run that was opened; `verdict` says why it was not.
    #[serde(flatten)]
    pub request: RunOpened,
    /// The reasons, as told to the caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<serde_json::Value>,
}

/// A session was created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCreated {
    /// Id of the session, unique for its owner.
    pub session: String,
    /// Who owns it.
    pub caller: String,
    /// Where its shell lives.
    pub target: String,
    /// Directory it starts in.
    pub cwd: String,
    /// Seconds of idleness after which it ends.
    pub timeout_s: i64,
    /// What the client said about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_info: Option<String>,
}

/// A session has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// Id of the session.
    pub session: String,
    /// Who owned it.
    pub caller: String,
    /// Why it ended: `deleted`, `idle`, ….
    pub reason: String,
}
