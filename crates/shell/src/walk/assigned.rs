//! Which variables a list may set, and which programs it names, read without walking it.

use super::source::Source;
use crate::tree::{Command, CommandKind, List, Part};

/// Collects the names of variables that the list sets.
pub(super) fn in_list<'t>(list: &List<'t>, names: &mut Vec<&'t str>) {
    for item in list {
        for pipeline in &item.pipelines {
            for command in &pipeline.commands {
                in_command(command, names);
            }
        }
    }
}

pub(super) fn in_command<'t>(command: &Command<'t>, names: &mut Vec<&'t str>) {
    match &command.kind {
        CommandKind::Simple(simple) => {
            names.extend(simple.assigns.iter().map(|assign| assign.name));
            for word in &simple.words {
                for part in &word.parts {
                    if let Part::Param(param) = part
                        && matches!(param.op, "=" | ":=")
                    {
                        names.push(param.name);
                    }
                }
            }
        }
        CommandKind::Subshell(_) | CommandKind::Cond(_) | CommandKind::Arith(_) => {}
        CommandKind::Group(list) => in_list(list, names),
        CommandKind::If(lists) => lists.iter().for_each(|list| in_list(list, names)),
        CommandKind::Loop(condition, body) => {
            in_list(condition, names);
            in_list(body, names);
        }
        CommandKind::For(name, _, body) => {
            names.push(name);
            in_list(body, names);
        }
        CommandKind::ForArith(_, body) => in_list(body, names),
        CommandKind::Case(_, arms) => arms.iter().for_each(|arm| in_list(&arm.body, names)),
        CommandKind::Function(_, body) | CommandKind::Coproc(body) => in_command(body, names),
    }
}

/// Whether a simple command right in the list has one of these names.
pub(super) fn runs_any(source: &Source<'_>, list: &List<'_>, wanted: &[&str]) -> bool {
    list.iter()
        .flat_map(|item| &item.pipelines)
        .flat_map(|pipeline| &pipeline.commands)
        .any(|command| match &command.kind {
            CommandKind::Simple(simple) => simple
                .words
                .first()
                .is_some_and(|word| wanted.contains(&source.slice(word.span))),
            CommandKind::If(lists) => lists.iter().any(|list| runs_any(source, list, wanted)),
            _ => false,
        })
}
