//! The words of an analysis: everything that is said about a command before it runs.

use serde::{Deserialize, Serialize, Serializer};

use crate::place::Class as PlaceClass;

/// What is known about the place where the command would run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Absolute working directory.
    pub cwd: Option<&'a str>,
    /// The caller's home directory, for `~` and `$HOME`.
    pub home: Option<&'a str>,
    /// The caller's login name, for `~name` and `$USER`.
    pub user: Option<&'a str>,
    /// Root of the tree in which work is ordinary. Without it the working directory counts.
    pub workspace_root: Option<&'a str>,
    /// Branch that is checked out.
    pub git_branch: Option<&'a str>,
}

/// A half-open range of bytes in the command; on the wire `[start, end]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range from `start` up to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.start, self.end].serialize(serializer)
    }
}

/// The shape of a command. The order of the variants is the precedence of the wire's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// bash would reject the text.
    Invalid,
    /// Loops, conditionals, functions, groups, subshells.
    Compound,
    /// A here-document feeds a command.
    Heredoc,
    /// A part is started with `&`.
    Background,
    /// Several commands, joined by `&&`, `||`, `;` or a newline.
    Chain,
    /// Commands joined by `|`.
    Pipeline,
    /// A redirection of input or output.
    Redirect,
    /// A change of directory.
    Cd,
    /// `sudo`, `doas` or `su`.
    Sudo,
    /// A package manager.
    PackageManager,
    /// A container tool.
    Docker,
    /// None of the above.
    Simple,
}

/// Everything that could be read from the text of a command.
#[derive(Clone, Debug, Serialize)]
pub struct Analysis {
    /// Basename of the first program, empty when there is none.
    pub base_command: String,
    /// The first of [`features`](Self::features) by precedence.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Every shape that applies, in order of precedence.
    pub features: Vec<Kind>,
    /// Every program that would run, in the order of its word in the text.
    pub programs: Vec<Program>,
    /// Whether a part runs with another user's rights.
    pub privileged: bool,
    /// Paths that are read, as written.
    pub reads: Vec<String>,
    /// Paths that are written, as written.
    pub writes: Vec<String>,
    /// What the command would do.
    pub effects: Vec<Effect>,
    /// The highest risk of all findings.
    #[serde(rename = "risk_level")]
    pub risk: Risk,
    /// Which rules matched, where, and what to do instead.
    pub findings: Vec<Finding>,
    /// Set when bash would reject the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parse_error: Option<ParseError>,
    /// How the command can be started.
    pub launch: Launch,
    /// What the command needs of the shell that runs it.
    pub shell_use: ShellUse,
    /// How long this kind of command is usually allowed to take.
    pub timeout_class: TimeoutClass,
    /// A program that wants a terminal.
    pub interactive: bool,
}

/// The rule that is reported where something is not understood and has another user's rights.
pub(crate) const UNKNOWN_WITH_PRIVILEGE: &str = "unknown-with-privilege";

impl Analysis {
    /// Whether something that is not understood would run with another user's rights.
    #[must_use]
    pub fn unknown_with_privilege(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.rule == UNKNOWN_WITH_PRIVILEGE)
    }
}

/// One program that would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Basename, after quotes and escapes are resolved.
    pub name: String,
    /// Its word in the text.
    pub span: Span,
    /// Name and arguments, when all of them are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// Where it runs when that is not this machine: `ssh`, `docker`, `kubectl`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// One thing that the command would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What is done.
    pub kind: EffectKind,
    /// What it is done to, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The part of the text that does it.
    pub span: Span,
    /// Where the target leads, when it is a path.
    #[serde(skip)]
    pub reach: Option<Reach>,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// What kind of place it is.
    pub class: PlaceClass,
    /// The absolute path; `\0` stands for what is not known, and patterns stand as written.
    pub path: String,
    /// With everything below.
    pub below: bool,
}

/// The kinds of effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectKind {
    /// Reads a file.
    Read,
    /// Creates or overwrites a file.
    Write,
    /// Deletes files.
    Delete,
    /// Changes mode, owner or attributes.
    Metadata,
    /// Writes to a disk, partition or boot path directly.
    Device,
    /// Talks to another machine.
    NetworkOut,
    /// Accepts connections.
    NetworkIn,
    /// Runs code that came over the network.
    RemoteCode,
    /// Runs code that the text does not show.
    HiddenCode,
    /// Signals or stops processes, starts or stops services.
    ProcessControl,
    /// Ends or restarts the system, its network or its sessions.
    SystemControl,
    /// Runs with another user's rights.
    Privilege,
    /// Installs or removes packages.
    Packages,
    /// Starts or changes containers.
    Containers,
    /// Changes a cluster or a cloud account.
    Infrastructure,
    /// Rewrites or discards version-control history or work.
    History,
    /// Changes a database.
    Database,
    /// Publishes or withdraws something that others use.
    Publish,
    /// Reads or sends credentials.
    Credentials,
    /// Arranges for code to run later.
    Persistence,
    /// Disables a protection.
    Security,
    /// Takes resources until the machine is unusable.
    ResourceBomb,
    /// Hides what was done.
    HidesTraces,
    /// Waits for a person at a terminal.
    Interactive,
    /// Starts a server.
    Server,
}

/// How bad it could be. `Unknown` stands above `High`, because what is not understood may be
/// anything, and below `Critical`, because what is known to be critical stays so.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Reads, prints, or changes nothing that matters.
    #[default]
    Low,
    /// Ordinary work with an effect.
    Medium,
    /// A loss that a person should agree to.
    High,
    /// Not understood.
    Unknown,
    /// A loss that nobody wants.
    Critical,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the rule.
    pub rule: String,
    /// The part of the text that it matched.
    pub span: Span,
    /// Why it matters.
    pub message: String,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<String>,
    /// The risk that the rule gives.
    pub risk: Risk,
}

/// Why bash would reject the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// How a command can be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Launch {
    /// Proven to be one program with literal arguments; no shell is needed.
    Direct {
        /// Name and arguments.
        argv: Vec<String>,
    },
    /// Needs a shell.
    Shell,
}

/// What a command needs of the shell that runs it, and leaves behind in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShellUse {
    /// Could change the shell itself: directory, variables, functions, options. False when certain.
    pub mutates_state: bool,
    /// Could see whether it runs in a fresh shell or in a fork of a living one.
    pub inspects_shell: bool,
    /// Leaves something running.
    pub backgrounds: bool,
    /// Only builtins run: no external program, no unknown name.
    pub pure_builtins: bool,
    /// `exec` with redirections only, which must persist in a living shell.
    pub redirects_shell: bool,
    /// Offset of the final `&` when the whole text is exactly one and-or list ended by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background_tail: Option<usize>,
}

/// How long a kind of command is usually allowed to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeoutClass {
    /// 30 seconds.
    #[default]
    Default,
    /// 60 seconds.
    ServerStart,
    /// 120 seconds.
    PackageManager,
    /// 300 seconds.
    Container,
}

impl TimeoutClass {
    /// The time in seconds; the numbers are those of the wire contract.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Default => 30,
            Self::ServerStart => 60,
            Self::PackageManager => 120,
            Self::Container => 300,
        }
    }
}
