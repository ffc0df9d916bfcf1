//! Files that a program writes because an option or an operand names them.
//!
//! Which options those are stands in `data/rules/programs.toml`; for a program that nothing is
//! known of, `--output` and its kin are taken at their word.

use super::files::value_of;
use super::touch::Touch;
use super::{Call, Options};
use crate::rules;
use crate::walk::Walker;
use crate::walk::arg::{Arg, UNKNOWN};

pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>, options: &Options<'_, '_>) {
    let names: Vec<&str> = rules::outputs(call.name)
        .iter()
        .map(String::as_str)
        .collect();
    let named = if names.is_empty() {
        Vec::new()
    } else {
        value_of(call, &names)
    };
    for file in &named {
        touch(walker, file);
    }
    if call.name == "ssh-keygen" && !walker.feed.is_none() {
        // It asks before it overwrites a key, and something answers.
        for file in value_of(call, &["-f"]) {
            touch(walker, &file);
        }
    }
    let (first, count) = match rules::written(call.name) {
        None => return,
        Some(rules::Written::All) => (0, usize::MAX),
        Some(rules::Written::Second) => (1, 1),
        Some(rules::Written::Last) => (options.operands.len().saturating_sub(1), 1),
    };
    for file in options.operands.iter().skip(first).take(count) {
        touch(walker, file);
    }
}

/// What lies in the tree needs no word, and a place that is not known at all may well lie there.
fn touch(walker: &mut Walker<'_>, file: &Arg<'_>) {
    let path = file.text.contains('/') && !file.text.starts_with(UNKNOWN);
    if path && !file.text.contains("://") && !walker.is_ordinary(file) {
        walker.touch(Touch::Write, file);
        return;
    }
    // A directory of hooks is as good as each of its files.
    let absolute = walker.place.resolve(&file.text);
    let below = format!("{absolute}/pre-commit");
    if path
        && [absolute, below]
            .iter()
            .any(|path| crate::place::runs_later(path))
    {
        walker.found.note("runs-later", file.span);
    }
}
