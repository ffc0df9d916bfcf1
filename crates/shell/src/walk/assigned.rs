//! Which variables a list may set, read without walking it.

use super::params::POSITIONAL;
use super::source::Source;
use crate::tree::{Command, CommandKind, List, Part, Simple, Word};

/// Collects the names of variables that the list sets; whether it runs code that may set others.
pub(super) fn in_list<'t>(source: &Source<'t>, list: &List<'t>, names: &mut Vec<&'t str>) -> bool {
    let mut hidden = false;
    for item in list {
        for pipeline in &item.pipelines {
            for command in &pipeline.commands {
                hidden |= in_command(source, command, names);
            }
        }
    }
    hidden
}

fn in_command<'t>(source: &Source<'t>, command: &Command<'t>, names: &mut Vec<&'t str>) -> bool {
    match &command.kind {
        CommandKind::Simple(simple) => in_simple(source, simple, names),
        CommandKind::Subshell(_) | CommandKind::Cond(_) | CommandKind::Arith(_) => false,
        CommandKind::Group(list) => in_list(source, list, names),
        CommandKind::If(lists) => lists
            .iter()
            .fold(false, |hidden, list| in_list(source, list, names) | hidden),
        CommandKind::Loop(condition, body) => {
            in_list(source, condition, names) | in_list(source, body, names)
        }
        CommandKind::For(name, _, body) => {
            names.push(name);
            in_list(source, body, names)
        }
        CommandKind::ForArith(_, body) => in_list(source, body, names),
        CommandKind::Case(_, arms) => arms.iter().fold(false, |hidden, arm| {
            in_list(source, &arm.body, names) | hidden
        }),
        CommandKind::Function(_, body) | CommandKind::Coproc(body) => {
            in_command(source, body, names)
        }
    }
}

fn in_simple<'t>(source: &Source<'t>, simple: &Simple<'t>, names: &mut Vec<&'t str>) -> bool {
    names.extend(simple.assigns.iter().map(|assign| assign.name));
    for word in &simple.words {
        in_parts(&word.parts, names);
    }
    let mut words = simple.words.iter().map(|word| plain(source, word));
    let mut first = words.next().flatten().unwrap_or_default();
    if matches!(first, "builtin" | "command") {
        first = words.next().flatten().unwrap_or_default();
    }
    match first {
        "shift" | "set" => names.extend(POSITIONAL),
        "read" | "mapfile" | "readarray" | "printf" | "getopts" | "declare" | "typeset"
        | "local" | "export" | "readonly" | "unset" | "let" | "wait" => {
            names.extend(words.flatten().map(name_of));
        }
        "eval" | "source" | "." => return true,
        _ => {}
    }
    false
}

/// `${x:=…}` sets as well.
fn in_parts<'t>(parts: &[Part<'t>], names: &mut Vec<&'t str>) {
    for part in parts {
        match part {
            Part::Param(param) if matches!(param.op, "=" | ":=") => names.push(param.name),
            Part::Double(parts) => in_parts(parts, names),
            _ => {}
        }
    }
}

/// The text of a word that begins with plain text, as far as that goes.
fn plain<'t>(source: &Source<'t>, word: &Word<'t>) -> Option<&'t str> {
    match word.parts.first() {
        Some(Part::Plain(span) | Part::Quoted(span)) => Some(source.slice(*span)),
        _ => None,
    }
}

/// The name that an argument of a builtin sets.
fn name_of(word: &str) -> &str {
    let end = word.find(['=', '[', '+']).unwrap_or(word.len());
    word.get(..end).unwrap_or_default()
}
