//! The registry of one server: the entries that come with the program, and those of its user.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Serialize;

use super::built_in;
use super::entry::{CommonOption, Entry};
use super::find::{closeness, within};
use super::load::{self, Loaded, Problem, Rigour, repeated};
use crate::analysis::Program;

/// Built-in entries under entries of the user.
///
/// Where the user describes a command that is built in, the user's words come first, and what
/// they leave out stays: options, subcommands, and every form whose risk is higher.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    entries: Vec<Custom>,
    by_name: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Custom {
    /// Over the built-in one.
    pub(super) entry: Entry,
    /// As the user wrote it.
    pub(super) own: Entry,
    file: String,
}

/// Where an entry comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It comes with the program.
    BuiltIn,
    /// A file of the user.
    User {
        /// The file, as it was named at loading.
        file: String,
        /// Whether it stands over an entry that comes with the program.
        over_built_in: bool,
    },
}

/// An entry that was looked up by its words.
#[derive(Clone, Debug, Serialize)]
pub struct Shown<'r> {
    /// The command and its subcommand, if one was named.
    pub words: String,
    /// What is known about it.
    pub entry: &'r Entry,
    /// Where that comes from.
    pub origin: Origin,
}

static BUILT_IN: LazyLock<Registry> = LazyLock::new(Registry::default);

impl Registry {
    /// The entries that come with the program, alone.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The entries of these files over those that are built in. Each file is a name, which only
    /// appears in problems, and its text.
    ///
    /// # Errors
    /// Everything that is wrong in any of the files, by file and line.
    pub fn with_user(files: &[(&str, &str)]) -> Result<Self, Vec<Problem>> {
        let known = |name: &str| known_among(files, name);
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for (name, text) in files {
            let (entries, wrong) = load::file(name, text, Rigour::Full, &known);
            problems.extend(wrong);
            found.extend(entries.into_iter().map(|loaded| (*name, loaded)));
        }
        problems.extend(across(&found));
        if !problems.is_empty() {
            problems.sort();
            problems.dedup();
            return Err(problems);
        }
        let mut registry = Self::default();
        for (file, loaded) in found {
            registry.put(file, loaded.entry);
        }
        Ok(registry)
    }

    /// Everything that is wrong with a file of the user.
    #[must_use]
    pub fn check(file: &str, text: &str) -> Vec<Problem> {
        Self::with_user(&[(file, text)]).err().unwrap_or_default()
    }

