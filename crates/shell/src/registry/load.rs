//! From text to entries, with everything that is wrong and the line where it stands.

use std::collections::HashMap;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check;
use super::entry::{CommonOption, Entry, Example, NextSteps, Place, Raise};
use super::near::nearest;
use crate::analysis::Risk;

/// What is wrong with a text about commands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Error, Serialize)]
#[error("{file}:{line}: {message}")]
pub struct Problem {
    /// The file, as the caller names it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do.
    pub message: String,
}

/// An entry and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub(super) entry: Entry,
    pub(super) line: usize,
}

/// How an entry is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rigour {
    /// What a test has checked. Only its form is looked at.
    Form,
    /// Everything.
    Full,
}

/// Reads one entry that comes with the program, without its header.
pub(super) fn built_in(category: &str, text: &str) -> Option<Entry> {
    let table = DeTable::parse(text).ok()?;
    let mut reader = Reader::new("", text, Rigour::Form);
    let entry = reader.entry(table.get_ref(), 0, category, None);
    entry.filter(|_| reader.problems.is_empty())
}

/// Reads a file. `known` says which other commands there are.
pub(super) fn file(
    name: &str,
    text: &str,
    rigour: Rigour,
    known: &dyn Fn(&str) -> bool,
) -> (Vec<Loaded>, Vec<Problem>) {
    let mut reader = Reader::new(name, text, rigour);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            reader.problem(at, error.message());
        }
        return (Vec::new(), reader.finish());
    }
    let entries = reader.commands(table.get_ref());
    if rigour != Rigour::Form {
        check::relations(&mut reader, table.get_ref(), &entries, known);
    }
    (entries, reader.finish())
}

type Pair<'a, 't> = (
    &'a Spanned<std::borrow::Cow<'t, str>>,
    &'a Spanned<DeValue<'t>>,
);

