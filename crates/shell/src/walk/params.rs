//! Values of parameters and substitutions, as far as the text tells them.

use super::Walker;
use super::arg::{Arg, Traits, UNKNOWN, Value};
use super::source::{Origin, Source};
use crate::analysis::Span;
use crate::tree::{CommandKind, List, Param};

const EXPANDED: Traits = Traits {
    unknown: false,
    glob: false,
    expanded: true,
};

fn known(text: &str) -> Value {
    Value::one(text.to_owned(), EXPANDED)
}

/// Parameters whose value differs between a fresh shell and a fork of a living one.
fn inspects(name: &str) -> bool {
    matches!(
        name,
        "$" | "!"
            | "-"
            | "_"
            | "0"
            | "PPID"
            | "SHLVL"
            | "BASHPID"
            | "RANDOM"
            | "SRANDOM"
            | "SECONDS"
            | "LINENO"
            | "FUNCNAME"
            | "DIRSTACK"
            | "HISTCMD"
            | "SHELLOPTS"
            | "BASHOPTS"
            | "PIPESTATUS"
            | "GROUPS"
            | "OPTIND"
            | "BASH"
            | "?"
    ) || name.starts_with("BASH_")
}

impl Walker<'_> {
    pub(super) fn param<'t>(
        &mut self,
        source: &Source<'t>,
        param: &'t Param<'t>,
        quoted: bool,
    ) -> Value {
        let span = source.span(param.span);
        self.found.shell.inspects_shell |=
            inspects(param.name) || param.indirect || matches!(param.op, "@" | "?" | ":?");
        if let Some(subscript) = &param.subscript {
            self.cook_parts(source, subscript);
        }
        if param.op == ":" || param.subscript.is_some() {
            // Offsets and subscripts are arithmetic.
            self.note_arith_variables(source.slice(param.span), span);
        }
        if param.name.is_empty() {
            self.cook_parts(source, &param.arg);
            self.found.note("unknown-expansion", span);
            return Value::unknown();
        }
        if param.length || matches!(param.name, "#" | "?" | "$" | "!") {
            self.cook_parts(source, &param.arg);
            return known("0");
        }
        let mut value = self.base_value(param);
        if param.indirect {
            value = self.indirect(param, &value);
        }
        self.apply(source, param, value, quoted)
    }

    fn base_value(&self, param: &Param<'_>) -> Value {
        let Some(value) = self.get(param.name) else {
            return self.ambient(param.name);
        };
        match &param.subscript {
            // `$a` is the first element, `${a[i]}` one of them, `${a[@]}` all.
            None if !value.either && value.fields.len() > 1 && !matches!(param.name, "@" | "*") => {
                Value {
                    fields: value.fields.iter().take(1).cloned().collect(),
                    either: false,
                }
            }
            Some(parts) if value.fields.len() > 1 && !all_elements(parts) => Value {
                fields: value.fields.clone(),
                either: true,
            },
            _ => value.clone(),
        }
    }

    /// Variables that the text did not set.
    fn ambient(&self, name: &str) -> Value {
        match name {
            "HOME" => known(self.place.home()),
            "PWD" => known(self.place.cwd()),
            "USER" | "LOGNAME" => known(self.user),
            "TMPDIR" => known("/tmp"),
            "UID" | "EUID" | "RANDOM" | "SRANDOM" | "SECONDS" | "LINENO" | "PPID" | "BASHPID"
            | "EPOCHSECONDS" | "SHLVL" | "COLUMNS" | "LINES" => known("0"),
            "BASH" | "SHELL" => known("/bin/bash"),
            "IFS" => known(" "),
            _ => Value::unknown(),
        }
    }

    fn indirect(&self, param: &Param<'_>, value: &Value) -> Value {
        match value.fields.as_slice() {
            [(name, traits)] if !traits.unknown && param.op.is_empty() => self
                .get(name)
                .cloned()
                .unwrap_or_else(|| self.ambient(name)),
            _ => Value::unknown(),
        }
    }

    fn apply<'t>(
        &mut self,
        source: &Source<'t>,
        param: &'t Param<'t>,
        value: Value,
        quoted: bool,
    ) -> Value {
        if param.op.is_empty() {
            self.cook_parts(source, &param.arg);
            return if param.arg.is_empty() {
                value
            } else {
                Value::unknown()
            };
        }
        if param.op == "@" {
            return self.transformed(source, param, value);
        }
        let mut fields = Vec::new();
        let word = self.arg_value(source, param);
        match param.op {
            ":-" | "-" | ":=" | "=" => {
                let set = self.get(param.name).is_some();
                if !set {
                    fields.extend(word.fields);
                }
                let usable = value.fields.iter().any(|(text, _)| !text.is_empty());
                if set || usable {
                    fields.extend(value.fields);
                }
                if param.op.contains('=') {
                    self.found.shell.mutates_state |= self.subshells == 0;
                    let choice = Value {
                        either: fields.len() > 1,
                        fields: fields.clone(),
                    };
                    self.set(param.name, choice);
                }
            }
            ":+" | "+" => {
                fields.extend(word.fields);
                fields.push((String::new(), EXPANDED));
            }
            ":?" | "?" => return value,
            ":" => return self.substring(param, source, &value),
            "%" | "%%" => return shortened(value),
            _ => return Value::unknown(),
        }
        let _ = quoted;
        Value {
            either: fields.len() > 1,
            fields,
        }
    }

    fn arg_value<'t>(&mut self, source: &Source<'t>, param: &'t Param<'t>) -> Value {
        // The word behind the operator is cooked like any other value.
        let mut args: Vec<(String, Traits)> = vec![(String::new(), EXPANDED)];
        for part in &param.arg {
            let value = self.part_value(source, part);
            let mut next = Vec::new();
            for (prefix, traits) in &args {
                for (text, more) in value.fields.iter().take(8) {
                    next.push((format!("{prefix}{text}"), traits.join(*more)));
                }
            }
            next.truncate(64);
            args = next;
        }
        Value {
            either: args.len() > 1,
            fields: args,
        }
    }

    fn substring<'t>(&mut self, param: &'t Param<'t>, source: &Source<'t>, value: &Value) -> Value {
        let arg = self.arg_value(source, param);
        let ([(text, traits)], [(range, _)]) = (value.fields.as_slice(), arg.fields.as_slice())
        else {
            return Value::unknown();
        };
        let (from, len) = range
            .split_once(':')
            .map_or((range.as_str(), None), |(a, b)| (a, Some(b)));
        let from = from.trim().parse::<usize>();
        let len = len.map(|len| len.trim().parse::<usize>());
        match (from, len, traits.unknown) {
            (Ok(from), None, false) => known(&text.chars().skip(from).collect::<String>()),
            (Ok(from), Some(Ok(len)), false) => {
                known(&text.chars().skip(from).take(len).collect::<String>())
            }
            _ => Value::unknown(),
        }
    }

    /// `${x@Q}` and its kin; `${x@P}` runs the substitutions in the value.
    fn transformed<'t>(
        &mut self,
        source: &Source<'t>,
        param: &'t Param<'t>,
        value: Value,
    ) -> Value {
        let span = source.span(param.span);
        let operator = self.arg_value(source, param);
        let prompt = operator.fields.iter().any(|(text, _)| text.contains('P'));
        if !prompt {
            return Value::unknown();
        }
        for (text, traits) in &value.fields {
            if traits.unknown {
                self.found.note("hidden-code", span);
            } else if text.contains("$(") || text.contains('`') || text.contains("\\140") {
                self.quoted_body(text, Origin::Whole(span));
            }
        }
        Value::unknown()
    }

    /// Text whose expansions bash performs a second time.
    pub(crate) fn quoted_body(&mut self, text: &str, origin: Origin) {
        let span = origin.span(Span::new(0, text.len()));
        if !self.charge_body(text.len(), span) {
            return;
        }
        let wrapped = crate::parse::parse_quoted(text, self.depth);
        let source = Source {
            text,
            heredocs: &wrapped.heredocs,
            origin,
        };
        self.inner(|w| {
            w.scoped(|w| {
                if let Some(word) = &wrapped.word {
                    w.cook_parts(&source, &word.parts);
                } else {
                    w.found.note("hidden-code", span);
                }
            });
        });
    }

    /// The value of arithmetic may hold a subscript that holds a substitution.
    pub(super) fn note_arith_code(&mut self, span: Span, value: &Value) {
        for (text, _) in &value.fields {
            if text.contains('[') && (text.contains("$(") || text.contains('`')) {
                self.quoted_body(text, Origin::Whole(span));
            }
        }
    }

    pub(super) fn substitution<'t>(
        &mut self,
        source: &Source<'t>,
        list: &'t List<'t>,
        span: Span,
    ) -> Value {
        let outer = std::mem::take(&mut self.output);
        self.inner(|w| w.subshell(source, list));
        let output = std::mem::replace(&mut self.output, outer);
        if list.is_empty() {
            return known("");
        }
        if let Some(text) = only_read_file(source, list) {
            let _ = text;
            return Value::unknown();
        }
        if list.len() > 1 {
            return Value::unknown();
        }
        let _ = span;
        if let Some(mut value) = output.value {
            for (text, traits) in &mut value.fields {
                text.truncate(text.trim_end_matches('\n').len());
                traits.expanded = true;
            }
            return value;
        }
        match output.paths {
            Some(all) if all == super::feed::EVERYTHING => Value::one(
                ".".to_owned(),
                Traits {
                    expanded: true,
                    ..Traits::default()
                },
            ),
            Some(prefix) => Value::one(
                format!("{prefix}/{UNKNOWN}"),
                Traits {
                    unknown: true,
                    expanded: true,
                    glob: false,
                },
            ),
            None => Value::unknown(),
        }
    }

    /// `` `…` ``: parsed now, as bash does it, after its backslashes are taken away.
    pub(super) fn backquote<'t>(&mut self, source: &Source<'t>, span: Span, quoted: bool) -> Value {
        let raw = source.slice(span);
        let whole = source.span(Span::new(span.start.saturating_sub(1), span.end + 1));
        if !self.charge_body(raw.len(), whole) {
            return Value::unknown();
        }
        let (text, pieces) = unescape(raw, quoted);
        let origin = match (&source.origin, pieces) {
            (_, None) => Origin::Shifted(source.span(span).start),
            (Origin::Shifted(by), Some(pieces)) => Origin::Pieces(
                pieces
                    .into_iter()
                    .map(|(at, from)| (at, from + span.start + by))
                    .collect(),
            ),
            _ => Origin::Whole(whole),
        };
        let origin = if matches!(source.origin, Origin::Shifted(_)) {
            origin
        } else {
            Origin::Whole(whole)
        };
        let script = crate::parse::parse(&text, self.depth);
        let inner = Source {
            text: &text,
            heredocs: &script.heredocs,
            origin,
        };
        if script.failure.is_some() {
            self.found.note("hidden-code", whole);
        }
        let outer = std::mem::take(&mut self.output);
        self.inner(|w| w.subshell(&inner, &script.list));
        let output = std::mem::replace(&mut self.output, outer);
        match (script.list.len(), output.value) {
            (1, Some(mut value)) => {
                for (text, traits) in &mut value.fields {
                    text.truncate(text.trim_end_matches('\n').len());
                    traits.expanded = true;
                }
                value
            }
            _ => Value::unknown(),
        }
    }

    /// The known arguments that bash's positional parameters hold.
    pub(crate) fn set_positional(&mut self, args: &[Arg<'_>]) {
        let fields: Vec<_> = args
            .iter()
            .map(|arg| (arg.text.clone().into_owned(), arg.traits))
            .collect();
        for (index, field) in fields.iter().enumerate().take(9) {
            let value = Value {
                fields: vec![field.clone()],
                either: false,
            };
            self.set(&(index + 1).to_string(), value);
        }
        self.set(
            "@",
            Value {
                fields: fields.clone(),
                either: false,
            },
        );
        self.set(
            "*",
            Value {
                fields,
                either: false,
            },
        );
    }
}

