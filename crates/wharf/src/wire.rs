//! Where the world comes in: the only place that reads the environment, the current directory,
//! the clock and randomness, and that finds out what standard input and output are.

pub(crate) mod configuration;
pub(crate) mod database;
pub(crate) mod gateway;
pub(crate) mod identity;
pub(crate) mod issuers;
pub(crate) mod mail;
pub(crate) mod manual;
pub(crate) mod offline;
pub(crate) mod peers;
pub(crate) mod policy;
pub(crate) mod server;
pub(crate) mod ssh;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wharf_localstate::Surroundings;
use wharf_model::{Clock, Entropy, Timestamp};

use crate::error::CommandError;

/// What surrounds this process, read once.
#[derive(Debug, Default, Clone)]
pub(crate) struct World {
    variables: BTreeMap<OsString, OsString>,
    cwd: Option<PathBuf>,
    executable: Option<PathBuf>,
    /// Standard input is a terminal.
    pub(crate) stdin_terminal: bool,
    /// Standard output is a terminal.
    pub(crate) stdout_terminal: bool,
    /// Standard error is a terminal.
    pub(crate) stderr_terminal: bool,
}

impl World {
    /// Reads it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the environment is read"
    )]
    pub(crate) fn read() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            cwd: std::env::current_dir().ok(),
            executable: std::env::current_exe().ok(),
            stdin_terminal: std::io::stdin().is_terminal(),
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// A variable's value, if it is text.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.variables
            .get(OsStr::new(name))?
            .to_str()
            .map(str::to_owned)
    }

    /// Whether a variable is set to something.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.variables
            .get(OsStr::new(name))
            .is_some_and(|value| !value.is_empty())
    }

    /// The names of all variables that are text.
    pub(crate) fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().filter_map(|name| name.to_str())
    }

    /// All variables that are text.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.variables.iter();
        all.filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }

    /// The current directory, if it is still there.
    pub(crate) fn cwd(&self) -> Option<&Path> {
        self.cwd.as_deref()
    }

    /// The home directory.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.path("HOME").filter(|home| home.is_absolute())
    }

    /// This program's file.
    pub(crate) fn executable(&self) -> Option<&Path> {
        self.executable.as_deref()
    }

    /// What decides where files are kept.
    pub(crate) fn surroundings(&self) -> Surroundings {
        Surroundings {
            wharf_home: self.path("WHARF_HOME"),
            home: self.home(),
            xdg_config: self.path("XDG_CONFIG_HOME"),
            xdg_state: self.path("XDG_STATE_HOME"),
            xdg_data: self.path("XDG_DATA_HOME"),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(OsStr::new(name)).map(PathBuf::from)
    }

    /// A world for a test.
    #[cfg(test)]
    pub(crate) fn made_up(cwd: &Path, variables: &[(&str, &str)]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            cwd: Some(cwd.to_owned()),
            ..Self::default()
        }
    }
}

/// The system's wall clock.
#[derive(Debug, Clone)]
pub(crate) struct SystemClock {
    zone: jiff::tz::TimeZone,
}

impl SystemClock {
    /// In the time zone of this machine.
    pub(crate) fn here() -> Self {
        Self {
            zone: jiff::tz::TimeZone::system(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        // A clock before 1970 is as wrong as one at 1970.
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn utc_offset_minutes(&self) -> i32 {
        jiff::Timestamp::from_millisecond(self.now().millis())
            .map_or(0, |now| self.zone.to_offset(now).seconds() / 60)
    }
}

/// The system's randomness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::panic,
        reason = "without randomness no id and no token is safe to make"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(error) = getrandom::fill(buffer) {
            panic!("the system has no randomness: {error}");
        }
    }
}

/// Runs a command's future on this thread: a client has no use for more of them, and starting
/// them would cost more than most commands take.
pub(crate) fn block_on<T>(
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("cannot set up the event loop").because(error))?;
    runtime.block_on(future)
}
