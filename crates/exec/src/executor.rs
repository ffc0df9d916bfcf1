//! What a place to run commands must be able to do.
//!
//! The engine knows only these traits. [`crate::LocalExecutor`] is the machine itself,
//! [`crate::remote::RemoteExecutor`] a host; a sandbox will be another.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use wharf_model::{Secret, SshTarget};
use wharf_ssh::{Credentials, HostKey, SessionInfo, TrustError, Trusted};

use crate::askpass::Askpass;
use crate::journal::RunOutput;
use crate::tree::Processes;

/// A boxed future, so that the traits can be used behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place where commands run.
pub trait Executor: Send + Sync + 'static {
    /// Starts one command of its own. What it writes goes into `output`.
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Box<dyn Process>, LaunchError>>;

    /// Starts a shell that lives on between commands.
    fn shell(&self, start: ShellStart) -> BoxFuture<'_, Result<Box<dyn Shell>, LaunchError>>;

    /// Makes a private way on which sudo can ask for `password`.
    fn askpass(&self, password: Secret) -> BoxFuture<'_, Result<Askpass, LaunchError>>;

    /// Takes up a command again that was launched with [`Launch::keep`], by [`Process::handle`].
    /// All that it wrote and goes on writing goes into `output`, which is empty.
    fn adopt(
        &self,
        _handle: &str,
        _output: Arc<RunOutput>,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, LaunchError>> {
        Box::pin(std::future::ready(Err(LaunchError::System(
            std::io::Error::other("nothing is kept here"),
        ))))
    }

    /// Why nothing can be started here any more, in words; none while all is well.
    fn fault(&self) -> Option<String> {
        None
    }
}

/// Other machines.
pub trait Hosts: Send + Sync + 'static {
    /// Reaches a host and learns what it is. Connections are shared and kept, so that this costs
    /// something at the first use only.
    fn at<'a>(&'a self, way: &'a Way) -> BoxFuture<'a, Result<Place, LaunchError>>;

    /// A command is given to the place of that key.
    fn used(&self, key: &str, directory: Option<&str>);

    /// The connections at this moment.
    fn connections(&self) -> Vec<HostConnection>;

    /// The key that a host shows now. Nobody enters.
    fn key<'a>(&'a self, way: &'a Way) -> BoxFuture<'a, Result<HostKey, LaunchError>>;

    /// Records the key that a host shows now, if it has the fingerprint that a person has
    /// compared; in the place of another one where `replace` is that one's.
    fn trust<'a>(
        &'a self,
        way: &'a Way,
        fingerprint: &'a str,
        replace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Trusted, TrustError>>;

    /// Looks at the key, connects, runs a trivial command and asks what the host is.
    fn test<'a>(&'a self, way: &'a Way) -> BoxFuture<'a, Tested>;

    /// Closes the connections of one identity to one host. False when there are none.
    fn close<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool>;
}

/// How a host is reached.
#[derive(Debug, Clone)]
pub struct Way {
    /// The host, and what the request or its entry says of it; the rest is the configuration's.
    pub target: SshTarget,
    /// The name under which its key is known and which people see, where that is another one.
    pub name: Option<String>,
    /// Hosts on the way, `[USER@]HOST[:PORT]` and commas, in place of what the configuration says.
    pub jump: Option<String>,
    /// The file of the key that opens it, `~` being the home directory, where the request brings
    /// no other.
    pub identity: Option<String>,
    /// The keys that it shows, as `TYPE BASE64`, where whoever made it says them. Nobody's
    /// configuration and files of known hosts count then.
    pub pinned: Vec<String>,
    /// Who we are there, before all that is configured.
    pub access: Credentials,
}

impl Way {
    /// To a host of which nothing else is said.
    #[must_use]
    pub fn to(target: SshTarget, access: Credentials) -> Self {
        Self {
            target,
            name: None,
            jump: None,
            identity: None,
            pinned: Vec::new(),
            access,
        }
    }
}

/// A host that was reached.
#[derive(Clone)]
pub struct Place {
    /// Runs commands there.
    pub executor: Arc<dyn Executor>,
    /// What it is.
    pub facts: Arc<Facts>,
    /// Its files.
    pub files: Arc<dyn crate::files::Files>,
    /// Which one, for [`Hosts::used`] and [`Hosts::close`].
    pub key: Arc<str>,
}

