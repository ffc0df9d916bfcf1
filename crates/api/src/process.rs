//! `POST /api/process-manager`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProcessAction {
    /// All background processes, of one session when `session_key` is given.
    List,
    /// One process.
    Status,
    /// The last lines it wrote.
    Logs,
    /// Send it a signal.
    Signal,
    /// End its whole process tree.
    Kill,
}

/// The request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProcessRequest {
    /// What to do.
    pub action: ProcessAction,
    /// The session that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The process id that the background answer gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The run's id, instead of a process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// `TERM`, `SIGINT`, `9` …; for `signal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How many lines; for `logs`, 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub lines: Option<u32>,
}

/// One background process.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProcessInfo {
    /// The process id of the run's first process.
    pub pid: u32,
    /// The run's id.
    pub command_id: String,
    /// The session that started it, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// The command, secrets redacted.
    pub command: String,
    /// `running` or `exited`.
    pub status: String,
    /// Whether it still runs.
    pub running: bool,
    /// Once it has exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// RFC 3339.
    pub started_at: String,
    /// Bytes written to standard output until now.
    pub stdout_bytes: u64,
    /// Bytes written to standard error until now.
    pub stderr_bytes: u64,
    /// For `status`: the TCP ports on which it listens, ascending; absent where that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// For `status`: it listens on a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// Processes of its tree that run at present.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub processes: Vec<u32>,
}

/// The answer: the members that the action calls for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct ProcessResponse {
    /// The action was carried out.
    pub success: bool,
    /// For `list`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<Vec<ProcessInfo>>,
    /// For `status`, `signal`, `kill`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessInfo>,
    /// For `logs`: both streams, the last lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<LogLines>,
}

/// The last lines of a process.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct LogLines {
    /// The process id.
    pub pid: u32,
    /// The run's id.
    pub command_id: String,
    /// Standard output's last lines.
    pub stdout: String,
    /// Standard error's last lines.
    pub stderr: String,
    /// Bytes of standard output in all.
    pub stdout_bytes: u64,
    /// Bytes of standard error in all.
    pub stderr_bytes: u64,
    /// Whether it still runs.
    pub running: bool,
}

/// `GET /api/dev-server-logs/{session_id}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DevServerLogs {
    /// The session.
    pub session_id: String,
    /// The last lines of its latest background process, or of the one asked for.
    #[serde(flatten)]
    pub logs: LogLines,
}

/// One entry of `GET /api/ssh-sessions`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SshSession {
    /// Names the connection.
    pub session_key: String,
    /// The host.
    pub host: String,
    /// Its SSH port.
    pub port: u16,
    /// The user there.
    pub username: String,
    /// `connected`, `idle`, `lost`, …
    pub state: String,
    /// Where its shell is.
    pub current_directory: String,
    /// RFC 3339.
    pub connected_at: String,
    /// RFC 3339.
    pub last_used_at: String,
    /// Commands run over it until now.
    pub commands: u64,
}
