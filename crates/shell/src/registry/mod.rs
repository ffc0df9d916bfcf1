//! What is known about commands: what they are for, what they print, how risky their forms are.
//!
//! The entries that come with the program are data, `data/registry/*.toml`, one file for each
//! category; `built_in.rs` finds them. `load.rs` and `check.rs` read a text and say by line what
//! is wrong with it, `form.rs` says which subcommand a command line means and how risky its form
//! is, `overlay.rs` puts a user's entries over ours, `weigh.rs` lets them raise the risk of an
//! analysis, `render.rs` writes them.
//!
//! Nothing here decides. What a command may do comes from its analysis and the rules; an entry
//! cannot make a dangerous command safe.

mod built_in;
mod check;
mod entry;
mod find;
mod form;
mod load;
mod near;
mod overlay;
mod render;
#[cfg(test)]
mod tests;
mod weigh;

pub use entry::{
    CATEGORIES, CommonOption, Duration, Entry, Example, FORMATS, NextSteps, Place, Raise,
};
pub use load::Problem;
pub use overlay::{Origin, Registry, Shown};
pub use weigh::USER_RULE;

use crate::analysis::Program;

/// All built-in entries, in the order of the files. Reads all of them, which takes some twenty
/// milliseconds once; [`names`] does not.
#[must_use]
pub fn all() -> &'static [&'static Entry] {
    built_in::all()
}

/// The names of all built-in entries.
pub fn names() -> impl Iterator<Item = &'static str> {
    built_in::names()
}

/// The built-in entry of a command by its name, without a path.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static Entry> {
    built_in::lookup(name)
}

/// Whether there is a built-in entry of this name. Reads none.
#[must_use]
pub fn contains(name: &str) -> bool {
    built_in::contains(name)
}

/// The built-in entry of a program, or that of the subcommand that it was given.
#[must_use]
pub fn describe(program: &Program) -> Option<&'static Entry> {
    of_program(lookup(&program.name)?, program)
}

fn of_program<'e>(entry: &'e Entry, program: &Program) -> Option<&'e Entry> {
    let args = program.argv.as_deref().and_then(|argv| argv.get(1..));
    let sub = args.and_then(|args| entry.subcommand(args));
    Some(sub.unwrap_or(entry))
}

/// All built-in entries in a category or below it.
pub fn by_category(category: &str) -> impl Iterator<Item = &'static Entry> {
    let category = category.trim_end_matches('/').to_owned();
    let all = all().iter().copied();
    all.filter(move |entry| !category.is_empty() && find::within(entry, &category))
}

/// All built-in entries that hold the text, in either case; those whose name is it first, then
/// those whose name begins with it, holds it, and those that only speak of it.
#[must_use]
pub fn search(text: &str) -> Vec<&'static Entry> {
    let text = text.trim().to_ascii_lowercase();
    if text.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(u8, &Entry)> = all()
        .iter()
        .filter_map(|entry| find::closeness(entry, &text).map(|close| (close, *entry)))
        .collect();
    found.sort_by_key(|(close, _)| *close);
    found.into_iter().map(|(_, entry)| entry).collect()
}
