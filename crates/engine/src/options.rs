//! What the engine is given at its start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_exec::files::Files;
use wharf_exec::journal::Journal;
use wharf_exec::{Executor, Hosts};
use wharf_model::{Clock, Entropy, Quotas};
use wharf_policy::Policy;
use wharf_store::{audit::AuditLog, db::Database};

use crate::knowledge::Manual;
use crate::registry::UserRegistry;
use crate::sandboxes::Sandboxes;

/// Everything that comes from outside.
pub struct Parts {
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where commands run.
    pub executor: Arc<dyn Executor>,
    /// Other machines; none: commands run on this one only.
    pub hosts: Option<Arc<dyn Hosts>>,
    /// Machines of sandbox sessions; none: nobody can name one.
    pub sandboxes: Option<Arc<dyn Sandboxes>>,
    /// The files of this machine.
    pub files: Arc<dyn Files>,
    /// Where output goes.
    pub journal: Arc<Journal>,
    /// The record.
    pub audit: AuditLog,
    /// The directory that the record is in.
    pub audit_directory: PathBuf,
    /// The projection of the record, and the sessions.
    pub database: Database,
    /// Who may run what.
    pub policy: Policy,
    /// What is known about commands, the user's entries too.
    pub registry: Arc<UserRegistry>,
    /// What the system knows of programs that the registry does not know.
    pub manual: Arc<dyn Manual>,
}

/// Settings, resolved and checked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where commands start unless told otherwise.
    pub default_cwd: PathBuf,
    /// The environment that commands get: nothing else of the server's own is handed through.
    pub base_env: Vec<(String, String)>,
    /// The home directory and user that commands are judged for.
    pub home: Option<String>,
    /// See `home`.
    pub user: Option<String>,
    /// This machine's name, for metadata.
    pub host: String,
    /// Where other servers on the same database reach this one; empty where they cannot.
    pub peer_url: String,
    /// The program's version, which they are told.
    pub version: String,
    /// Deny becomes confirm; never allow.
    pub allow_dangerous: bool,
    /// What is asked to run on a host runs here.
    pub force_local: bool,
    /// A program of this machine that sudo asks for a password, where none comes with a request.
    pub askpass: Option<String>,
    /// Where Debian's package tools have their locks.
    pub package_locks: PackageLocks,
    /// Bounds.
    pub limits: Limits,
    /// How much those with an account may use, where nothing else is said of them.
    pub quotas: Quotas,
    /// A key that seals what must not lie readable on disk (32 bytes).
    pub seal_key: [u8; 32],
}

/// The files by which Debian's package tools keep each other away.
#[derive(Debug, Clone)]
pub struct PackageLocks {
    /// Whoever is about to install or remove something.
    pub frontend: String,
    /// dpkg's own.
    pub dpkg: String,
    /// For the lists of packages.
    pub lists: String,
    /// For downloaded packages.
    pub archives: String,
}

impl Default for PackageLocks {
    fn default() -> Self {
        Self {
            frontend: "/var/lib/dpkg/lock-frontend".to_owned(),
            dpkg: "/var/lib/dpkg/lock".to_owned(),
            lists: "/var/lib/apt/lists/lock".to_owned(),
            archives: "/var/cache/apt/archives/lock".to_owned(),
        }
    }
}

/// Bounds, each with a default that suits a laptop.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Commands that run at once; more wait.
    pub concurrent_runs: usize,
    /// Commands that wait for a place; more are refused with 429.
    pub queued_runs: usize,
    /// Commands that wait in one session; more are refused with 429.
    pub queued_per_session: usize,
    /// Background commands that run at once; more are refused with 429.
    pub background_runs: usize,
    /// Living sessions of all callers.
    pub sessions: usize,
    /// From TERM to KILL.
    pub grace: Duration,
    /// A session ends after this long without use, unless its maker says otherwise.
    pub session_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_runs: 256,
            queued_runs: 1024,
            queued_per_session: 64,
            background_runs: 256,
            sessions: 1000,
            grace: Duration::from_secs(2),
            session_timeout: Duration::from_secs(3600),
        }
    }
}