pub(super) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    rigour: Rigour,
    problems: Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(file: &'t str, text: &'t str, rigour: Rigour) -> Self {
        Self {
            file,
            text,
            rigour,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, at: usize, message: impl Into<String>) {
        let line = self.line(at);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            message: message.into(),
        });
    }

    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    /// Whether more than the form is looked at.
    pub(super) fn thorough(&self) -> bool {
        self.rigour != Rigour::Form
    }

    fn finish(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }

    fn commands(&mut self, table: &DeTable<'_>) -> Vec<Loaded> {
        let mut category = String::new();
        let mut commands = Vec::new();
        for pair in table {
            match pair.0.get_ref().as_ref() {
                "category" => category = self.text(pair).unwrap_or_default(),
                "command" => commands = self.tables(pair),
                _ => self.unknown_key(pair, &["category", "command"]),
            }
        }
        if self.thorough() {
            check::category(self, table, &category);
        }
        if commands.is_empty() && !table.contains_key("command") {
            self.problem(
                0,
                "there is no command; each begins with a line [[command]]",
            );
        }
        let mut entries = Vec::with_capacity(commands.len());
        for (at, table) in commands {
            let line = self.line(at);
            if let Some(entry) = self.entry(table, at, &category, None) {
                entries.push(Loaded { entry, line });
            }
        }
        entries
    }

    /// Reads the members of a command, or of a subcommand when there is a parent.
    fn entry(
        &mut self,
        table: &DeTable<'_>,
        at: usize,
        category: &str,
        parent: Option<&Entry>,
    ) -> Option<Entry> {
        let mut entry = Entry {
            category: category.to_owned(),
            ..Entry::default()
        };
        if let Some(parent) = parent {
            entry.duration = parent.duration;
            entry.timeout_class = parent.timeout_class;
        }
        let before = self.problems.len();
        let mut subcommands = Vec::new();
        for pair in table {
            match pair.0.get_ref().as_ref() {
                "name" => entry.name = self.text(pair).unwrap_or_default(),
                "description" => entry.description = self.text(pair).unwrap_or_default(),
                "output_format" => entry.output_format = self.text(pair).unwrap_or_default(),
                "risk" => entry.risk = self.risk(pair),
                "duration" => entry.duration = self.one_of(pair, DURATIONS),
                "timeout_class" => entry.timeout_class = self.one_of(pair, TIMEOUTS),
                "interactive" => entry.interactive = self.flag(pair),
                "common_options" => entry.common_options = self.options(pair),
                "raises" => entry.raises = self.raises(pair),
                "related" if parent.is_none() => entry.related = self.texts(pair),
                "examples" => entry.examples = self.examples(pair),
                "next_steps" if parent.is_none() => entry.next_steps = self.next_steps(pair),
                "subcommands" if parent.is_none() => subcommands = self.tables(pair),
                _ if parent.is_none() => self.unknown_key(pair, KEYS),
                _ => self.unknown_key(pair, SUB_KEYS),
            }
        }
        for key in ["name", "description", "output_format", "risk"] {
            if !table.contains_key(key) {
                let what = if parent.is_some() {
                    "subcommand"
                } else {
                    "command"
                };
                let name = &entry.name;
                self.problem(at, format!("the {what} `{name}` has no {key}"));
            }
        }
        for (at, table) in subcommands {
            let sub = self.entry(table, at, category, Some(&entry));
            entry.subcommands.extend(sub);
        }
        if self.thorough() {
            check::entry(self, table, &entry, parent);
        }
        (self.problems.len() == before).then_some(entry)
    }

    fn options(&mut self, pair: Pair<'_, '_>) -> Vec<CommonOption> {
        let pairs = self.pairs(pair, "flag");
        let new = |(flag, description)| CommonOption::new(flag, description);
        pairs.into_iter().map(new).collect()
    }

    fn examples(&mut self, pair: Pair<'_, '_>) -> Vec<Example> {
        let new = |(command, description)| Example {
            command,
            description,
        };
        self.pairs(pair, "command").into_iter().map(new).collect()
    }

    /// Tables of a text under `key` and a description.
    fn pairs(&mut self, pair: Pair<'_, '_>, key: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (at, table) in self.tables(pair) {
            let (mut text, mut description) = (None, None);
            for pair in table {
                match pair.0.get_ref().as_ref() {
                    "description" => description = self.text(pair),
                    other if other == key => text = self.text(pair),
                    _ => self.unknown_key(pair, &[key, "description"]),
                }
            }
            for wanted in [key, "description"] {
                if !table.contains_key(wanted) {
                    self.problem(at, format!("this has no {wanted}"));
                }
            }
            found.extend(text.zip(description));
        }
        found
    }

    fn raises(&mut self, pair: Pair<'_, '_>) -> Vec<Raise> {
        let tables = self.tables(pair);
        tables
            .into_iter()
            .filter_map(|(at, table)| self.raise(table, at))
            .collect()
    }

    fn raise(&mut self, table: &DeTable<'_>, at: usize) -> Option<Raise> {
        const KEYS: &[&str] = &["flags", "operands", "places", "risk", "reason"];
        let mut raise = Raise {
            flags: Vec::new(),
            operands: Vec::new(),
            places: Vec::new(),
            risk: Risk::Low,
            reason: String::new(),
        };
        for pair in table {
            match pair.0.get_ref().as_ref() {
                "flags" => raise.flags = self.texts(pair),
                "operands" => raise.operands = self.texts(pair),
                "places" => raise.places = self.places(pair),
                "risk" => raise.risk = self.risk(pair),
                "reason" => raise.reason = self.text(pair)?,
                _ => self.unknown_key(pair, KEYS),
            }
        }
        for key in ["risk", "reason"] {
            if !table.contains_key(key) {
                self.problem(at, format!("this has no {key}"));
            }
        }
        if raise.flags.is_empty() && raise.operands.is_empty() && raise.places.is_empty() {
            self.problem(at, "this has neither flags nor operands nor places");
        }
        Some(raise)
    }

    fn places(&mut self, pair: Pair<'_, '_>) -> Vec<Place> {
        let Some(array) = pair.1.get_ref().as_array() else {
            self.wrong_type(pair, "a list of places");
            return Vec::new();
        };
        let names = array.iter().map(|value| (pair.0, value));
        names
            .filter_map(|pair| self.name_among(pair, PLACES))
            .collect()
    }

    fn next_steps(&mut self, pair: Pair<'_, '_>) -> NextSteps {
        let mut steps = NextSteps::default();
        let Some(table) = pair.1.get_ref().as_table() else {
            self.wrong_type(pair, "a table of success and failure");
            return steps;
        };
        for pair in table {
            match pair.0.get_ref().as_ref() {
                "success" => steps.success = self.texts(pair),
                "failure" => steps.failure = self.texts(pair),
                _ => self.unknown_key(pair, &["success", "failure"]),
            }
        }
        steps
    }

    fn tables<'a, 'i>(&mut self, pair: Pair<'a, 'i>) -> Vec<(usize, &'a DeTable<'i>)> {
        let Some(array) = pair.1.get_ref().as_array() else {
            self.wrong_type(pair, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(array.len());
        for value in array.iter() {
            match value.get_ref().as_table() {
                Some(table) => tables.push((value.span().start, table)),
                None => self.wrong_type((pair.0, value), "a list of tables"),
            }
        }
        tables
    }

    fn texts(&mut self, pair: Pair<'_, '_>) -> Vec<String> {
        let Some(array) = pair.1.get_ref().as_array() else {
            self.wrong_type(pair, "a list of texts");
            return Vec::new();
        };
        let values = array.iter().map(|value| (pair.0, value));
        values.filter_map(|pair| self.text(pair)).collect()
    }

    fn text(&mut self, pair: Pair<'_, '_>) -> Option<String> {
        let text = pair.1.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(pair, "a text");
        }
        text.map(str::to_owned)
    }

    fn flag(&mut self, pair: Pair<'_, '_>) -> bool {
        let flag = pair.1.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(pair, "true or false");
        }
        flag.unwrap_or_default()
    }

    /// `unknown` is not among the risks: it is for what an analysis does not understand.
    fn risk(&mut self, pair: Pair<'_, '_>) -> Risk {
        self.one_of(pair, RISKS)
    }

    fn one_of<T: DeserializeOwned + Default>(&mut self, pair: Pair<'_, '_>, names: &[&str]) -> T {
        self.name_among(pair, names).unwrap_or_default()
    }

    fn name_among<T: DeserializeOwned>(&mut self, pair: Pair<'_, '_>, names: &[&str]) -> Option<T> {
        let text = self.text(pair)?;
        if !names.contains(&text.as_str()) {
            let key = pair.0.get_ref();
            let key = key.strip_prefix("places").map_or(&**key, |_| "place");
            self.not_among(pair.1.span(), key, &text, names);
            return None;
        }
        let name = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&text);
        T::deserialize(name).ok()
    }

    pub(super) fn not_among(&mut self, at: Range<usize>, key: &str, text: &str, names: &[&str]) {
        let message = match nearest(text, names.iter().copied()) {
            Some(near) => format!("`{text}` is no {key}; did you mean `{near}`?"),
            None => format!("`{text}` is no {key}; it is one of: {}", names.join(", ")),
        };
        self.problem(at.start, message);
    }

    fn unknown_key(&mut self, pair: Pair<'_, '_>, keys: &[&str]) {
        let key = pair.0.get_ref();
        let message = match nearest(key, keys.iter().copied()) {
            Some(near) => format!("unknown key `{key}`; did you mean `{near}`?"),
            None => format!("unknown key `{key}`; there are: {}", keys.join(", ")),
        };
        self.problem(pair.0.span().start, message);
    }

    fn wrong_type(&mut self, pair: Pair<'_, '_>, wanted: &str) {
        let (key, is) = (pair.0.get_ref(), pair.1.get_ref().type_str());
        self.problem(
            pair.1.span().start,
            format!("`{key}` takes {wanted}, and this is of type {is}"),
        );
    }
}

