//! Functions that the text defines. A call walks the body with the call's arguments; a body that
//! nothing calls is walked once in the end, with arguments that are not known. The calls among
//! functions are kept, because a fork bomb is a cycle of calls that multiplies.

use std::collections::HashMap;
use std::rc::Rc;

use super::arg::Arg;
use super::params::POSITIONAL;
use super::source::{Origin, Source};
use super::{Variable, Walker};
use crate::analysis::Span;
use crate::found::Found;
use crate::parse::MAX_DEPTH;
use crate::tree::{Command, Word};

/// Functions that are followed; a text with more is reported as not understood.
const MAX_FUNCTIONS: usize = 256;

#[derive(Default)]
pub(super) struct Functions {
    defined: Vec<Function>,
    /// Their places by their names.
    named: HashMap<String, Vec<usize>>,
    /// The functions whose bodies are being walked.
    stack: Vec<Frame>,
    /// Inside code that runs later or elsewhere in time: `trap`, `alias`, a body nobody calls.
    postponed: usize,
    /// Inside another process, which may or may not know the functions.
    elsewhere: usize,
}

struct Function {
    span: Span,
    body: Rc<str>,
    origin: Origin,
    /// Where the definition stands, for a body that nothing calls.
    place: (String, bool),
    calls: HashMap<String, Calls>,
    /// Whether it is defined where the walk is.
    visible: bool,
    /// Whether it is surely defined, so that its name cannot mean a program.
    certain: bool,
    /// Other shells know it too.
    exported: bool,
    walked: bool,
}

struct Frame {
    function: usize,
    /// What local variables held before.
    locals: Vec<(String, Option<Variable>)>,
}

/// How a function calls another one.
struct Calls {
    background: bool,
    piped: bool,
    count: usize,
}

impl Functions {
    /// How deep in code that runs at another time the walk is.
    pub(super) const fn level(&self) -> usize {
        self.postponed
    }

    pub(super) const fn len(&self) -> usize {
        self.defined.len()
    }

    /// Whether the walk is in the body of a function.
    pub(super) const fn inside(&self) -> bool {
        !self.stack.is_empty()
    }

    /// Variables that were set before are not trusted, if so.
    pub(super) fn hide(&mut self, hidden: bool) {
        self.postponed += usize::from(hidden);
    }

    pub(super) fn unhide(&mut self, hidden: bool) {
        self.postponed -= usize::from(hidden);
    }

    /// Forgets the functions that a subshell defined.
    pub(super) fn leave_scope(&mut self, mark: usize) {
        for function in self.defined.iter_mut().skip(mark) {
            function.visible = false;
        }
    }

    /// The name may mean a program again.
    pub(super) fn unset(&mut self, name: &str) {
        self.of_name(name, |function| function.certain = false);
    }

    pub(super) fn export(&mut self, name: &str) {
        self.of_name(name, |function| function.exported = true);
    }

    /// Changes each definition of this name.
    fn of_name(&mut self, name: &str, change: impl Fn(&mut Function)) {
        for index in self.named.get(name).into_iter().flatten() {
            if let Some(function) = self.defined.get_mut(*index) {
                change(function);
            }
        }
    }

    /// Every definition that a call of this name may mean, and whether it surely means one.
    fn meant(&self, name: &str) -> (Vec<usize>, bool) {
        let mut meant = Vec::new();
        for index in self.named.get(name).into_iter().flatten().rev() {
            let function = self.defined.get(*index);
            if let Some(function) = function.filter(|function| function.visible) {
                meant.push(*index);
                if function.certain {
                    return (meant, self.elsewhere == 0 || function.exported);
                }
            }
        }
        (meant, false)
    }

    fn note_call(&mut self, name: &str, background: bool, piped: bool) {
        let Some(frame) = self.stack.last() else {
            return;
        };
        let Some(function) = self.defined.get_mut(frame.function) else {
            return;
        };
        if let Some(calls) = function.calls.get_mut(name) {
            calls.background |= background;
            calls.piped |= piped;
            calls.count += 1;
        } else {
            let calls = Calls {
                background,
                piped,
                count: 1,
            };
            function.calls.insert(name.to_owned(), calls);
        }
    }

    /// A cycle of calls with a call in the background, or with two calls of which one is piped.
    pub(super) fn report_bombs(&self, found: &mut Found) {
        if self
            .defined
            .iter()
            .all(|function| function.calls.is_empty())
        {
            return;
        }
        let reach = self.reach();
        for (index, function) in self.defined.iter().enumerate() {
            let (mut background, mut piped, mut count) = (false, false, 0);
            for (name, calls) in &function.calls {
                let mut targets = self.named.get(name).into_iter().flatten();
                if targets.any(|target| *target == index || leads(&reach, *target, index)) {
                    background |= calls.background;
                    piped |= calls.piped;
                    count += calls.count;
                }
            }
            if background || (count > 1 && piped) {
                found.note("fork-bomb", function.span);
            }
        }
    }

    /// For each function, the functions to which its calls lead, at once or through others.
    fn reach(&self) -> Vec<Vec<bool>> {
        let count = self.defined.len();
        let mut reach = vec![vec![false; count]; count];
        for (row, function) in reach.iter_mut().zip(&self.defined) {
            let targets = function
                .calls
                .keys()
                .filter_map(|name| self.named.get(name));
            for target in targets.flatten() {
                if let Some(cell) = row.get_mut(*target) {
                    *cell = true;
                }
            }
        }
        for middle in 0..count {
            let Some(through) = reach.get(middle).cloned() else {
                break;
            };
            for row in &mut reach {
                if row.get(middle) == Some(&true) {
                    for (cell, more) in row.iter_mut().zip(&through) {
                        *cell |= more;
                    }
                }
            }
        }
        reach
    }
}

