//! Simple commands: assignments, redirections, and the name of what runs.

use std::rc::Rc;

use super::arg::{Arg, Traits, Value};
use super::feed::Text;
use super::source::Source;
use super::{Feed, Output, PROCESSES, Walker};
use crate::analysis::Kind;
use crate::effects::touch::Touch;
use crate::tree::{Assign, AssignValue, Command, List, Part, Redirect, RedirectOp, Simple};

/// The descriptor that bash gives to the first process in a word.
const FIRST_PROCESS: usize = 63;

/// Elements of an array that is built one by one.
const MAX_ELEMENTS: usize = 16;

/// Values of a variable in command position that are each followed.
const MAX_NAMES: usize = 8;

/// The elements of an array in the order of their subscripts, which may stand before them.
fn elements(args: Vec<Arg<'_>>) -> Vec<(String, Traits)> {
    let mut next: i64 = 0;
    let mut placed: Vec<(i64, (String, Traits))> = Vec::with_capacity(args.len());
    for arg in args {
        let subscripted = arg
            .text
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]="));
        let (at, text) = match subscripted {
            Some((subscript, value)) => (subscript.parse().unwrap_or(next), value.to_owned()),
            None => (next, arg.text.clone().into_owned()),
        };
        next = at.saturating_add(1);
        placed.push((at, (text, arg.traits)));
    }
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, element)| element).collect()
}

