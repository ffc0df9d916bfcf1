//! Sessions: living shells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::ProcessInfo;

/// `POST /api/create-session`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CreateSession {
    /// A name of the client's own; made by the server when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 128)]
    pub session_id: Option<String>,
    /// Anything the client wants to keep with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub client_info: Option<Value>,
    /// Seconds without use after which it ends; 3600 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 2_592_000)]
    pub timeout: Option<u64>,
    /// The directory to start in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Environment variables to start with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Where it lives: `local`, which it is when absent, `ssh://[USER@]HOST[:PORT]`, or
    /// `sandbox:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The password for that host; never recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A private key file, on the server's machine, for that host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_path: Option<String>,
}

/// The answer to [`CreateSession`].
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionCreated {
    /// The session's id.
    pub session_id: String,
    /// False when a session of that name was there already and goes on.
    pub created: bool,
}

/// `GET /api/session/{id}`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionDetail {
    /// The session's id.
    pub session_id: String,
    /// Where its shell is.
    pub current_directory: String,
    /// The exported environment; values of variables with secret names are redacted.
    pub environment: BTreeMap<String, String>,
    /// Commands run in it until now.
    pub command_count: u64,
    /// The command that runs in it at present.
    pub active_task: Option<String>,
    /// The latest commands, newest first.
    pub command_history: Vec<HistoryEntry>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_used_at: String,
    /// RFC 3339; moves with every use.
    pub expires_at: String,
    /// Where it lives.
    pub target: String,
    /// Processes that its commands left running.
    pub processes: Vec<ProcessInfo>,
    /// What the client gave when it made the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub client_info: Option<Value>,
}

/// `GET /api/sessions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// The caller's sessions, last used first.
    pub sessions: Vec<SessionSummary>,
}

/// One session in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionSummary {
    /// The session's id.
    pub session_id: String,
    /// Where its shell is.
    pub current_directory: String,
    /// Commands run in it until now.
    pub command_count: u64,
    /// The command that runs in it at present.
    pub active_task: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_used_at: String,
    /// RFC 3339.
    pub expires_at: String,
    /// Where it lives.
    pub target: String,
    /// The server whose it is, where several share a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<SessionServer>,
}

/// A server that shares its database with others.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionServer {
    /// Its id.
    pub id: String,
    /// Where it is reached, if it can be by other servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it is there.
    pub live: bool,
}

/// One command of a session's past.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The run's id; its output can be read by it.
    pub command_id: String,
    /// The command, secrets redacted.
    pub command: String,
    /// Null while it runs.
    pub exit_code: Option<i32>,
    /// It exited with 0.
    pub success: bool,
    /// RFC 3339.
    pub timestamp: String,
    /// Seconds.
    pub execution_time: Option<f64>,
    /// The directory after the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
}

/// `GET /api/session/{id}/history?limit&before`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HistoryPage {
    /// The session's id.
    pub session_id: String,
    /// Newest first.
    pub history: Vec<HistoryEntry>,
    /// Give this as `before` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// `GET /api/session/{id}/suggestions`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Suggestions {
    /// The session's id.
    pub session_id: String,
    /// Best first.
    pub suggestions: Vec<Suggestion>,
}

/// A command that may come next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The command.
    pub command: String,
    /// Where it comes from: `history` or `registry`.
    pub source: String,
    /// Why it is suggested.
    pub reason: String,
    /// The share of past cases in which it came next, 0 to 1; absent for the registry's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

/// A plain yes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Success {
    /// Always true; errors are problem documents.
    pub success: bool,
}
