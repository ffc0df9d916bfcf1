//! What can be asked for, already checked for form.

use std::path::PathBuf;
use std::time::Duration;

pub use wharf_exec::remote::Access;
use wharf_model::{CommandText, RunId, Secret, SessionId, Target};

/// Bytes of each stream in an answer unless the request says otherwise.
pub const DEFAULT_OUTPUT_LIMIT: usize = 1024 * 1024;
/// The most that a request may ask for.
pub const MAX_OUTPUT_LIMIT: usize = 64 * 1024 * 1024;
/// The shortest and the longest timeout that a request may ask for.
pub const TIMEOUT_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// The longest password for sudo, in bytes.
pub use wharf_exec::MAX_PASSWORD as MAX_SUDO_PASSWORD;

/// A command to run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The text.
    pub command: CommandText,
    /// Where. In a session it is the session's.
    pub target: Target,
    /// Who we are there, where it is a host.
    pub access: Access,
    /// In which living session, if any.
    pub session: Option<SessionId>,
    /// The directory to start in; the session's, or the server's default.
    pub cwd: Option<PathBuf>,
    /// Variables for this command alone.
    pub env: Vec<(String, Secret)>,
    /// Bytes for its standard input; closed when absent.
    pub stdin: Option<Vec<u8>>,
    /// What each sudo of the text gets when it asks for a password.
    pub sudo_password: Option<Secret>,
    /// When to end it; by its kind when absent.
    pub timeout: Option<Duration>,
    /// Answer at once.
    pub background: bool,
    /// On a host: it goes on when the connection or the server is gone. When absent, what runs in
    /// the background outside of a session does.
    pub durable: Option<bool>,
    /// Bytes of each stream in the answer.
    pub output_limit: usize,
    /// The token of an earlier [`crate::Error::NeedsConfirmation`].
    pub confirmation: Option<String>,
    /// So that the same request is carried out once.
    pub idempotency: Option<Idempotency>,
}

impl RunRequest {
    /// A request with nothing but a command.
    #[must_use]
    pub fn new(command: CommandText) -> Self {
        Self {
            command,
            target: Target::Local,
            access: Access::default(),
            session: None,
            cwd: None,
            env: Vec::new(),
            stdin: None,
            sudo_password: None,
            timeout: None,
            background: false,
            durable: None,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            confirmation: None,
            idempotency: None,
        }
    }
}

/// An idempotency key and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key.
    pub key: String,
    /// A hash of the request's body without the key and the confirmation token.
    pub fingerprint: [u8; 32],
}

/// A session to make.
#[derive(Debug, Clone, Default)]
pub struct NewSession {
    /// A name of the client's own.
    pub id: Option<SessionId>,
    /// Anything the client wants to keep with it, as JSON.
    pub client_info: Option<serde_json::Value>,
    /// End it after this long without use.
    pub timeout: Option<Duration>,
    /// The directory to start in.
    pub cwd: Option<PathBuf>,
    /// Variables to start with.
    pub env: Vec<(String, Secret)>,
    /// Where.
    pub target: Target,
    /// Who we are there, where it is a host.
    pub access: Access,
}

/// How a background process is named. A bare pid is looked up among the caller's own runs only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessSelector {
    /// By the run that started it.
    Run(RunId),
    /// By its process id, within one session when that is given.
    Pid {
        /// The process id that the background answer gave.
        pid: u32,
        /// The session that started it.
        session: Option<SessionId>,
    },
}

/// One of a command's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
