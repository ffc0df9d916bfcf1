//! Code that a `trap` keeps for the end of the shell.
//!
//! It runs with what variables hold then. Where the shell ends before that, it runs with what they
//! held when the trap was set; both are judged, save for variables that did not exist yet.

use super::source::Origin;
use super::{Variable, Walker};
use crate::analysis::Span;

/// Traps that are kept.
const MAX_TRAPS: usize = 64;

pub(super) struct Trap {
    text: String,
    origin: Origin,
    /// What the variables held that the code names.
    then: Vec<(String, Variable)>,
}

impl Walker<'_> {
    pub(super) fn note_exit_trap(&mut self, text: String, origin: Origin) {
        let span = origin.span(Span::new(0, text.len()));
        if self.traps.len() >= MAX_TRAPS || !self.charge(text.len(), span) {
            self.found.note("too-long", span);
            return;
        }
        let then = self
            .names_in(&text)
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), self.copy_of(name)?)))
            .collect();
        self.traps.push(Trap { text, origin, then });
    }

    /// Judges the code behind the last command.
    pub(super) fn exit_traps(&mut self) {
        for trap in std::mem::take(&mut self.traps) {
            let changed = trap.then.iter().any(|(name, then)| {
                self.vars
                    .get(name)
                    .is_none_or(|now| now.value != then.value)
            });
            self.scoped(|w| w.shell_body(&trap.text, trap.origin.clone(), false));
            if changed {
                self.repeats += 1;
                self.scoped(|w| {
                    for (name, then) in trap.then {
                        w.put(&name, Some(then));
                    }
                    w.shell_body(&trap.text, trap.origin, false);
                });
                self.repeats -= 1;
            }
        }
    }
}
