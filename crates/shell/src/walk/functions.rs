//! Functions that the text defines: their bodies are walked where they stand, and the calls
//! among them are kept, because a fork bomb is a cycle of calls that multiplies.

use super::arg::{Arg, Value};
use super::source::{Origin, Source};
use super::{Walker, assigned};
use crate::analysis::Span;
use crate::found::Found;
use crate::tree::{Command, Word};

/// Functions whose calls are followed when looking for bombs.
const MAX_FUNCTIONS: usize = 256;

#[derive(Default)]
pub(super) struct Functions {
    defined: Vec<Function>,
    /// The functions whose bodies are being walked, by index.
    stack: Vec<usize>,
    /// Inside code that runs later or elsewhere in time: `trap`, `alias`.
    postponed: usize,
}

struct Function {
    name: String,
    span: Span,
    calls: Vec<Call>,
}

struct Call {
    name: String,
    background: bool,
    piped: bool,
}

impl Functions {
    /// How deep in functions the walk is.
    pub(super) fn level(&self) -> usize {
        self.stack.len() + self.postponed
    }

    pub(super) fn is_defined(&self, name: &str) -> bool {
        !self.defined.is_empty() && self.defined.iter().any(|function| function.name == name)
    }

    pub(super) fn note_call(&mut self, name: &str, background: bool, piped: bool) {
        if let Some(index) = self.stack.last()
            && let Some(function) = self.defined.get_mut(*index)
            && function.calls.len() < MAX_FUNCTIONS
        {
            function.calls.push(Call {
                name: name.to_owned(),
                background,
                piped,
            });
        }
    }

    /// A cycle of calls with a call in the background, or with two calls of which one is piped.
    pub(super) fn report_bombs(&self, found: &mut Found) {
        for (index, function) in self.defined.iter().enumerate().take(MAX_FUNCTIONS) {
            let cyclic: Vec<&Call> = function
                .calls
                .iter()
                .filter(|call| self.leads_to(&call.name, index))
                .collect();
            let piped = cyclic.iter().any(|call| call.piped);
            let multiplies =
                cyclic.iter().any(|call| call.background) || (cyclic.len() > 1 && piped);
            if multiplies {
                found.note("fork-bomb", function.span);
            }
        }
    }

    fn leads_to(&self, from: &str, target: usize) -> bool {
        let mut seen = vec![false; self.defined.len()];
        let mut todo = vec![from];
        while let Some(name) = todo.pop() {
            for (index, function) in self.defined.iter().enumerate() {
                if function.name != name {
                    continue;
                }
                if index == target {
                    return true;
                }
                if seen.get(index) == Some(&false) {
                    if let Some(seen) = seen.get_mut(index) {
                        *seen = true;
                    }
                    todo.extend(function.calls.iter().map(|call| call.name.as_str()));
                }
            }
        }
        false
    }
}

impl Walker<'_> {
    pub(super) fn function<'t>(
        &mut self,
        source: &Source<'t>,
        name: &'t Word<'t>,
        body: &'t Command<'t>,
        span: Span,
    ) {
        self.found.shell.mutates_state |= self.subshells == 0;
        self.found.shell.pure = false;
        let name = source.slice(name.span);
        if self.functions.defined.len() >= MAX_FUNCTIONS {
            self.found.note("too-long", source.span(span));
            return;
        }
        self.functions.defined.push(Function {
            name: name.to_owned(),
            span: source.span(span),
            calls: Vec::new(),
        });
        self.functions.stack.push(self.functions.defined.len() - 1);
        let place = self.place.mark();
        let mark = self.undo_mark();
        self.command(source, body);
        self.roll_back(mark);
        self.place.restore(place);
        self.functions.stack.pop();
        // Whenever it is called, it may set these.
        let mut names = Vec::new();
        assigned::in_command(body, &mut names);
        for name in names {
            self.set(name, Value::unknown());
        }
    }

    pub(crate) fn is_function(&self, name: &str) -> bool {
        self.functions.is_defined(name)
    }

    pub(crate) fn note_call(&mut self, name: &str) {
        let (background, piped) = (self.backgrounds > 0, self.pipes > 0);
        self.functions.note_call(name, background, piped);
    }

    /// Runs `inner` on code that runs at another time, when variables may have changed.
    pub(crate) fn postponed(&mut self, inner: impl FnOnce(&mut Self)) {
        self.functions.postponed += 1;
        let place = self.place.mark();
        inner(self);
        self.place.restore(place);
        self.functions.postponed -= 1;
    }

    /// Whether the walk is in the text itself: not in a function, a subshell or postponed code.
    pub(crate) fn in_main(&self) -> bool {
        self.functions.level() == 0 && self.subshells == 0
    }

    /// Keeps code that runs when the shell ends, to be judged again behind the last command.
    pub(crate) fn note_exit_trap(&mut self, text: String, origin: Origin) {
        if self.traps.len() < MAX_FUNCTIONS {
            self.traps.push((text, origin));
        } else {
            self.found
                .note("too-long", origin.span(Span::new(0, text.len())));
        }
    }

    /// Judges the code that runs when the shell ends. What it runs was recorded where it stands.
    pub(super) fn exit_traps(&mut self) {
        let programs = self.found.programs.len();
        for (text, origin) in std::mem::take(&mut self.traps) {
            self.shell_body(&text, origin, true);
        }
        self.found.programs.truncate(programs);
    }

    /// Remembers a file that holds what came from the network.
    pub(crate) fn note_download(&mut self, file: &Arg<'_>) {
        let path = self.place.resolve(&file.text);
        if self.downloaded.len() < MAX_FUNCTIONS {
            self.downloaded.push(path);
        }
    }

    /// Reports a file that is run although it was only just downloaded.
    pub(crate) fn check_downloaded(&mut self, file: &Arg<'_>) {
        if self.downloaded.is_empty() {
            return;
        }
        let path = self.place.resolve(&file.text);
        if self.downloaded.contains(&path) {
            self.found.note("code-from-network", file.span);
        }
    }
}