    /// The entries of a file as they are written, not yet over those that are built in.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Vec<Entry>, Vec<Problem>> {
        let files = [(file, text)];
        let known = |name: &str| known_among(&files, name);
        let (entries, problems) = load::file(file, text, Rigour::Full, &known);
        if problems.is_empty() {
            Ok(entries.into_iter().map(|loaded| loaded.entry).collect())
        } else {
            Err(problems)
        }
    }

    fn put(&mut self, file: &str, own: Entry) {
        let entry = match built_in::lookup(&own.name) {
            Some(ours) => merged(ours, own.clone()),
            None => own.clone(),
        };
        self.by_name.insert(own.name.clone(), self.entries.len());
        self.entries.push(Custom {
            entry,
            own,
            file: file.to_owned(),
        });
    }

    /// Whether the user has added nothing.
    #[must_use]
    pub const fn is_built_in(&self) -> bool {
        self.entries.is_empty()
    }

    /// The user's entry of a program, or of its subcommand, over the built-in one.
    #[must_use]
    pub fn of_user(&self, program: &Program) -> Option<&Entry> {
        super::of_program(&self.custom(&program.name)?.entry, program)
    }

    /// The names of all entries.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let user = self.entries.iter().map(|custom| custom.own.name.as_str());
        let ours = built_in::names().map(|name| -> &str { name });
        ours.chain(user.filter(|name| !built_in::contains(name)))
    }

    /// The entry of a command by its name, without a path.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Entry> {
        match self.custom(name) {
            Some(custom) => Some(&custom.entry),
            None => built_in::lookup(name),
        }
    }

    pub(super) fn custom(&self, name: &str) -> Option<&Custom> {
        self.entries.get(*self.by_name.get(name)?)
    }

    /// All entries: those of the user first, then the others in the order of the files.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        let user = self.entries.iter().map(|custom| &custom.entry);
        let ours = built_in::all().iter().copied();
        user.chain(ours.filter(|entry| !self.by_name.contains_key(&entry.name)))
    }

    /// The entry of a program, or that of the subcommand that it was given.
    #[must_use]
    pub fn describe(&self, program: &Program) -> Option<&Entry> {
        super::of_program(self.lookup(&program.name)?, program)
    }

    /// What is known under these words: a command, or a command and its subcommand.
    #[must_use]
    pub fn show(&self, words: &str) -> Option<Shown<'_>> {
        let mut given = words.split_whitespace();
        let command = given.next()?;
        let entry = self.lookup(command)?;
        let rest: Vec<&str> = given.collect();
        let entry = match rest.as_slice() {
            [] => entry,
            _ => {
                let name = rest.join(" ");
                entry.subcommands.iter().find(|sub| sub.name == name)?
            }
        };
        let origin = match self.custom(command) {
            None => Origin::BuiltIn,
            Some(custom) => Origin::User {
                file: custom.file.clone(),
                over_built_in: built_in::contains(command),
            },
        };
        let mut words = vec![command];
        words.extend(rest);
        Some(Shown {
            words: words.join(" "),
            entry,
            origin,
        })
    }

    /// The entries in a category or below it that hold the text, the nearest first. An empty text
    /// or category leaves nothing out.
    #[must_use]
    pub fn search(&self, text: &str, category: &str) -> Vec<&Entry> {
        let text = text.trim().to_ascii_lowercase();
        let category = category.trim_matches('/');
        let mut found: Vec<(u8, &Entry)> = self
            .all()
            .filter(|entry| within(entry, category))
            .filter_map(|entry| closeness(entry, &text).map(|close| (close, entry)))
            .collect();
        found.sort_by_key(|(close, _)| *close);
        found.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// Whether a command is built in or described in one of the files.
fn known_among(files: &[(&str, &str)], name: &str) -> bool {
    let line = format!("name = \"{name}\"");
    built_in::contains(name)
        || files
            .iter()
            .any(|(_, text)| text.lines().any(|other| other.trim() == line))
}

/// Commands that two files describe. Twice in one file is found when that is read.
fn across(found: &[(&str, Loaded)]) -> Vec<Problem> {
    let names = found.iter().enumerate();
    let names = names.map(|(index, (_, loaded))| (loaded.entry.name.as_str(), index));
    let again = repeated(names).into_iter();
    let problem = |(name, index): (&str, usize)| {
        let (file, loaded) = found.get(index)?;
        let (other, _) = found.iter().find(|(_, other)| other.entry.name == name)?;
        (other != file).then(|| Problem {
            file: (*file).to_owned(),
            line: loaded.line,
            message: format!("the command `{name}` is described in {other} as well"),
        })
    };
    again.filter_map(problem).collect()
}

/// The user's entry over ours.
fn merged(ours: &Entry, mut user: Entry) -> Entry {
    user.common_options = options(&ours.common_options, user.common_options);
    user.raises.extend(ours.raises.iter().cloned());
    if user.related.is_empty() {
        user.related.clone_from(&ours.related);
    }
    if user.examples.is_empty() {
        user.examples.clone_from(&ours.examples);
    }
    if user.next_steps.success.is_empty() && user.next_steps.failure.is_empty() {
        user.next_steps.clone_from(&ours.next_steps);
    }
    let mut subcommands = Vec::with_capacity(ours.subcommands.len());
    let own = std::mem::take(&mut user.subcommands);
    for sub in &ours.subcommands {
        match own.iter().find(|own| own.name == sub.name) {
            Some(own) => subcommands.push(merged(sub, own.clone())),
            None => subcommands.push(sub.clone()),
        }
    }
    let new = own
        .into_iter()
        .filter(|own| ours.subcommands.iter().all(|sub| sub.name != own.name));
    subcommands.extend(new);
    user.subcommands = subcommands;
    user
}

fn options(ours: &[CommonOption], mut user: Vec<CommonOption>) -> Vec<CommonOption> {
    for option in ours {
        let named = |other: &CommonOption| {
            let mut names = option.names();
            names.any(|name| other.names().any(|other| other == name))
        };
        if !user.iter().any(named) {
            user.push(option.clone());
        }
    }
    user
}