/// What came of trying a host. What was not come to is absent.
#[derive(Debug, Default)]
pub struct Tested {
    /// The key that it shows.
    pub key: Option<HostKey>,
    /// How long it took to connect; next to nothing where a connection was there.
    pub connected: Option<Duration>,
    /// How long a trivial command took.
    pub round_trip: Option<Duration>,
    /// What it is.
    pub facts: Option<Arc<Facts>>,
    /// What in the configuration was left out and may matter.
    pub notes: Vec<String>,
    /// Why it went no further.
    pub error: Option<LaunchError>,
}

/// What a host says of itself, asked once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The account's home directory.
    pub home: Option<String>,
    /// The account.
    pub user: Option<String>,
    /// Its name for itself.
    pub name: Option<String>,
    /// The kernel, as `uname -s` has it.
    pub kernel: Option<String>,
    /// The machine's architecture, as `uname -m` has it.
    pub architecture: Option<String>,
    /// The system's name and version, as `/etc/os-release` has it.
    pub system: Option<String>,
    /// The login shell.
    pub shell: Option<String>,
    /// Processors.
    pub processors: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The first package manager that is there.
    pub packages: Option<String>,
}

/// One connection for a list.
#[derive(Debug, Clone)]
pub struct HostConnection {
    /// The connection.
    pub info: SessionInfo,
    /// Commands that were given to it since the server's start.
    pub commands: u64,
    /// Where the latest of them ran.
    pub directory: Option<String>,
}

/// What to start.
#[derive(Debug, Clone)]
pub enum Program {
    /// These words, without a shell.
    Direct(Vec<String>),
    /// This text, in a bash that reads no startup files.
    Shell {
        /// The text.
        text: String,
        /// It cannot tell a fresh `bash -c` from a fork of one, so that one that is already there
        /// may serve.
        forkable: bool,
    },
}

/// One command of its own.
#[derive(Debug)]
pub struct Launch {
    /// What to start.
    pub program: Program,
    /// The directory to start in; the executor's default when absent.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the executor's base environment.
    pub env: Vec<(String, String)>,
    /// Bytes for standard input, which is closed otherwise.
    pub stdin: Option<Vec<u8>>,
    /// Where the output goes.
    pub output: Arc<RunOutput>,
    /// The caller will ask for the process id before the end.
    pub wants_pid: bool,
    /// It goes on when the connection to it is cut or this process ends, where the executor can do
    /// that.
    pub keep: bool,
}

/// A shell that lives on.
#[derive(Debug, Clone, Default)]
pub struct ShellStart {
    /// The directory to start in; the executor's default when absent.
    pub cwd: Option<PathBuf>,
    /// The whole exported environment of an earlier shell, or variables on top of the base.
    pub env: ShellEnv,
}

/// The environment of a new shell.
#[derive(Debug, Clone)]
pub enum ShellEnv {
    /// Variables on top of the base environment.
    OnTop(Vec<(String, String)>),
    /// Exactly these.
    Exactly(Vec<(String, String)>),
}

impl Default for ShellEnv {
    fn default() -> Self {
        Self::OnTop(Vec::new())
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

impl Status {
    /// The code as a shell reports it: 128+N for signal N.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + signal,
        }
    }
}

/// The end of a command.
#[derive(Debug, Clone)]
pub struct Exit {
    /// How its first process ended.
    pub status: Status,
    /// What kept it was ended from outside, so that its own end is not known; what was left of it
    /// is ended too.
    pub lost: bool,
    /// Others of its tree go on.
    pub goes_on: bool,
    /// Those that were seen at that moment.
    pub survivors: Vec<u32>,
}

/// A command that was started.
pub trait Process: Send {
    /// The first process, where it is known already.
    fn pid(&self) -> Option<u32>;

    /// For signals and questions from elsewhere.
    fn tree(&self) -> Arc<dyn Tree>;

    /// Takes in the output until the first process has ended, or says why none was started.
    /// Safe to drop and call again.
    fn wait(&mut self) -> BoxFuture<'_, Result<Exit, LaunchError>>;

    /// The words by which it is found again, where it was launched to be kept.
    fn handle(&self) -> Option<String> {
        None
    }