fn leads(reach: &[Vec<bool>], from: usize, to: usize) -> bool {
    reach.get(from).and_then(|row| row.get(to)) == Some(&true)
}

impl Walker<'_> {
    /// A definition: kept until something calls it.
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
        if self.functions.len() >= MAX_FUNCTIONS {
            self.found.note("too-long", source.span(span));
            return;
        }
        if shadows(name) {
            self.found.note("shadows-program", source.span(span));
        }
        let misplaced = source.heredocs.iter().any(|doc| {
            let inside = doc.at >= body.span.start && doc.at < body.span.end;
            inside && doc.body.span.start >= body.span.end
        });
        if misplaced {
            // The body of the here-document stands behind the function.
            self.found.note("hidden-code", source.span(span));
        }
        if !self.charge(body.span.end - body.span.start, source.span(span)) {
            return;
        }
        let index = self.functions.len();
        self.functions
            .named
            .entry(name.to_owned())
            .or_default()
            .push(index);
        self.functions.defined.push(Function {
            span: source.span(span),
            body: source.slice(body.span).into(),
            origin: source.origin_at(body.span),
            place: self.place.mark(),
            calls: HashMap::new(),
            visible: true,
            certain: self.branches == 0 && self.loops == 0 && self.functions.postponed == 0,
            exported: false,
            walked: false,
        });
    }

    /// Follows a call of a function, if the name means one; whether it surely does.
    pub(super) fn call_function(&mut self, name: &str, args: &[Arg<'_>]) -> bool {
        if self.repeats == 0 {
            let (background, piped) = (self.backgrounds > 0, self.pipes > 0);
            self.functions.note_call(name, background, piped);
        }
        if self.functions.defined.is_empty() {
            return false;
        }
        let (meant, certain) = self.functions.meant(name);
        if meant.is_empty() {
            return false;
        }
        self.found.shell.mutates_state |= self.subshells == 0;
        self.found.shell.pure = false;
        for index in meant {
            let stack = &self.functions.stack;
            match stack.iter().filter(|frame| frame.function == index).count() {
                0 => self.function_body(index, Some(args)),
                // It calls itself, with arguments that differ from round to round.
                1 => self.function_body(index, None),
                _ => {}
            }
        }
        certain
    }

    fn function_body(&mut self, index: usize, args: Option<&[Arg<'_>]>) {
        let Some(function) = self.functions.defined.get_mut(index) else {
            return;
        };
        let repeated = std::mem::replace(&mut function.walked, true);
        let (body, origin) = (Rc::clone(&function.body), function.origin.clone());
        let span = function.span;
        if self.depth >= MAX_DEPTH {
            self.found.note("too-deep", span);
            return;
        }
        let Some(script) = self.read_code(&body, self.depth + 1, span) else {
            return;
        };
        let before = self.positional();
        match args {
            Some(args) => self.set_positional(args),
            None => self.forget_positional(),
        }
        let locals = Vec::new();
        self.functions.stack.push(Frame {
            function: index,
            locals,
        });
        self.repeats += usize::from(repeated);
        self.depth += 1;
        let source = Source {
            text: &body,
            heredocs: &script.heredocs,
            origin,
        };
        self.list(&source, &script.list);
        self.depth -= 1;
        self.repeats -= usize::from(repeated);
        let frame = self.functions.stack.pop();
        for (name, old) in frame.into_iter().flat_map(|frame| frame.locals).rev() {
            self.put(&name, old);
        }
        for (name, old) in POSITIONAL.iter().zip(before) {
            self.put(name, old);
        }
    }

    /// Walks the bodies that nothing called, for a living shell may come to call them.
    pub(super) fn uncalled(&mut self) {
        let mut index = 0;
        while let Some(function) = self.functions.defined.get(index) {
            if !function.walked {
                let here = self.place.mark();
                self.place.restore(function.place.clone());
                self.postponed(|w| w.function_body(index, None));
                self.place.restore(here);
            }
            index += 1;
        }
    }

    /// Notes that the variable is local to the function that is walked.
    pub(super) fn make_local(&mut self, name: &str) {
        let old = self.copy_of(name);
        if let Some(frame) = self.functions.stack.last_mut()
            && !frame.locals.iter().any(|(local, _)| local == name)
            && frame.locals.len() < MAX_FUNCTIONS
        {
            frame.locals.push((name.to_owned(), old));
        }
    }

    /// Runs `inner` on code that runs at another time, when variables may have changed.
    pub(crate) fn postponed(&mut self, inner: impl FnOnce(&mut Self)) {
        self.functions.postponed += 1;
        let place = self.place.mark();
        inner(self);
        self.place.restore(place);
        self.functions.postponed -= 1;
    }

    /// Runs `inner` on code for another process, which knows only functions that were exported.
    pub(crate) fn elsewhere(&mut self, inner: impl FnOnce(&mut Self)) {
        self.functions.elsewhere += 1;
        inner(self);
        self.functions.elsewhere -= 1;
    }

    /// Whether the walk is in the text itself: not in a function, a subshell or postponed code.
    pub(crate) const fn in_main(&self) -> bool {
        self.functions.level() == 0 && !self.functions.inside() && self.subshells == 0
    }
}

/// Whether a function or an alias of this name takes the place of a program that is trusted with
/// passwords or rights.
pub(super) fn shadows(name: &str) -> bool {
    matches!(
        name,
        "sudo"
            | "su"
            | "doas"
            | "ssh"
            | "passwd"
            | "gpg"
            | "scp"
            | "login"
            | "pkexec"
            | "ssh-add"
            | "command_not_found_handle"
    )
}
