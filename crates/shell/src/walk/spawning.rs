//! Loops that never end and start something in the background every time, or fill the memory.

use super::Walker;
use super::source::Source;
use crate::tree::{AssignValue, Command, CommandKind, List, Part, Simple, Word};

impl Walker<'_> {
    /// Reports the loop if it is one; `endless` says that nothing in its head ends it.
    pub(super) fn note_spawning_loop<'t>(
        &mut self,
        source: &Source<'t>,
        command: &Command<'t>,
        endless: bool,
        body: &List<'t>,
    ) {
        if !endless || waits(source, body) {
            return;
        }
        if spawns(body) {
            self.found.note("spawning-loop", source.span(command.span));
        }
        if grows(body) {
            self.found.note("memory-bomb", source.span(command.span));
        }
    }
}

/// Whether the condition of a `while` or an `until` never ends it.
pub(super) fn is_endless(source: &Source<'_>, command: &Command<'_>, condition: &List<'_>) -> bool {
    let Some(command_of_condition) = only(condition) else {
        return false;
    };
    let until = source.slice(command.span).starts_with("until");
    match &command_of_condition.kind {
        CommandKind::Simple(simple) => {
            let words: Vec<Option<&str>> = simple
                .words
                .iter()
                .map(|word| literal(source, word))
                .collect();
            match words.as_slice() {
                [Some("true" | ":")] => !until,
                [Some("false")] => until,
                [Some("["), Some(word), Some("]")] | [Some("test"), Some(word)] => {
                    until == word.is_empty()
                }
                _ => false,
            }
        }
        CommandKind::Cond(words) => match words.as_slice() {
            [word] => literal(source, word).is_some_and(|word| until == word.is_empty()),
            _ => false,
        },
        CommandKind::Arith(word) => {
            let inside = source.slice(word.span).trim_matches(['(', ')', ' ']);
            inside.parse::<i64>().is_ok_and(|n| until == (n == 0))
        }
        _ => false,
    }
}

/// The only command of a list.
fn only<'a, 't>(list: &'a List<'t>) -> Option<&'a Command<'t>> {
    let [item] = list.as_slice() else { return None };
    let [pipeline] = item.pipelines.as_slice() else {
        return None;
    };
    match pipeline.commands.as_slice() {
        [command] => Some(command),
        _ => None,
    }
}

fn literal<'t>(source: &Source<'t>, word: &Word<'t>) -> Option<&'t str> {
    match word.parts.as_slice() {
        [Part::Plain(span) | Part::Quoted(span)] => Some(source.slice(*span)),
        [Part::Double(parts)] => match parts.as_slice() {
            [] => Some(""),
            [Part::Quoted(span)] => Some(source.slice(*span)),
            _ => None,
        },
        _ => None,
    }
}

/// Whether something in the list is started with `&`.
fn spawns(list: &List<'_>) -> bool {
    list.iter().any(|item| {
        item.background.is_some()
            || item
                .pipelines
                .iter()
                .flat_map(|pipeline| &pipeline.commands)
                .any(|command| match &command.kind {
                    CommandKind::Group(list) | CommandKind::Subshell(list) => spawns(list),
                    CommandKind::If(lists) => lists.iter().any(spawns),
                    CommandKind::For(_, _, list) => spawns(list),
                    _ => false,
                })
    })
}

/// Whether a variable is made longer by itself.
fn grows(list: &List<'_>) -> bool {
    let commands = list
        .iter()
        .flat_map(|item| &item.pipelines)
        .flat_map(|pipeline| &pipeline.commands);
    commands.into_iter().any(|command| match &command.kind {
        CommandKind::Simple(simple) => simple.assigns.iter().any(|assign| {
            let AssignValue::Word(word) = &assign.value else {
                return false;
            };
            let copies = copies(&word.parts, assign.name);
            copies > 1 || copies == 1 && assign.append
        }),
        CommandKind::Group(list) => grows(list),
        _ => false,
    })
}

/// How often the value of a variable stands among the parts.
fn copies(parts: &[Part<'_>], name: &str) -> usize {
    let of = |part: &Part<'_>| match part {
        Part::Param(param) => usize::from(param.name == name && !param.length),
        Part::Double(parts) => copies(parts, name),
        _ => 0,
    };
    parts.iter().map(of).sum()
}

/// Whether something in the list holds the loop up, or ends it.
fn waits(source: &Source<'_>, list: &List<'_>) -> bool {
    let foreground = list.iter().filter(|item| item.background.is_none());
    foreground
        .flat_map(|item| &item.pipelines)
        .flat_map(|pipeline| &pipeline.commands)
        .any(|command| match &command.kind {
            CommandKind::Simple(simple) => holds_up(source, simple),
            CommandKind::If(lists) => lists.iter().any(|list| waits(source, list)),
            CommandKind::Group(list) => waits(source, list),
            CommandKind::Case(_, arms) => arms.iter().any(|arm| waits(source, &arm.body)),
            _ => false,
        })
}

fn holds_up(source: &Source<'_>, simple: &Simple<'_>) -> bool {
    let first = simple.words.first().and_then(|word| literal(source, word));
    matches!(
        first,
        Some("wait" | "sleep" | "break" | "read" | "exit" | "return" | "inotifywait")
    )
}
