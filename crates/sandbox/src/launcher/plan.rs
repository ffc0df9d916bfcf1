//! What the launcher is asked and what it answers: JSON on its standard input and output.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The largest plan that is read, in bytes.
pub(crate) const MAX_PLAN_BYTES: u64 = 1024 * 1024;

/// One task of the launcher's.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    /// Starts a sandbox; the answer is its first process, which goes on.
    Start(Box<Start>),
    /// Goes on as the first process of that sandbox, which the caller has become.
    Inside(Box<Start>),
    /// Does something to files whose owners are those inside a sandbox.
    Files {
        /// Whose they are.
        owners: Owners,
        /// What is done.
        task: FilesTask,
    },
    /// Starts a user-mode network stack for a sandbox; the answer is its process, which goes on.
    Network {
        /// The sandbox's first process.
        init: Init,
        /// Whether there is a root inside.
        has_root: bool,
        /// The stack.
        program: PathBuf,
        /// The sandbox's control groups.
        groups: Vec<PathBuf>,
    },
    /// Hands out connections into a sandbox's network until its standard input is closed.
    Dial {
        /// The sandbox's first process.
        init: Init,
    },
}

/// Work on a sandbox's files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilesTask {
    /// Removes directories with all that is in them.
    Remove(Vec<PathBuf>),
    /// Copies these parts of one directory into another, with owners, modes, times, links, holes
    /// and attributes. A part that is there already is removed first.
    Copy {
        /// Of which directory.
        from: PathBuf,
        /// Whose the files are there.
        owners: Owners,
        /// Into which.
        to: PathBuf,
        /// The directories in it that are copied.
        parts: Vec<PathBuf>,
    },
}

/// A sandbox that is to be started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Its name for itself.
    pub(crate) name: String,
    /// The directory in which its files are.
    pub(crate) directory: PathBuf,
    /// Where its programs come from.
    pub(crate) base: Base,
    /// Who its users are outside.
    pub(crate) owners: Owners,
    /// Control groups that it is to be in; they exist.
    pub(crate) groups: Vec<PathBuf>,
    /// Programs of this machine's that it has as well, by the names that they have inside.
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// Most processes, where no control group counts them.
    pub(crate) processes: Option<u64>,
    /// How much memory it may use, of which what is kept in memory is a part.
    pub(crate) memory: Option<u64>,
    /// How it is entered.
    pub(crate) entry: Entry,
    /// The name server, where it has a network.
    pub(crate) name_server: Option<String>,
    /// A fault that a test makes.
    pub(crate) fault: Option<Fault>,
}

/// Where a sandbox's programs come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// This machine's `/usr`, of which the sandbox changes a copy of its own.
    Host,
    /// A directory with the root of a system, which many sandboxes share and none changes.
    Image(PathBuf),
}

/// Who the users inside are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Owners {
    /// User and group 0 is `first`, and so on; the launcher is root and says so itself.
    Range {
        /// The first outside.
        first: u32,
        /// How many.
        count: u32,
    },
    /// User 0 is whoever starts this; the others are of their subordinate ids, by `newuidmap`.
    Subordinate {
        /// The invoking user.
        user: u32,
        /// Their group.
        group: u32,
        /// The first subordinate user.
        first_user: u32,
        /// The first subordinate group.
        first_group: u32,
        /// How many of each.
        count: u32,
    },
    /// There is one user, `user`, and that is whoever starts this.
    Single {
        /// The invoking user.
        user: u32,
        /// Their group.
        group: u32,
    },
}

impl Owners {
    /// Whether there is a root inside, and so an sshd that can become anybody.
    pub(crate) fn has_root(self) -> bool {
        !matches!(self, Self::Single { .. })
    }
}

/// How a sandbox is entered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Where sshd listens, inside.
    pub(crate) port: u16,
    /// Its private key, in the form of OpenSSH.
    pub(crate) host_key: String,
    /// The keys that open it, as lines of `authorized_keys`.
    pub(crate) authorized: Vec<String>,
    /// Variables that every session has.
    pub(crate) environment: Vec<(String, String)>,
}

/// A process that is found again: a number alone would be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Init {
    /// Its number.
    pub(crate) pid: i32,
    /// When it was started, in ticks since the machine's start.
    pub(crate) started: u64,
}

/// Steps of starting, in their order. What a failure names, and where a test makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The record is written.
    Record,
    /// The directories are made.
    Directories,
    /// The control groups are made.
    Groups,
    /// The launcher is in the control groups.
    Join,
    /// The file systems that only root can make are made.
    Mounts,
    /// The first process is there.
    Clone,
    /// Its users are mapped.
    Maps,
    /// It is in a root of its own.
    Root,
    /// Its files are written.
    Files,
    /// What it may do is cut down.
    Confine,
    /// It listens for whoever enters.
    Listen,
    /// The way from this machine is open.
    Relay,
    /// Its way to the network is open.
    Egress,
}

impl Step {
    /// All steps, in their order.
    pub const ALL: [Self; 13] = [
        Self::Record,
        Self::Directories,
        Self::Groups,
        Self::Join,
        Self::Mounts,
        Self::Clone,
        Self::Maps,
        Self::Root,
        Self::Files,
        Self::Confine,
        Self::Listen,
        Self::Relay,
        Self::Egress,
    ];

    /// What was being done, for a message.
    #[must_use]
    pub fn doing(self) -> &'static str {
        match self {
            Self::Record => "writing its record",
            Self::Directories => "making its directories",
            Self::Groups => "making its control groups",
            Self::Join => "entering its control groups",
            Self::Mounts => "making its file systems",
            Self::Clone => "making its namespaces",
            Self::Maps => "mapping its users",
            Self::Root => "changing into its root",
            Self::Files => "writing its files",
            Self::Confine => "cutting down what it may do",
            Self::Listen => "listening inside",
            Self::Relay => "opening the way in",
            Self::Egress => "opening the way out",
        }
    }
}

/// A fault that a test makes while a sandbox is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// After which step.
    pub after: Step,
    /// What happens then.
    pub how: How,
}

/// What happens at a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The step is said to have failed.
    Fails,
    /// The process whose step it is ends at once and says nothing: the server, the launcher, or
    /// the sandbox's first process.
    Ends,
    /// The server ends at once, whoever's step it is.
    EndsServer,
}

impl Fault {
    /// What happens after that step.
    pub(crate) fn at(self, step: Step) -> Option<How> {
        (self.after == step).then_some(self.how)
    }
}

/// The launcher's answer, one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The sandbox is there.
    Started {
        /// Its first process.
        init: Init,
        /// What could not be had, in words.
        notes: Vec<String>,
    },
    /// The files are as they should be.
    Done,
    /// The network stack is there.
    Serving(Init),
    /// Connections are handed out from now on.
    Dialing,
    /// It did not work.
    Failed(Failure),
}

/// Which step failed, and how.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Failure {
    /// The step; none where it is no start.
    pub(crate) step: Option<Step>,
    /// What failed, in words.
    pub(crate) what: String,
}

impl Failure {
    pub(crate) fn at(step: Step, what: impl std::fmt::Display) -> Self {
        Self {
            step: Some(step),
            what: what.to_string(),
        }
    }

    pub(crate) fn plain(what: impl std::fmt::Display) -> Self {
        Self {
            step: None,
            what: what.to_string(),
        }
    }
}

/// Names the step and the object of a system call that failed.
pub(crate) trait Named<T> {
    fn named(self, step: Step, object: &str) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Named<T> for Result<T, E> {
    fn named(self, step: Step, object: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::at(step, format_args!("{object}: {error}")))
    }
}
