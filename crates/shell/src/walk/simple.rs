//! Simple commands: assignments, redirections, and the name of what runs.

use super::arg::{Arg, Traits, Value};
use super::source::{Origin, Source};
use super::{Feed, Output, Walker};
use crate::analysis::{Kind, Span};
use crate::effects::touch::Touch;
use crate::tree::{Assign, AssignValue, Command, Part, Redirect, RedirectOp, Simple};

/// Values of a variable in command position that are each followed.
const MAX_NAMES: usize = 8;

impl Walker<'_> {
    pub(super) fn simple<'t>(
        &mut self,
        source: &Source<'t>,
        command: &'t Command<'t>,
        simple: &'t Simple<'t>,
    ) {
        let outer_feed = (!command.redirects.is_empty()).then(|| self.feed.clone());
        let mut args: Vec<Arg<'t>> = Vec::with_capacity(simple.words.len());
        let mut names = 0;
        for (index, word) in simple.words.iter().enumerate() {
            self.cook(source, word, &mut args);
            if index == 0 {
                names = args.len();
            }
        }
        let mark = self.undo_mark();
        for assign in &simple.assigns {
            self.assignment(source, assign, args.is_empty());
        }
        self.redirects(source, &command.redirects);
        if args.is_empty() {
            self.found.shell.mutates_state |= self.subshells == 0 && !simple.assigns.is_empty();
            let empty = simple.words.iter().any(|word| !word.parts.is_empty());
            if empty {
                self.found.shell.pure = false;
            }
        } else {
            self.named(source, simple, &args, names);
            if !simple.assigns.is_empty() {
                self.roll_back_assignments(mark, simple);
            }
            if self.output.network && !command.redirects.is_empty() {
                self.downloads(source, &command.redirects);
            }
        }
        if let Some(feed) = outer_feed {
            self.feed = feed;
        }
    }

    /// Calls what the first word names; when it may be one of several, each of them.
    fn named<'t>(
        &mut self,
        source: &Source<'t>,
        simple: &'t Simple<'t>,
        args: &[Arg<'t>],
        names: usize,
    ) {
        let choice = names > 1
            && simple
                .words
                .first()
                .is_some_and(|word| self.is_choice(&word.parts));
        if !choice {
            self.call(source, args);
            return;
        }
        if names > MAX_NAMES {
            if let Some(first) = args.first() {
                self.found.note("unknown-command", first.span);
            }
            return;
        }
        let (candidates, rest) = args.split_at(names);
        for candidate in candidates {
            let mut call = Vec::with_capacity(rest.len() + 1);
            call.push(candidate.clone());
            call.extend_from_slice(rest);
            self.call(source, &call);
        }
    }

    fn is_choice(&self, parts: &[Part<'_>]) -> bool {
        parts.iter().any(|part| match part {
            Part::Param(param) => self.get(param.name).is_some_and(|value| value.either),
            Part::Double(parts) => self.is_choice(parts),
            _ => false,
        })
    }

    /// Assignments before a command hold for that command only.
    fn roll_back_assignments(&mut self, mark: usize, simple: &Simple<'_>) {
        // What the command itself set (`x=1 read y`) stays; only these names are restored.
        let names: Vec<&str> = simple.assigns.iter().map(|assign| assign.name).collect();
        let mut kept = Vec::new();
        while self.undo_mark() > mark {
            let Some((name, old)) = self.undo.pop() else {
                break;
            };
            if names.contains(&name.as_str()) {
                match old {
                    Some(old) => self.vars.insert(name, old),
                    None => self.vars.remove(&name),
                };
            } else {
                kept.push((name, old));
            }
        }
        self.undo.extend(kept.into_iter().rev());
    }

    fn assignment<'t>(&mut self, source: &Source<'t>, assign: &'t Assign<'t>, lasting: bool) {
        let span = source.span(assign.span);
        if let Some(subscript) = &assign.subscript {
            self.cook_parts(source, subscript);
        }
        let mut value = match &assign.value {
            AssignValue::Word(word) => self.cook_value(source, word),
            AssignValue::Array(words) => {
                let mut args = Vec::new();
                for word in words {
                    self.cook(source, word, &mut args);
                }
                let fields = args
                    .into_iter()
                    .map(|arg| (arg.text.into_owned(), arg.traits))
                    .collect();
                Value {
                    fields,
                    either: false,
                }
            }
        };
        self.found.variable(assign.name, &value, span, lasting);
        self.program_variable(assign.name, &value, span);
        if assign.subscript.is_some() {
            value = self.with_element(assign.name, value);
        } else if assign.append {
            value = self.appended(assign, value);
        }
        if lasting {
            self.assign(assign.name, value);
        } else {
            self.set(assign.name, value);
        }
    }

    /// Variables that name a program for others: a command line in them is judged.
    pub(super) fn program_variable(&mut self, name: &str, value: &Value, span: Span) {
        let names = matches!(
            name,
            "PAGER"
                | "MANPAGER"
                | "GIT_PAGER"
                | "EDITOR"
                | "VISUAL"
                | "GIT_EDITOR"
                | "GIT_SEQUENCE_EDITOR"
                | "BROWSER"
        );
        if !names {
            return;
        }
        for (text, traits) in &value.fields {
            if !traits.unknown && text.contains([' ', ';', '$', '`', '|']) {
                self.shell_body(text, Origin::Whole(span), true);
            }
        }
    }

    fn with_element(&self, name: &str, value: Value) -> Value {
        let mut fields = self
            .get(name)
            .map(|old| old.fields.clone())
            .unwrap_or_default();
        fields.extend(value.fields);
        if fields.len() > 64 {
            Value::unknown()
        } else {
            Value {
                fields,
                either: false,
            }
        }
    }

    fn appended(&self, assign: &Assign<'_>, value: Value) -> Value {
        let Some(old) = self.get(assign.name) else {
            return value;
        };
        if matches!(assign.value, AssignValue::Array(_)) {
            return self.with_element(assign.name, value);
        }
        match (old.fields.as_slice(), value.fields.as_slice()) {
            ([(old, a)], [(new, b)]) if old.len() + new.len() < 4096 => {
                Value::one(format!("{old}{new}"), a.join(*b))
            }
            _ => Value::unknown(),
        }
    }

    /// Files into which the output of a program was redirected that reads from the network.
    fn downloads<'t>(&mut self, source: &Source<'t>, redirects: &'t [Redirect<'t>]) {
        for redirect in redirects
            .iter()
            .filter(|redirect| redirect.op == RedirectOp::Write)
        {
            let path = source.slice(redirect.target.span);
            self.note_download(&Arg::literal(path, source.span(redirect.target.span)));
        }
    }

    pub(super) fn redirects<'t>(&mut self, source: &Source<'t>, redirects: &'t [Redirect<'t>]) {
        for redirect in redirects {
            self.redirect(source, redirect);
        }
    }

    fn redirect<'t>(&mut self, source: &Source<'t>, redirect: &'t Redirect<'t>) {
        if redirect.op == RedirectOp::HereDoc {
            self.shape(Kind::Heredoc);
            let input = matches!(redirect.fd, None | Some("0"));
            if let (Some(index), true) = (redirect.heredoc, input) {
                self.feed = Feed::HereDoc(index);
            }
            return;
        }
        self.shape(Kind::Redirect);
        if redirect.fd.is_some_and(|fd| fd.starts_with('{')) {
            self.found.shell.mutates_state = true;
        }
        let mut args = Vec::new();
        if redirect.op == RedirectOp::HereString {
            let value = self.cook_value(source, &redirect.target);
            self.feed = match value.fields.as_slice() {
                [(text, traits)] if !traits.unknown => {
                    Feed::Text(format!("{text}\n"), source.span(redirect.target.span))
                }
                _ => Feed::Opaque,
            };
            return;
        }
        self.cook(source, &redirect.target, &mut args);
        let process = redirect
            .target
            .parts
            .iter()
            .any(|part| matches!(part, Part::Process(..)));
        for arg in &args {
            self.redirect_to(redirect, arg, process);
        }
    }

    fn redirect_to(&mut self, redirect: &Redirect<'_>, arg: &Arg<'_>, process: bool) {
        let descriptor = arg.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let duplicates = matches!(redirect.op, RedirectOp::DupIn | RedirectOp::DupOut);
        if duplicates && (descriptor || arg.traits.unknown) {
            return;
        }
        if process {
            // What is read from a process was noted when the word was expanded.
            if redirect.op == RedirectOp::Read {
                let output = std::mem::take(&mut self.output);
                self.feed = if output.network {
                    Feed::Network
                } else {
                    Feed::Opaque
                };
            }
            return;
        }
        match redirect.op {
            RedirectOp::Read | RedirectOp::DupIn => {
                self.touch(Touch::Read, arg);
                if matches!(redirect.fd, None | Some("0")) {
                    self.feed = match arg.known() {
                        Some(path) => Feed::File(path.to_owned()),
                        None => Feed::Opaque,
                    };
                }
            }
            RedirectOp::ReadWrite => {
                self.touch(Touch::Read, arg);
                self.touch(Touch::Append, arg);
            }
            RedirectOp::Append | RedirectOp::BothAppend => self.touch(Touch::Append, arg),
            _ => self.touch(Touch::Write, arg),
        }
    }

    /// Commands inside `<(…)`: their output is read by whoever gets the word.
    pub(super) fn note_process<'t>(
        &mut self,
        _source: &Source<'t>,
        _list: &'t crate::tree::List<'t>,
        _span: crate::analysis::Span,
    ) {
        if self.output.network {
            self.found.network_process = true;
        }
    }

    pub(super) fn part_value<'t>(&mut self, source: &Source<'t>, part: &'t Part<'t>) -> Value {
        match part {
            Part::Plain(span) | Part::Quoted(span) => {
                Value::one(source.slice(*span).to_owned(), Traits::default())
            }
            Part::AnsiC(span) => Value::one(
                super::ansi_c::decode(source.slice(*span)),
                Traits::default(),
            ),
            Part::Double(parts) => {
                let mut text = String::new();
                let mut traits = Traits::default();
                for part in parts {
                    let value = self.part_value(source, part);
                    let [(piece, more)] = value.fields.as_slice() else {
                        return Value::unknown();
                    };
                    text.push_str(piece);
                    traits = traits.join(*more);
                }
                Value::one(text, traits)
            }
            Part::Param(param) => self.param(source, param, true),
            Part::Substitution(list, span) => self.substitution(source, list, *span),
            Part::Backquote(span) => self.backquote(source, *span, true),
            Part::Arith(parts, _) => {
                self.cook_parts(source, parts);
                Value::one("0".to_owned(), Traits::default())
            }
            Part::Process(list, _) => {
                self.inner(|w| w.subshell(source, list));
                Value::one("/dev/fd/63".to_owned(), Traits::default())
            }
            Part::Broken(span) => {
                self.found.note("unknown-expansion", source.span(*span));
                Value::unknown()
            }
            Part::ExtGlob(parts) => {
                self.cook_parts(source, parts);
                Value::unknown()
            }
            Part::Array(words) => {
                for word in words {
                    self.cook_parts(source, &word.parts);
                }
                Value::unknown()
            }
        }
    }

    pub(crate) fn output_text(
        &mut self,
        text: String,
        traits: Traits,
        span: crate::analysis::Span,
    ) {
        self.output = Output {
            value: Some(Value::one(text, traits)),
            span,
            ..Output::default()
        };
    }
}