    /// Its end is on record: what it left for [`Executor::adopt`] can go.
    fn settle(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// After [`Process::wait`] named survivors: takes in their output until the last has ended.
    fn outlive(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// A tree of processes.
///
/// Each of these may look through all processes of the machine, which takes milliseconds: not for a
/// runtime's thread.
pub trait Tree: Send + Sync + std::fmt::Debug {
    /// Sends `signal` to every process of the tree.
    fn signal(&self, signal: i32);

    /// Asks every process of the tree to end. May take a second: not for a runtime's thread.
    fn end(&self) {
        self.signal(15);
    }

    /// Kills every process of the tree, and a living shell with its current command. May take a
    /// while: not for a runtime's thread.
    fn kill(&self);

    /// Its processes among all that there are.
    fn members_in(&self, all: &Processes) -> Vec<u32>;

    /// The TCP ports on which its processes listen; none when that cannot be told here.
    fn listens(&self) -> Option<Vec<u16>> {
        Some(crate::ports::listening(&self.members()))
    }

    /// The processes at this moment.
    fn members(&self) -> Vec<u32> {
        self.members_in(&Processes::now())
    }
}

/// One command for a living shell.
#[derive(Debug)]
pub struct ShellCommand {
    /// The text.
    pub text: String,
    /// A directory to change to first; the shell stays there.
    pub cwd: Option<PathBuf>,
    /// Variables for this command alone.
    pub env: Vec<(String, String)>,
    /// Bytes for standard input, which is closed otherwise.
    pub stdin: Option<Vec<u8>>,
    /// Where the output goes.
    pub output: Arc<RunOutput>,
    /// Give it pipes of its own, so that what it leaves running writes into this command's output
    /// and not into a later one's.
    pub own_pipes: bool,
    /// It may change the exported environment, so that this is to be reported.
    pub report_env: bool,
    /// It is one program or pipeline: when that is ended, nothing of the text is left to run.
    pub single: bool,
}

/// What a living shell says after a command.
pub struct ShellReport {
    /// The command's exit code.
    pub status: Status,
    /// The shell itself has ended; a new one is needed.
    pub ended: bool,
    /// It had ended before it took the command in, so that nothing of it has run.
    pub not_started: bool,
    /// Its directory, where it could still say.
    pub cwd: Option<PathBuf>,
    /// Its exported environment, where it was asked for and could still say.
    pub env: Option<Vec<(String, String)>>,
    /// The process id of its latest background job, if this command started one.
    pub job: Option<u32>,
    /// Takes in what the command's stragglers go on writing, until the last has ended.
    pub rest: Option<BoxFuture<'static, ()>>,
    /// What happened to the shell, in words, where the command cannot have meant that.
    pub fault: Option<&'static str>,
}

/// A living shell.
pub trait Shell: Send {
    /// The shell's process.
    fn pid(&self) -> u32;

    /// The processes of the current command, or of the latest: not the shell itself, and not what
    /// earlier commands left running.
    fn tree(&self) -> Arc<dyn Tree>;

    /// All processes below the shell.
    fn members(&self) -> Vec<u32>;

    /// Gives it a command.
    ///
    /// # Errors
    /// When the system has no descriptor left for the command's pipes.
    fn begin(&mut self, command: ShellCommand) -> Result<(), LaunchError>;

    /// Takes in the output until the command that was begun has ended. Safe to drop and call again.
    fn finish(&mut self) -> BoxFuture<'_, ShellReport>;

    /// The shell has ended on its own since its last command.
    fn has_ended(&mut self) -> bool;

    /// How a job that has ended did so, while no command runs; none when the shell does not know.
    fn job_status(&mut self, job: u32) -> BoxFuture<'_, Option<Status>>;

    /// Ends the shell and all that runs in it: TERM, then after `grace` KILL.
    fn end(self: Box<Self>, grace: Duration) -> BoxFuture<'static, ()>;
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The program is not there.
    #[error("{0}: command not found")]
    NotFound(String),
    /// The program may not be executed or is none.
    #[error("{program}: {source}")]
    NotExecutable {
        /// Its name.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The directory to start in cannot be entered.
    #[error("{}: {source}", path.display())]
    Cwd {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system has no process, descriptor or memory left for it.
    #[error("the system cannot start a process: {0}")]
    System(#[source] std::io::Error),
    /// What has to answer first has not done so in its time.
    #[error("{what} has not started within {} s", within.as_secs())]
    TooSlow {
        /// What.
        what: &'static str,
        /// Its time.
        within: Duration,
    },
    /// The connection was lost while it was handed over.
    #[error(
        "the connection to the host was lost as the command was handed over; it may have begun, and is not run again"
    )]
    Uncertain,
    /// The host cannot be reached or does not take it.
    #[error("{0}")]
    Host(#[source] Box<wharf_ssh::Error>),
    /// The process that starts processes is gone.
    #[error("the process that starts commands has ended; the server must be started again")]
    ZygoteGone,
}
