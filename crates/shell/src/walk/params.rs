//! Values of parameters and substitutions, as far as the text tells them.

use super::Walker;
use super::arg::{Arg, MAX_JOINED, Traits, UNKNOWN, Value};
use super::budget::NODE_COST;
use super::source::{Origin, Source};
use crate::analysis::Span;
use crate::tree::{CommandKind, List, Param, Word};

const EXPANDED: Traits = Traits {
    unknown: false,
    glob: false,
    expanded: true,
    listing: false,
    everyone: false,
    secret: false,
    decoded: false,
};

fn known(text: &str) -> Value {
    Value::one(text.to_owned(), EXPANDED)
}

/// The parameters that hold the arguments of a shell or a function, as far as they are followed.
pub(super) const POSITIONAL: [&str; 12] =
    ["@", "*", "#", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

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
        if param.length || matches!(param.name, "?" | "$" | "!") {
            self.cook_parts(source, &param.arg);
            return known("0");
        }
        let weight = self.get(param.name).map_or(0, Value::weight);
        if !self.spend(weight) {
            return Value::unknown();
        }
        let mut value = self.base_value(param);
        if param.indirect {
            // The value is a name, perhaps with a subscript.
            self.note_arith_code(span, &value);
            value = self.indirect(param, &value);
        }
        let star = param.name == "*"
            || param
                .subscript
                .as_deref()
                .is_some_and(|parts| is_star(source, parts));
        let value = self.apply(source, param, value);
        if quoted && star {
            return self.joined_fields(value);
        }
        value
    }

    /// What `"$*"` makes of several fields: one, with the first letter of `IFS` between them.
    pub(super) fn joined_fields(&self, value: Value) -> Value {
        if value.either || value.fields.len() < 2 {
            return value;
        }
        let own = self.separators();
        let between: String = own
            .as_deref()
            .map_or_else(|| " ".to_owned(), |own| own.chars().take(1).collect());
        let mut joined = String::new();
        let mut traits = Traits::default();
        for (index, (text, field)) in value.fields.iter().enumerate() {
            if index > 0 {
                joined.push_str(&between);
            }
            joined.push_str(text);
            traits = traits.join(*field);
        }
        if joined.len() > MAX_JOINED {
            return Value::unknown();
        }
        Value::one(joined, traits)
    }

    /// Whether `$x` or `${x[i]}` is one of several values.
    pub(super) fn is_one_of_several(&self, param: &Param<'_>) -> bool {
        self.get(param.name).is_some_and(|value| {
            let element = param
                .subscript
                .as_deref()
                .is_some_and(|parts| !all_elements(parts));
            value.either || element && value.fields.len() > 1
        })
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
            "HISTFILE" => known(&format!("{}/.bash_history", self.place.home())),
            "XDG_CONFIG_HOME" => known(&format!("{}/.config", self.place.home())),
            "XDG_DATA_HOME" => known(&format!("{}/.local/share", self.place.home())),
            "XDG_STATE_HOME" => known(&format!("{}/.local/state", self.place.home())),
            "XDG_CACHE_HOME" => known(&format!("{}/.cache", self.place.home())),
            "#" | "UID" | "EUID" | "RANDOM" | "SRANDOM" | "SECONDS" | "LINENO" | "PPID"
            | "BASHPID" | "EPOCHSECONDS" | "SHLVL" | "COLUMNS" | "LINES" => known("0"),
            "BASH" | "SHELL" => known("/bin/bash"),
            "IFS" => known(" "),
            _ => {
                let mut value = Value::unknown();
                if crate::env::is_secret_name(name) {
                    value
                        .fields
                        .iter_mut()
                        .for_each(|(_, traits)| traits.secret = true);
                }
                value
            }
        }
    }

    fn indirect(&mut self, param: &Param<'_>, value: &Value) -> Value {
        match value.fields.as_slice() {
            [(name, traits)] if !traits.unknown && param.op.is_empty() => {
                match self.get(name).map(Value::weight) {
                    Some(weight) if !self.spend(weight) => Value::unknown(),
                    Some(_) => self.get(name).cloned().unwrap_or_else(Value::unknown),
                    None => self.ambient(name),
                }
            }
            _ => Value::unknown(),
        }
    }

    fn apply<'t>(&mut self, source: &Source<'t>, param: &'t Param<'t>, value: Value) -> Value {
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
        let word = self.cook_arg(source, &param.arg);
        match param.op {
            ":-" | "-" | ":=" | "=" => {
                let set = self.get(param.name).is_some();
                let empty = |(text, traits): &(String, Traits)| text.is_empty() || traits.unknown;
                let colon = param.op.starts_with(':');
                if !set || value.fields.is_empty() || (colon && value.fields.iter().any(empty)) {
                    fields.extend(word.fields);
                }
                let usable = |(text, _): &(String, Traits)| !text.is_empty();
                if set || value.fields.iter().any(usable) {
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
            ":" => return substring(&word, &value),
            "%" | "%%" => return shortened(value),
            "#" | "##" if value.fields.iter().any(lists_processes) => return everyone(),
            _ => return Value::unknown(),
        }
        Value {
            either: fields.len() > 1,
            fields,
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
        let operator = self.cook_arg(source, &param.arg);
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
        if !self.charge(wrapped.nodes * NODE_COST, span) {
            return;
        }
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
        if let Some(file) = only_reads_file(list) {
            let value = self.cook_value(source, file);
            let path = value.fields.first().map_or("", |(path, _)| path.as_str());
            let text = self.content_of(path).and_then(|content| content.text);
            return match text.filter(|text| !text.raw) {
                Some(text) => known(text.text.trim_end_matches('\n')),
                None => Value::unknown(),
            };
        }
        if output.endless {
            self.found.note("memory-bomb", source.span(span));
        }
        if let Some(mut value) = output.value {
            for (text, traits) in &mut value.fields {
                text.truncate(text.trim_end_matches('\n').len());
                traits.expanded = true;
            }
            return value;
        }
        if output.everyone {
            return everyone();
        }
        if output.secret || output.decoded {
            let mut value = Value::unknown();
            for (_, traits) in &mut value.fields {
                traits.secret = output.secret;
                traits.decoded = output.decoded;
            }
            return value;
        }
        match output.paths {
            Some(all) if all == super::feed::EVERYTHING => Value::one(
                ".".to_owned(),
                Traits {
                    expanded: true,
                    listing: true,
                    ..Traits::default()
                },
            ),
            Some(prefix) => Value::one(
                if prefix.contains(UNKNOWN) {
                    prefix
                } else {
                    format!("{prefix}/{UNKNOWN}")
                },
                Traits {
                    unknown: true,
                    expanded: true,
                    ..Traits::default()
                },
            ),
            None => Value::unknown(),
        }
    }

    /// `` `…` ``: parsed now, as bash does it, after its backslashes are taken away.
    pub(super) fn backquote<'t>(&mut self, source: &Source<'t>, span: Span, quoted: bool) -> Value {
        let raw = source.slice(span);
        let whole = source.span(Span::new(span.start.saturating_sub(1), span.end + 1));
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
        let Some(script) = self.read_code(&text, self.depth, whole) else {
            return Value::unknown();
        };
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
        match output.value {
            Some(mut value) => {
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
        let size = args.iter().map(|arg| arg.text.len()).sum();
        let span = args.first().map_or_else(Span::default, |arg| arg.span);
        if !self.charge(size, span) {
            return self.forget_positional();
        }
        let fields = args
            .iter()
            .map(|arg| (arg.text.clone().into_owned(), arg.traits))
            .collect();
        self.set_fields(fields);
    }

    fn set_fields(&mut self, fields: Vec<(String, Traits)>) {
        for (index, name) in POSITIONAL.iter().skip(3).enumerate() {
            let value = fields
                .get(index)
                .map_or_else(Value::nothing, |field| Value {
                    fields: vec![field.clone()],
                    either: false,
                });
            self.set(name, value);
        }
        self.set("#", known(&fields.len().to_string()));
        let all = Value {
            fields,
            either: false,
        };
        self.set("@", all.clone());
        self.set("*", all);
    }

    /// What the positional parameters hold, to be put back.
    pub(super) fn positional(&mut self) -> Vec<Option<super::Variable>> {
        let names = POSITIONAL.iter();
        names.map(|name| self.copy_of(name)).collect()
    }

    /// The arguments are no longer known.
    pub(super) fn forget_positional(&mut self) {
        for name in POSITIONAL {
            self.set(name, Value::unknown());
        }
    }

    /// `shift`, by a number that is known.
    pub(crate) fn shift(&mut self, by: Option<&Arg<'_>>) {
        let by = by.map_or(Some(1), |arg| arg.known().and_then(|n| n.parse().ok()));
        let Some(all) = self.get("@").filter(|value| !value.either) else {
            return;
        };
        let certain = self.branches == 0 && self.loops == 0;
        let known = all.fields.iter().all(|(_, traits)| !traits.unknown);
        let weight = all.weight();
        match by {
            Some(by) if certain && known && self.spend(weight) => {
                let fields = self.get("@").map(|all| all.fields.iter().skip(by));
                let fields = fields.map(|fields| fields.cloned().collect());
                self.set_fields(fields.unwrap_or_default());
            }
            _ => self.forget_positional(),
        }
    }
}

/// A part of a text, by the numbers behind `${x:`.
fn substring(range: &Value, value: &Value) -> Value {
    let ([(text, traits)], [(range, _)]) = (value.fields.as_slice(), range.fields.as_slice())
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

/// Whether the text is a pattern for the directories of processes.
fn lists_processes((text, traits): &(String, Traits)) -> bool {
    traits.glob
        && text
            .strip_prefix("/proc/")
            .is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
}

/// The numbers of processes that nothing was chosen among.
fn everyone() -> Value {
    let mut value = Value::unknown();
    for (_, traits) in &mut value.fields {
        traits.everyone = true;
    }
    value
}

fn is_star(source: &Source<'_>, subscript: &[crate::tree::Part<'_>]) -> bool {
    matches!(subscript, [crate::tree::Part::Quoted(span)] if source.slice(*span) == "*")
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
                    ..traits
                },
            )
        })
        .collect();
    Value {
        fields,
        either: value.either,
    }
}

/// The file, if the list is `< file` alone.
fn only_reads_file<'t>(list: &'t List<'t>) -> Option<&'t Word<'t>> {
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
    (simple.words.is_empty() && simple.assigns.is_empty()).then_some(&redirect.target)
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
