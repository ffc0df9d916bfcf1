//! What an entry must be beyond its form: words that exist, examples that are what they say.

use std::collections::HashSet;

use toml::de::DeTable;

use super::built_in;
use super::entry::{CATEGORIES, Entry, FORMATS, Place};
use super::load::{Loaded, Reader, at, repeated};
use crate::analysis::{Analysis, Context, Risk};
use crate::analyze;

/// Letters of a description; longer ones are not read in a list.
pub(super) const MAX_DESCRIPTION: usize = 160;

/// Letters of a name.
pub(super) const MAX_NAME: usize = 64;

/// Checks the category of a file.
pub(super) fn category(reader: &mut Reader<'_>, table: &DeTable<'_>, category: &str) {
    let at = at(table, "category");
    if !table.contains_key("category") {
        let names = CATEGORIES.join(", ");
        reader.problem(
            at,
            format!("the file has no category; it is one of: {names}"),
        );
    } else if !category.is_empty() && !CATEGORIES.contains(&category) {
        let value = at..at;
        reader.not_among(value, "category", category, CATEGORIES);
    }
}

/// Checks one command, or a subcommand when there is a parent.
pub(super) fn entry(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    entry: &Entry,
    parent: Option<&Entry>,
) {
    name(reader, table, entry, parent);
    description(reader, table, entry);
    if !entry.output_format.is_empty() && !FORMATS.contains(&entry.output_format.as_str()) {
        let at = at(table, "output_format");
        reader.not_among(at..at, "output_format", &entry.output_format, FORMATS);
    }
    options(reader, table, entry);
    raises(reader, table, entry);
    examples(reader, table, entry, parent);
    if parent.is_none() {
        subcommands(reader, table, entry);
    }
    not_lower(reader, table, entry, parent);
}

fn name(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry, parent: Option<&Entry>) {
    if !table.contains_key("name") {
        return;
    }
    let name = &entry.name;
    let mut words = name.split(' ');
    let sound = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic());
    let one = parent.is_some() || !name.contains(' ');
    let fits = name.len() <= MAX_NAME && words.all(sound) && one && !name.contains('/');
    if !fits {
        let what = if parent.is_some() {
            "the words behind the command, separated by single blanks"
        } else {
            "one word without a path"
        };
        reader.problem(
            at(table, "name"),
            format!("`{name}` is no name: it is {what}, at most {MAX_NAME} letters"),
        );
    }
}

fn description(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry) {
    let text = &entry.description;
    if !table.contains_key("description") {
        return;
    }
    let place = at(table, "description");
    if !text.ends_with('.') || text.len() < 2 {
        reader.problem(
            place,
            "a description is a sentence and ends with a full stop",
        );
    }
    if text.chars().count() > MAX_DESCRIPTION {
        reader.problem(
            place,
            format!("a description has at most {MAX_DESCRIPTION} letters"),
        );
    }
}

fn options(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry) {
    let places = places_of(table, "common_options");
    let mut names = Vec::new();
    for (option, at) in entry.common_options.iter().zip(places) {
        for name in option.names() {
            names.push((name, at));
            if name.is_empty() || name.contains(',') {
                reader.problem(at, format!("`{}` is no option", option.flag));
            }
        }
    }
    for (name, at) in repeated(names.into_iter()) {
        reader.problem(at, format!("the option `{name}` is described twice"));
    }
}

fn raises(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry) {
    let places = places_of(table, "raises");
    for (raise, at) in entry.raises.iter().zip(places) {
        if raise.risk <= entry.risk {
            reader.problem(
                at,
                format!(
                    "this form of `{}` must be riskier than {}, which it is anyway",
                    entry.name,
                    risk_name(entry.risk)
                ),
            );
        }
        let odd = |flag: &&String| !flag.starts_with(['-', '+']);
        if let Some(flag) = raise.flags.iter().find(odd) {
            reader.problem(
                at,
                format!("`{flag}` is no option; operands are `operands`"),
            );
        }
        if raise.places.contains(&Place::Root) && raise.risk < Risk::High {
            reader.problem(at, "what is done to the root directory is at least high");
        }
    }
}

