//! What is known about one command: the words of the data files and of the wire.

use serde::{Deserialize, Serialize};

use crate::analysis::{Risk, TimeoutClass};

/// What is known about one command or subcommand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name; that of a subcommand is the words behind the command: `remote add`.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Path in the tree of categories, such as `filesystem/search`.
    #[serde(default)]
    pub category: String,
    /// The structure of its output, one of [`FORMATS`].
    pub output_format: String,
    /// Its usual risk, without looking at its arguments.
    pub risk: Risk,
    /// How long it usually takes.
    #[serde(default)]
    pub duration: Duration,
    /// How long it may take.
    #[serde(default)]
    pub timeout_class: TimeoutClass,
    /// Whether it wants a terminal.
    #[serde(default)]
    pub interactive: bool,
    /// Options worth knowing.
    #[serde(default)]
    pub common_options: Vec<CommonOption>,
    /// Forms whose risk is higher.
    #[serde(default)]
    pub raises: Vec<Raise>,
    /// Commands for similar work.
    #[serde(default)]
    pub related: Vec<String>,
    /// How it is used.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// What is usually done next, by outcome.
    #[serde(default)]
    pub next_steps: NextSteps,
    /// Subcommands, nested ones by all their words.
    #[serde(default)]
    pub subcommands: Vec<Entry>,
}

/// How long a command usually takes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Duration {
    /// Not noticed by a person.
    Instant,
    /// A person waits for it.
    #[default]
    Short,
    /// A person does something else.
    Long,
    /// Until it is ended.
    Open,
}

impl Duration {
    /// The upper end in milliseconds: 100 ms is what a person takes for immediate and 10 s how
    /// long one waits (Miller 1968, Nielsen 1993); beyond that, the time that the class allows.
    #[must_use]
    pub const fn upper_ms(self, class: TimeoutClass) -> u64 {
        match self {
            Self::Instant => 100,
            Self::Short => 10_000,
            Self::Long | Self::Open => class.seconds() * 1_000,
        }
    }
}

/// An option worth knowing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommonOption {
    /// As it is written, its spellings separated by a comma: `-t, --target-directory DIR`.
    pub flag: String,
    /// What it does.
    pub description: String,
    /// Whether a value belongs to it, behind it or behind `=`.
    #[serde(default)]
    pub takes_value: bool,
}

impl CommonOption {
    /// An option of this form.
    #[must_use]
    pub fn new(flag: String, description: String) -> Self {
        let takes_value = flag
            .split(", ")
            .any(|spelling| spelling.contains([' ', '=']));
        Self {
            flag,
            description,
            takes_value,
        }
    }

    /// Its spellings without the value.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.flag
            .split(", ")
            .filter_map(|spelling| spelling.split([' ', '=']).next())
    }
}

/// A form whose risk is higher than that of the plain command. Of each list that is not empty
/// one must apply, and one of `operands` or `places` when both are given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raise {
    /// One of these options.
    #[serde(default)]
    pub flags: Vec<String>,
    /// An operand like one of these; `*` stands for anything.
    #[serde(default)]
    pub operands: Vec<String>,
    /// An operand in such a place.
    #[serde(default)]
    pub places: Vec<Place>,
    /// The risk of this form.
    pub risk: Risk,
    /// Why.
    pub reason: String,
}

/// The classes of places that a form can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `/`
    Root,
    /// A directory of the system, or something in it.
    System,
    /// A disk or partition.
    Device,
    /// The home directory.
    HomeRoot,
    /// Something in it, outside the tree.
    Home,
    /// Anywhere else outside the tree.
    Outside,
    /// The tree in which work is ordinary.
    TreeRoot,
    /// Its history.
    TreeGit,
}

/// How a command is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The command.
    pub command: String,
    /// What it does.
    pub description: String,
}

/// What is usually done next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NextSteps {
    /// After success.
    pub success: Vec<String>,
    /// After failure.
    pub failure: Vec<String>,
}

/// The categories there are. A new one needs a file of its own.
pub const CATEGORIES: &[&str] = &[
    "filesystem/navigation",
    "filesystem/file_operations",
    "filesystem/search",
    "filesystem/content",
    "system/process_management",
    "system/user_management",
    "system/resource_monitoring",
    "system/services",
    "networking/connection",
    "networking/diagnostics",
    "networking/file_transfer",
    "development/vcs",
    "development/build",
    "development/test",
    "development/packages",
    "development/containers",
    "development/cluster",
    "development/cloud",
    "development/databases",
    "development/languages",
    "development/editors",
    "development/archives",
    "development/text",
];

/// The structures that an output can have.
pub const FORMATS: &[&str] = &[
    "text",
    "none",
    "list",
    "path",
    "tabular",
    "key_value",
    "tree",
    "json",
    "ndjson",
    "yaml",
    "xml",
    "csv",
    "sql",
    "diff",
    "log",
    "status",
    "progress",
    "build",
    "test_report",
    "lint_report",
    "plan",
    "binary",
    "screen",
];