/// Whether the command hands nothing to where it is redirected: all that a connection tells then
/// is whether somebody listens.
fn is_probe(args: &[Arg<'_>], silent: bool) -> bool {
    match args {
        [] => true,
        [only] => matches!(only.text.as_ref(), ":" | "true" | "echo") || silent && only.is("cat"),
        _ => false,
    }
}

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
        let silent = self.feed.is_none()
            && command.redirects.iter().all(|redirect| {
                redirect.op != RedirectOp::Read || source.slice(redirect.target.span) == "/dev/null"
            });
        self.found.probes = is_probe(&args, silent);
        self.redirects(source, &command.redirects);
        self.found.probes = false;
        if args.is_empty() {
            self.found.shell.mutates_state |= self.subshells == 0 && !simple.assigns.is_empty();
            let empty = simple.words.iter().any(|word| !word.parts.is_empty());
            if empty {
                self.found.shell.pure = false;
            }
        } else {
            self.named(source, simple, &args, names);
            self.shows_secret(command, &args);
            if !simple.assigns.is_empty() {
                self.roll_back_assignments(mark, simple);
            }
            self.redirected_output(source, &command.redirects);
        }
        if let Some(feed) = outer_feed {
            self.feed = feed;
        }
    }

    /// A secret of the environment, printed for everybody to read.
    fn shows_secret(&mut self, command: &Command<'_>, args: &[Arg<'_>]) {
        let prints = args
            .first()
            .is_some_and(|arg| arg.is("echo") || arg.is("printf"));
        if prints
            && self.pipes == 0
            && self.subshells == 0
            && command.redirects.is_empty()
            && let Some(secret) = args.iter().find(|arg| arg.traits.secret)
        {
            self.found.note("shows-secret", secret.span);
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
            self.invoke(source, args);
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
            self.invoke(source, &call);
        }
    }

    /// Follows a call of a function, or of a program when the name is not surely a function's.
    fn invoke<'t>(&mut self, source: &Source<'t>, args: &[Arg<'t>]) {
        let Some((first, rest)) = args.split_first() else {
            return;
        };
        let name = first.text.as_ref();
        let plain = !name.contains(['/', super::arg::UNKNOWN]) && !first.traits.listing;
        if plain && !first.traits.glob && self.call_function(name, rest) {
            return;
        }
        self.call(source, args);
    }

    fn is_choice(&self, parts: &[Part<'_>]) -> bool {
        parts.iter().any(|part| match part {
            Part::Param(param) => self.is_one_of_several(param),
            Part::Double(parts) => self.is_choice(parts),
            _ => false,
        })
    }

    /// Assignments before a command hold for that command only.
    fn roll_back_assignments(&mut self, mark: usize, simple: &Simple<'_>) {
        // What the command itself set (`x=1 read y`) stays; only these names are restored.
        let mut names: Vec<&str> = simple.assigns.iter().map(|assign| assign.name).collect();
        names.sort_unstable();
        let mut kept = Vec::new();
        while self.undo_mark() > mark {
            let Some((name, old)) = self.undo.pop() else {
                break;
            };
            if names.binary_search(&name.as_str()).is_ok() {
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
        if assign.name == "SSH_AUTH_SOCK" && source.slice(assign.span).contains("/ssh-") {
            self.found.note("borrowed-agent", span);
        }
        if let Some(subscript) = &assign.subscript {
            self.cook_parts(source, subscript);
            self.note_arith_variables(source.slice(assign.span), span);
        }
        let mut value = match &assign.value {
            AssignValue::Word(word) => self.cook_value(source, word),
            AssignValue::Array(words) => {
                let mut args = Vec::new();
                for word in words {
                    self.cook(source, word, &mut args);
                }
                Value {
                    fields: elements(args),
                    either: false,
                }
            }
        };
        if self.has_integers {
            self.note_arith_code(span, &value);
        }
        self.found.variable(assign.name, &value, span, lasting);
        self.program_variable(assign.name, &value, span);
        if !lasting {
            self.carried_variable(assign.name, &value, span);
        }
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

    fn with_element(&mut self, name: &str, value: Value) -> Value {
        let old = self.get(name);
        let (count, weight) = old.map_or((0, 0), |old| (old.fields.len(), old.weight()));
        if count + value.fields.len() > MAX_ELEMENTS || !self.spend(weight) {
            return Value::unknown();
        }
        let old = self.get(name).map(|old| old.fields.clone());
        let mut fields = old.unwrap_or_default();
        fields.extend(value.fields);
        Value {
            fields,
            either: false,
        }
    }

    fn appended(&mut self, assign: &Assign<'_>, value: Value) -> Value {
        if self.get(assign.name).is_some() && matches!(assign.value, AssignValue::Array(_)) {
            return self.with_element(assign.name, value);
        }
        let Some(old) = self.get(assign.name) else {
            return value;
        };
        match (old.fields.as_slice(), value.fields.as_slice()) {
            ([(old, a)], [(new, b)]) if old.len() + new.len() < 4096 => {
                Value::one(format!("{old}{new}"), a.join(*b))
            }
            _ => Value::unknown(),
        }
    }

    /// Files into which what was written went.
    fn redirected_output<'t>(&mut self, source: &Source<'t>, redirects: &'t [Redirect<'t>]) {
        let filters = self.output.filter && !self.output.selects;
        let endless = self.output.endless || filters && matches!(self.feed, Feed::Endless);
        for redirect in redirects {
            let appends = match redirect.op {
                RedirectOp::Write | RedirectOp::BothWrite => false,
                RedirectOp::Append | RedirectOp::BothAppend => true,
                _ => continue,
            };
            if !matches!(redirect.fd, None | Some("1")) {
                continue;
            }
            let span = source.span(redirect.target.span);
            let value = self.inner_value(source, &redirect.target);
            let [(path, traits)] = value.fields.as_slice() else {
                continue;
            };
            if endless && !path.starts_with("/dev/") {
                self.found.note("fills-disk", span);
            }
            if !traits.unknown {
                let output = std::mem::replace(&mut self.output, Output::silent());
                self.note_written(&Arg::literal(path.clone(), span), &output, appends);
            }
        }
    }

    /// The value of a word whose commands were walked before.
    fn inner_value<'t>(&mut self, source: &Source<'t>, word: &'t crate::tree::Word<'t>) -> Value {
        let plain = |part: &Part<'_>| match part {
            Part::Plain(_) | Part::Quoted(_) | Part::AnsiC(_) => true,
            Part::Param(param) => param.arg.is_empty() && param.subscript.is_none(),
            Part::Double(parts) => parts.iter().all(|part| {
                matches!(part, Part::Quoted(_))
                    || matches!(part, Part::Param(param) if param.arg.is_empty())
            }),
            _ => false,
        };
        if word.parts.iter().all(plain) {
            self.cook_value(source, word)
        } else {
            Value::unknown()
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
            if let Some(doc) = redirect
                .heredoc
                .and_then(|index| source.heredocs.get(index))
            {
                self.heredoc(source, redirect, doc);
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
                    Feed::text(format!("{text}\n"), source.span(redirect.target.span))
                }
                fields if fields.iter().any(|(_, traits)| traits.secret) => Feed::Secrets,
                _ => Feed::Opaque,
            };
            return;
        }
        self.cook(source, &redirect.target, &mut args);
        for arg in &args {
            self.redirect_to(redirect, arg);
        }
    }

    /// The body of a here-document: its expansions are performed, and it is read.
    fn heredoc<'t>(
        &mut self,
        source: &Source<'t>,
        redirect: &Redirect<'t>,
        doc: &'t crate::tree::HereDoc<'t>,
    ) {
        let expanded = doc.expands && !matches!(doc.body.parts.as_slice(), [] | [Part::Quoted(_)]);
        let value = expanded.then(|| self.inner(|w| w.cook_value(source, &doc.body)));
        let span = doc.body.span;
        if !matches!(redirect.fd, None | Some("0")) || !self.charge(span.end - span.start, span) {
            return;
        }
        let text = match value {
            None => Text {
                text: source.slice(span).to_owned(),
                origin: source.origin_at(span),
                raw: false,
            },
            Some(value) => match value.fields.as_slice() {
                [(text, traits)] => Text {
                    text: text.clone(),
                    origin: super::code::word_origin(source, &doc.body, text),
                    raw: traits.unknown,
                },
                _ => Text {
                    text: source.slice(span).to_owned(),
                    origin: source.origin_at(span),
                    raw: true,
                },
            },
        };
        self.feed = Feed::Text(Rc::new(text));
    }

    fn redirect_to(&mut self, redirect: &Redirect<'_>, arg: &Arg<'_>) {
        let descriptor = arg.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let duplicates = matches!(redirect.op, RedirectOp::DupIn | RedirectOp::DupOut);
        if duplicates && (descriptor || arg.traits.unknown) {
            let input = redirect.op == RedirectOp::DupIn && matches!(redirect.fd, None | Some("0"));
            if input && !arg.is("0") {
                // What was opened there before is not followed.
                self.feed = if arg.is("-") {
                    Feed::None
                } else {
                    Feed::Opaque
                };
            }
            return;
        }
        if let Some(feed) = self.process_feed(&arg.text) {
            if redirect.op == RedirectOp::Read && matches!(redirect.fd, None | Some("0")) {
                self.feed = feed;
            }
            return;
        }
        match redirect.op {
            RedirectOp::Read | RedirectOp::DupIn => {
                self.touch(Touch::Read, arg);
                if matches!(redirect.fd, None | Some("0")) {
                    self.feed = match arg.known() {
                        Some(path)
                            if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") =>
                        {
                            Feed::Network
                        }
                        Some(path) => Feed::of_path(path.to_owned(), Feed::File),
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

    /// Commands inside `<(…)`: their output is read by whoever gets the word that is returned.
    /// Those inside `>(…)` read what others write there.
    pub(super) fn process<'t>(
        &mut self,
        source: &Source<'t>,
        list: &'t List<'t>,
        start: usize,
    ) -> String {
        let outer = std::mem::take(&mut self.output);
        let reads = source.text.as_bytes().get(start) == Some(&b'>');
        let feed = if reads {
            Feed::Opaque
        } else {
            self.feed.clone()
        };
        let feed = std::mem::replace(&mut self.feed, feed);
        self.backgrounds += 1;
        self.subshell(source, list);
        self.backgrounds -= 1;
        self.feed = feed;
        let output = std::mem::replace(&mut self.output, outer);
        self.found.network_process |= output.network;
        if self.processes.len() >= PROCESSES {
            self.processes.clear();
        }
        self.processes.push(output.into_feed(Feed::Opaque));
        format!("/dev/fd/{}", FIRST_PROCESS + 1 - self.processes.len())
    }

    /// What is read from the file of a process in a word.
    pub(crate) fn process_feed(&self, path: &str) -> Option<Feed> {
        let number: usize = path.strip_prefix("/dev/fd/")?.parse().ok()?;
        let index = FIRST_PROCESS.checked_sub(number)?;
        self.processes.get(index).cloned()
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