fn examples(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry, parent: Option<&Entry>) {
    let places = places_of(table, "examples");
    let command = parent.map_or(entry.name.as_str(), |parent| parent.name.as_str());
    for (example, at) in entry.examples.iter().zip(places) {
        let text = &example.command;
        let analysis = analyze(text, &Context::default());
        if let Some(error) = &analysis.parse_error {
            let message = &error.message;
            reader.problem(at, format!("the example does not parse: {message}: {text}"));
        } else if !runs(&analysis, command) {
            reader.problem(at, format!("the example does not run `{command}`: {text}"));
        }
    }
}

/// Whether one of the programs is the command.
fn runs(analysis: &Analysis, command: &str) -> bool {
    analysis
        .programs
        .iter()
        .any(|program| program.name == command)
}

fn subcommands(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry) {
    let places = places_of(table, "subcommands");
    let listed: HashSet<&str> = entry
        .subcommands
        .iter()
        .map(|sub| sub.name.as_str())
        .collect();
    let names = entry.subcommands.iter().map(|sub| sub.name.as_str());
    for (name, at) in names.clone().zip(places.clone()) {
        let parent = name.rsplit_once(' ').map(|(parent, _)| parent);
        if let Some(parent) = parent.filter(|parent| !listed.contains(parent)) {
            reader.problem(
                at,
                format!("`{name}` belongs to `{parent}`, which is no subcommand here"),
            );
        }
    }
    for (name, at) in repeated(names.zip(places)) {
        reader.problem(
            at,
            format!(
                "the subcommand `{name}` of `{}` is described twice",
                entry.name
            ),
        );
    }
}

/// An entry of the user describes; it may warn of more than we do, never of less.
fn not_lower(reader: &mut Reader<'_>, table: &DeTable<'_>, entry: &Entry, parent: Option<&Entry>) {
    let command = parent.map_or(entry.name.as_str(), |parent| parent.name.as_str());
    let Some(ours) = built_in::lookup(command) else {
        return;
    };
    let ours = match parent {
        None => Some(ours),
        Some(_) => ours.subcommands.iter().find(|sub| sub.name == entry.name),
    };
    if let Some(ours) = ours.filter(|ours| ours.risk > entry.risk) {
        let words = parent.map_or(String::new(), |_| format!("{command} "));
        reader.problem(
            at(table, "risk"),
            format!(
                "`{words}{}` is {} in the built-in registry; an entry of yours may not lower that to {}",
                entry.name,
                risk_name(ours.risk),
                risk_name(entry.risk)
            ),
        );
    }
}

/// Checks what entries say of each other.
pub(super) fn relations(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    entries: &[Loaded],
    known: &dyn Fn(&str) -> bool,
) {
    let tables = table
        .get("command")
        .and_then(|value| value.get_ref().as_array());
    let here: HashSet<&str> = tables
        .into_iter()
        .flat_map(|array| array.iter())
        .filter_map(|value| value.get_ref().as_table()?.get("name")?.get_ref().as_str())
        .collect();
    let tables = tables.into_iter().flat_map(|array| array.iter());
    let tables = tables.filter_map(|value| value.get_ref().as_table());
    let mut names = Vec::new();
    for table in tables {
        let Some(name) = table.get("name").and_then(|value| value.get_ref().as_str()) else {
            continue;
        };
        names.push((name, at(table, "name")));
        let Some(loaded) = entries.iter().find(|loaded| loaded.entry.name == name) else {
            continue;
        };
        for (other, at) in loaded.entry.related.iter().zip(places_of(table, "related")) {
            if other == name {
                reader.problem(at, format!("`{name}` is related to itself"));
            } else if !here.contains(other.as_str()) && !known(other) {
                reader.problem(
                    at,
                    format!("`{name}` is related to `{other}`, which is not known"),
                );
            }
        }
    }
    for (name, at) in repeated(names.into_iter()) {
        reader.problem(at, format!("the command `{name}` is described twice"));
    }
}

/// Where the values of a list stand.
fn places_of<'a>(table: &'a DeTable<'_>, key: &str) -> impl Iterator<Item = usize> + Clone + 'a {
    let array = table.get(key).and_then(|value| value.get_ref().as_array());
    array
        .into_iter()
        .flat_map(|array| array.iter())
        .map(|value| value.span().start)
}

/// The name of a risk as it is written.
pub(super) const fn risk_name(risk: Risk) -> &'static str {
    match risk {
        Risk::Low => "low",
        Risk::Medium => "medium",
        Risk::High => "high",
        Risk::Unknown => "unknown",
        Risk::Critical => "critical",
    }
}
