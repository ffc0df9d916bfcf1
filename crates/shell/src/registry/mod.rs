//! What is known about commands, from `data/registry/*.toml`, one file per category.
//!
//! The files are compiled in and read once, when they are first asked for.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::analysis::{Program, Risk, TimeoutClass};

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../data/registry/", $name, ".toml")))),*] };
}

const FILES: &[(&str, &str)] = files![
    "filesystem_navigation",
    "filesystem_file_operations",
    "filesystem_search",
    "filesystem_content",
    "system_process_management",
    "system_user_management",
    "system_resource_monitoring",
    "system_services",
    "networking_connection",
    "networking_diagnostics",
    "networking_file_transfer",
    "development_vcs",
    "development_build",
    "development_test",
    "development_packages",
    "development_containers",
    "development_cluster",
    "development_cloud",
    "development_databases",
    "development_languages",
    "development_editors",
];

/// What is known about one command or subcommand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name; that of a subcommand is its last word.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// Path in the tree of categories, such as `filesystem/search`.
    #[serde(default)]
    pub category: String,
    /// The structure of its output.
    pub output_format: String,
    /// Its usual risk, without looking at its arguments.
    pub risk: Risk,
    /// How long it usually takes.
    #[serde(default)]
    pub duration: Duration,
    /// Options worth knowing.
    #[serde(default)]
    pub common_options: Vec<CommonOption>,
    /// Subcommands.
    #[serde(default)]
    pub subcommands: Vec<Entry>,
    /// Commands for similar work.
    #[serde(default)]
    pub related: Vec<String>,
    /// How long it may take.
    #[serde(default)]
    pub timeout_class: TimeoutClass,
    /// Whether it wants a terminal.
    #[serde(default)]
    pub interactive: bool,
    /// What is usually done next, by outcome.
    #[serde(default)]
    pub next_steps: NextSteps,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    category: String,
    command: Vec<Entry>,
}

struct Registry {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

static REGISTRY: LazyLock<Result<Registry, String>> = LazyLock::new(load);

fn load() -> Result<Registry, String> {
    let mut entries = Vec::new();
    for (name, text) in FILES {
        let file: File = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        for mut entry in file.command {
            entry.category.clone_from(&file.category);
            for sub in &mut entry.subcommands {
                sub.category.clone_from(&file.category);
                sub.duration = entry.duration;
                sub.timeout_class = entry.timeout_class;
            }
            entries.push(entry);
        }
    }
    let mut by_name = HashMap::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if by_name.insert(entry.name.clone(), index).is_some() {
            return Err(format!("{} is described twice", entry.name));
        }
    }
    Ok(Registry { entries, by_name })
}

fn registry() -> Option<&'static Registry> {
    REGISTRY.as_ref().ok()
}

/// All entries, in the order of the files.
#[must_use]
pub fn all() -> &'static [Entry] {
    registry().map_or(&[], |registry| &registry.entries)
}

/// The entry of a command by its name, without a path.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static Entry> {
    let registry = registry()?;
    registry.entries.get(*registry.by_name.get(name)?)
}

/// The entry of a program, or that of the subcommand that it was given.
#[must_use]
pub fn describe(program: &Program) -> Option<&'static Entry> {
    let entry = lookup(&program.name)?;
    let operand = program
        .argv
        .iter()
        .flatten()
        .skip(1)
        .find(|arg| !arg.starts_with('-'));
    let sub = operand.and_then(|operand| entry.subcommands.iter().find(|sub| sub.name == *operand));
    Some(sub.unwrap_or(entry))
}

/// All entries in a category or below it.
pub fn by_category(category: &str) -> impl Iterator<Item = &'static Entry> {
    let category = category.trim_end_matches('/').to_owned();
    all().iter().filter(move |entry| {
        entry
            .category
            .strip_prefix(&category)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// All entries that hold the text, in either case; those whose name is it first, then those
/// whose name begins with it, holds it, and those that only speak of it.
#[must_use]
pub fn search(text: &str) -> Vec<&'static Entry> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(u8, &Entry)> = all()
        .iter()
        .filter_map(|entry| closeness(entry, &text).map(|close| (close, entry)))
        .collect();
    found.sort_by_key(|(close, _)| *close);
    found.into_iter().map(|(_, entry)| entry).collect()
}

fn closeness(entry: &Entry, text: &str) -> Option<u8> {
    let name = entry.name.to_ascii_lowercase();
    let speaks = || {
        entry.description.to_ascii_lowercase().contains(text)
            || entry.subcommands.iter().any(|sub| sub.name == text)
    };
    if name == text {
        Some(0)
    } else if name.starts_with(text) {
        Some(1)
    } else if name.contains(text) {
        Some(2)
    } else if speaks() {
        Some(3)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_can_be_read() {
        assert_eq!(REGISTRY.as_ref().err(), None);
    }

    #[test]
    fn it_knows_enough() {
        let subs: usize = all().iter().map(|entry| entry.subcommands.len()).sum();
        assert!(all().len() >= 140, "{} commands", all().len());
        assert!(subs >= 180, "{subs} subcommands");
        assert!(by_category("filesystem").count() > by_category("filesystem/search").count());
        assert_eq!(by_category("file").count(), 0);
    }

    #[test]
    fn entries_are_whole() {
        for entry in all() {
            assert!(entry.description.ends_with('.'), "{}", entry.name);
            assert!(entry.category.contains('/'), "{}", entry.name);
            assert!(
                !entry.related.contains(&entry.name),
                "{} is related to itself",
                entry.name
            );
            let mut names: Vec<_> = entry.subcommands.iter().map(|sub| &sub.name).collect();
            let before = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), before, "{} has a subcommand twice", entry.name);
        }
    }

    #[test]
    fn a_search_finds_the_name_first() {
        assert_eq!(search("git")[0].name, "git");
        assert_eq!(search("GREP")[0].name, "grep");
        assert!(search("disks").iter().any(|entry| entry.name == "lsblk"));
        assert!(search("").is_empty());
        assert!(search("no such thing").is_empty());
    }

    #[test]
    fn a_subcommand_is_described_by_its_own_entry() {
        let analysis = crate::analyze("git --no-pager log -3", &crate::Context::default());
        assert_eq!(
            describe(&analysis.programs[0]).map(|entry| entry.name.as_str()),
            Some("log")
        );
    }
}
