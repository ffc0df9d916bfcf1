//! What is known about commands, from `data/registry/*.toml`.

use serde::{Deserialize, Serialize};

use crate::analysis::{Risk, TimeoutClass};

/// What is known about one command or subcommand.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its name; a subcommand has its parents before it, separated by spaces.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Path in the tree of categories, such as `filesystem/search`.
    pub category: String,
    /// The structure of its output.
    pub output_format: String,
    /// Its usual risk.
    pub risk: Risk,
    /// Options worth knowing.
    pub common_options: Vec<CommonOption>,
    /// Subcommands.
    pub subcommands: Vec<Entry>,
    /// Commands for similar work.
    pub related: Vec<String>,
    /// How long it may usually take.
    pub timeout_class: TimeoutClass,
    /// Whether it wants a terminal.
    pub interactive: bool,
    /// What is usually done next, by outcome.
    pub next_steps: NextSteps,
}

/// An option worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonOption {
    /// As it is written.
    pub flag: String,
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

/// The entry of a command.
#[must_use]
pub fn lookup(_name: &str) -> Option<&'static Entry> {
    None
}

/// All entries in a category or below it.
pub fn by_category(_category: &str) -> impl Iterator<Item = &'static Entry> {
    std::iter::empty()
}

/// All entries whose name or description holds the text, best first.
#[must_use]
pub fn search(_text: &str) -> Vec<&'static Entry> {
    Vec::new()
}