/// Where the values of a table stand, by their key.
pub(super) fn at(table: &DeTable<'_>, key: &str) -> usize {
    table.get(key).map_or(0, |value| value.span().start)
}

/// Names that occur more than once, with where they stand again.
pub(super) fn repeated<'n>(names: impl Iterator<Item = (&'n str, usize)>) -> Vec<(&'n str, usize)> {
    let mut first = HashMap::new();
    let mut again = Vec::new();
    for (name, at) in names {
        if first.insert(name, at).is_some() {
            again.push((name, at));
        }
    }
    again
}

const RISKS: &[&str] = &["low", "medium", "high", "critical"];
const DURATIONS: &[&str] = &["instant", "short", "long", "open"];
const TIMEOUTS: &[&str] = &["default", "server_start", "package_manager", "container"];
const PLACES: &[&str] = &[
    "root",
    "system",
    "device",
    "home_root",
    "home",
    "outside",
    "tree_root",
    "tree_git",
];
const KEYS: &[&str] = &[
    "name",
    "description",
    "output_format",
    "risk",
    "duration",
    "timeout_class",
    "interactive",
    "common_options",
    "raises",
    "related",
    "examples",
    "next_steps",
    "subcommands",
];
const SUB_KEYS: &[&str] = &[
    "name",
    "description",
    "output_format",
    "risk",
    "duration",
    "timeout_class",
    "interactive",
    "common_options",
    "raises",
    "examples",
];