fn all_elements(subscript: &[crate::tree::Part<'_>]) -> bool {
    matches!(subscript, [crate::tree::Part::Quoted(span)] if span.end == span.start + 1)
}

/// A value with something cut from its end: what is left of a known beginning is not known, save
/// that a relative path stays one.
fn shortened(value: Value) -> Value {
    let fields = value
        .fields
        .into_iter()
        .map(|(text, traits)| {
            let directory = text.rfind('/').map(|at| text.split_at(at + 1).0.to_owned());
            let kept =
                directory.filter(|directory| directory.len() > 1 && !directory.contains(UNKNOWN));
            let text = format!("{}{UNKNOWN}", kept.unwrap_or_default());
            (
                text,
                Traits {
                    unknown: true,
                    expanded: true,
                    glob: traits.glob,
                },
            )
        })
        .collect();
    Value {
        fields,
        either: value.either,
    }
}

/// Whether the list is `< file` alone.
fn only_read_file<'t>(source: &Source<'t>, list: &List<'t>) -> Option<&'t str> {
    let [item] = list.as_slice() else { return None };
    let [pipeline] = item.pipelines.as_slice() else {
        return None;
    };
    let [command] = pipeline.commands.as_slice() else {
        return None;
    };
    let CommandKind::Simple(simple) = &command.kind else {
        return None;
    };
    let [redirect] = command.redirects.as_slice() else {
        return None;
    };
    (simple.words.is_empty() && simple.assigns.is_empty())
        .then(|| source.slice(redirect.target.span))
}

/// Takes the backslashes of a backquoted text away, with the way back when there were any.
fn unescape(raw: &str, quoted: bool) -> (String, Option<Vec<(usize, usize)>>) {
    if !raw.contains('\\') {
        return (raw.to_owned(), None);
    }
    let mut out = String::with_capacity(raw.len());
    let mut pieces = vec![(0, 0)];
    let mut chars = raw.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        if c == '\\' {
            let taken = |next: &(usize, char)| {
                matches!(next.1, '$' | '`' | '\\') || (quoted && next.1 == '"')
            };
            if let Some((at, next)) = chars.next_if(taken) {
                pieces.push((out.len(), at));
                out.push(next);
                continue;
            }
        }
        out.push(c);
    }
    (out, Some(pieces))
}
