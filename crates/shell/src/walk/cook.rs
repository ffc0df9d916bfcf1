//! Words to arguments: quote removal, and expansion as far as values are known.

use std::borrow::Cow;
use std::rc::Rc;

use super::Walker;
use super::arg::{Arg, Traits, UNKNOWN, Value};
use super::source::Source;
use crate::analysis::Span;
use crate::tree::{Part, Word};

/// Arguments that one word may become. A word that becomes more is not known.
const MAX_FIELDS: usize = 128;

/// What an argument costs beside its text.
const FIELD_COST: usize = 160;

/// What a word costs that braces become, beside its text: it is made step by step.
const BRACE_COST: usize = 320;

/// What each brace and comma adds to that.
const ACTIVE_COST: usize = 4;

/// Bytes that an expanded word may grow to, so that doubling a variable has an end.
const MAX_EXPANDED: usize = 64 << 10;

/// Bytes that `IFS` may hold.
const MAX_SEPARATORS: usize = 64;

/// Collects what a word becomes: finished fields, and the one (or the choice of several) that
/// is being written.
struct Fields {
    /// What separates fields, when that is not the usual.
    separators: Option<Rc<str>>,
    done: Vec<(String, Traits)>,
    open: Vec<(String, Traits)>,
    /// Something was written that makes a field even when it is empty.
    started: bool,
    /// Whether a brace that acts was written; the braces are in `active`.
    braces: bool,
    active: Vec<usize>,
    size: usize,
}

impl Fields {
    fn new() -> Self {
        Self {
            separators: None,
            done: Vec::new(),
            open: vec![(String::new(), Traits::default())],
            started: false,
            braces: false,
            active: Vec::new(),
            size: 0,
        }
    }

    fn push(&mut self, text: &str, traits: Traits) {
        self.size += text.len() * self.open.len();
        if self.size > MAX_EXPANDED {
            return self.give_up();
        }
        for (open, open_traits) in &mut self.open {
            open.push_str(text);
            *open_traits = open_traits.join(traits);
        }
    }

    fn give_up(&mut self) {
        self.open.truncate(1);
        for (open, traits) in &mut self.open {
            open.clear();
            open.push(UNKNOWN);
            traits.unknown = true;
        }
        self.started = true;
    }

    fn unknown(&mut self) {
        let traits = Traits {
            unknown: true,
            expanded: true,
            ..Traits::default()
        };
        self.push("\0", traits);
        self.started = true;
    }

    fn split(&mut self) {
        if self.started || self.open.iter().any(|(text, _)| !text.is_empty()) {
            self.done.append(&mut self.open);
            self.open.push((String::new(), Traits::default()));
            self.started = false;
        }
        if self.done.len() > MAX_FIELDS {
            self.give_up();
        }
    }

    /// One of several values.
    fn choice(&mut self, values: &[(String, Traits)]) {
        if values.len() * self.open.len() > MAX_FIELDS {
            return self.unknown();
        }
        let before = std::mem::take(&mut self.open);
        for (prefix, traits) in &before {
            for (value, value_traits) in values {
                self.size += prefix.len() + value.len();
                self.open
                    .push((format!("{prefix}{value}"), traits.join(*value_traits)));
            }
        }
        if self.size > MAX_EXPANDED {
            self.give_up();
        }
    }

    /// A known value outside of quotes: blanks in it separate fields.
    fn push_split(&mut self, text: &str, traits: Traits) {
        let own = self.separators.clone();
        let separates = |c: char| match &own {
            Some(own) => own.contains(c),
            None => matches!(c, ' ' | '\t' | '\n'),
        };
        let mut first = true;
        if text.starts_with(separates) {
            self.split();
        }
        for piece in text.split(separates).filter(|piece| !piece.is_empty()) {
            if !first {
                self.split();
            }
            first = false;
            let glob = traits.glob || piece.contains(['*', '?', '[']);
            self.push(piece, Traits { glob, ..traits });
        }
        if !first && text.ends_with(separates) {
            self.split();
        }
    }
}

impl<'c> Walker<'c> {
    /// What the text itself put into `IFS`, when that is known. Every letter of what is split is
    /// compared with each of these, so that more than a few are not.
    pub(super) fn separators(&self) -> Option<Rc<str>> {
        let value = &self.vars.get("IFS")?.value;
        match value.fields.as_slice() {
            [(text, traits)] if !traits.unknown && text.len() <= MAX_SEPARATORS => {
                Some(text.as_str().into())
            }
            _ => None,
        }
    }

    /// Whether words are split at more letters than are looked at.
    fn splits_unknown(&self) -> bool {
        let own = self.vars.get("IFS").map(|variable| &variable.value);
        own.is_some_and(|value| {
            let long =
                |(text, traits): &(String, Traits)| !traits.unknown && text.len() > MAX_SEPARATORS;
            value.fields.iter().any(long)
        })
    }

    /// Appends what the word becomes to `args`, and walks the commands inside it.
    pub(crate) fn cook<'t>(
        &mut self,
        source: &Source<'t>,
        word: &'t Word<'t>,
        args: &mut Vec<Arg<'t>>,
    ) {
        let span = source.span(word.span);
        if let Some(text) = self.simple_text(source, word) {
            args.push(Arg {
                text: Cow::Borrowed(text),
                span,
                traits: Traits::default(),
                word: Some(word),
            });
            return;
        }
        let mut fields = Fields::new();
        fields.separators = self.separators();
        if fields.separators.is_none() && self.splits_unknown() {
            fields.give_up();
        }
        self.tilde(source, word, &mut fields);
        for part in &word.parts {
            self.part(source, part, false, &mut fields);
        }
        fields.split();
        if !self.charge(fields.size + fields.done.len() * FIELD_COST, span) {
            args.push(Arg::unknown("", span));
            return;
        }
        let braces = fields.braces && fields.done.len() == 1;
        if fields.braces && super::braces::is_bomb(source.slice(word.span)) {
            self.found.note("memory-bomb", span);
        }
        let active = std::mem::take(&mut fields.active);
        for (text, traits) in fields.done {
            if braces {
                let expanded = super::braces::expand(&text, &active, MAX_FIELDS);
                let cost = BRACE_COST + active.len() * ACTIVE_COST;
                let size: usize = expanded.iter().map(|text| text.len() + cost).sum();
                if !self.charge(size, span) {
                    args.push(Arg::unknown("", span));
                    return;
                }
                // What becomes empty is no argument, and a tilde acts behind braces as well.
                for expanded in expanded.into_iter().filter(|text| !text.is_empty()) {
                    let expanded = self.home_of(expanded);
                    let traits = Traits {
                        expanded: true,
                        ..traits
                    };
                    args.push(Arg {
                        text: expanded.into(),
                        span,
                        traits,
                        word: None,
                    });
                }
                continue;
            }
            args.push(Arg {
                text: text.into(),
                span,
                traits,
                word: Some(word),
            });
        }
    }

    /// The word as one value, as on the right of an assignment.
    pub(crate) fn cook_value<'t>(&mut self, source: &Source<'t>, word: &'t Word<'t>) -> Value {
        let mut fields = Fields::new();
        self.tilde(source, word, &mut fields);
        self.parts_quoted(source, &word.parts, &mut fields);
        if !self.charge(fields.size, source.span(word.span)) {
            return Value::unknown();
        }
        if !fields.done.is_empty() && fields.open.len() == 1 {
            // All elements of an array become one text here.
            fields.done.append(&mut fields.open);
            return self.joined_fields(Value {
                fields: fields.done,
                either: false,
            });
        }
        let either = fields.open.len() > 1;
        Value {
            fields: fields.open,
            either,
        }
    }

    /// The word behind an operator such as `:-`, as one value.
    pub(super) fn cook_arg<'t>(&mut self, source: &Source<'t>, parts: &'t [Part<'t>]) -> Value {
        let mut fields = Fields::new();
        self.parts_quoted(source, parts, &mut fields);
        if !self.spend(fields.size) {
            return Value::unknown();
        }
        let either = fields.open.len() > 1;
        for (_, traits) in &mut fields.open {
            traits.expanded = true;
        }
        Value {
            fields: fields.open,
            either,
        }
    }

    /// A word that braces became, with a tilde at its beginning replaced.
    fn home_of(&self, text: String) -> String {
        match text.strip_prefix('~') {
            Some("") => self.place.home().to_owned(),
            Some(rest) if rest.starts_with('/') => format!("{}{rest}", self.place.home()),
            _ => text,
        }
    }

    /// Parts whose commands are walked and whose text does not matter.
    pub(crate) fn cook_parts<'t>(&mut self, source: &Source<'t>, parts: &'t [Part<'t>]) {
        let mut fields = Fields::new();
        self.parts_quoted(source, parts, &mut fields);
        self.spend(fields.size);
    }

    /// The text of a word that is nothing but text: no expansion of any kind.
    fn simple_text<'t>(&self, source: &Source<'t>, word: &'t Word<'t>) -> Option<&'t str> {
        let [part] = word.parts.as_slice() else {
            return None;
        };
        match part {
            Part::Plain(span) => {
                let text = source.slice(*span);
                let acts = |b: u8| matches!(b, b'*' | b'?' | b'[' | b'{' | b'~');
                (text == "[" || text == "{}" || !text.bytes().any(acts)).then_some(text)
            }
            Part::Quoted(span) => Some(source.slice(*span)),
            Part::Double(parts) => match parts.as_slice() {
                [] => Some(""),
                [Part::Quoted(span)] => Some(source.slice(*span)),
                _ => None,
            },
            _ => None,
        }
    }

    fn tilde<'t>(&mut self, source: &Source<'t>, word: &'t Word<'t>, fields: &mut Fields) {
        let Some(Part::Plain(span)) = word.parts.first() else {
            return;
        };
        let text = source.slice(*span);
        let Some(rest) = text.strip_prefix('~') else {
            return;
        };
        let end = rest.find('/');
        if end.is_none() && word.parts.len() > 1 {
            return;
        }
        let traits = Traits {
            expanded: true,
            ..Traits::default()
        };
        match rest.get(..end.unwrap_or(rest.len())).unwrap_or_default() {
            "" => fields.push(self.place.home(), traits),
            "+" => fields.push(self.place.cwd(), traits),
            "-" => fields.unknown(),
            "root" => fields.push("/root", traits),
            user => fields.push(&format!("/home/{user}"), traits),
        }
    }

    fn part<'t>(
        &mut self,
        source: &Source<'t>,
        part: &'t Part<'t>,
        quoted: bool,
        fields: &mut Fields,
    ) {
        match part {
            Part::Plain(span) => self.plain(source, *span, quoted, fields),
            Part::Quoted(span) => {
                fields.started = true;
                fields.push(source.slice(*span), Traits::default());
            }
            Part::AnsiC(span) => {
                fields.started = true;
                fields.push(
                    &super::ansi_c::decode(source.slice(*span)),
                    Traits::default(),
                );
            }
            Part::Double(parts) => {
                fields.started |= !only_all_parameters(parts);
                for part in parts {
                    self.part(source, part, true, fields);
                }
            }
            Part::Param(param) => {
                let value = self.param(source, param, quoted);
                write_value(&value, quoted, fields);
            }
            Part::Substitution(list, span) => {
                let value = self.substitution(source, list, *span);
                write_value(&value, quoted, fields);
            }
            Part::Backquote(span) => {
                let value = self.backquote(source, *span, quoted);
                write_value(&value, quoted, fields);
            }
            Part::Arith(parts, _) => {
                self.cook_parts(source, parts);
                self.arith_text(source, part);
                let digits = Traits {
                    expanded: true,
                    ..Traits::default()
                };
                fields.push("0", digits);
            }
            Part::Process(list, start) => {
                let file = self.process(source, list, *start);
                fields.push(
                    &file,
                    Traits {
                        expanded: true,
                        ..Traits::default()
                    },
                );
            }
            Part::Broken(span) => {
                self.found.note("unknown-expansion", source.span(*span));
                fields.unknown();
            }
            Part::ExtGlob(parts) => {
                for part in parts {
                    self.part(source, part, quoted, fields);
                }
                fields.push(
                    "*",
                    Traits {
                        glob: true,
                        expanded: true,
                        ..Traits::default()
                    },
                );
            }
            Part::Array(words) => {
                for word in words {
                    let value = self.cook_value(source, word);
                    write_value(&value, true, fields);
                    fields.push(" ", Traits::default());
                }
            }
        }
    }

    fn plain<'t>(&mut self, source: &Source<'t>, span: Span, quoted: bool, fields: &mut Fields) {
        let text = source.slice(span);
        // A leading tilde was already written as the directory that it stands for.
        let first = fields
            .open
            .first()
            .is_some_and(|(text, _)| !text.is_empty());
        let tilde = text.starts_with('~') && first && !fields.started && fields.done.is_empty();
        let text = if tilde && !quoted {
            text.find('/').map_or("", |at| text.split_at(at).1)
        } else {
            text
        };
        let glob = !quoted && text.bytes().any(|b| matches!(b, b'*' | b'?' | b'['));
        if !quoted && text.contains('{') {
            fields.braces = true;
        }
        if fields.open.len() == 1 {
            let offset = fields.open.first().map_or(0, |(open, _)| open.len());
            let acting = text
                .bytes()
                .enumerate()
                .filter(|(_, b)| matches!(b, b'{' | b',' | b'}'));
            fields.active.extend(acting.map(|(at, _)| at + offset));
        }
        fields.push(
            text,
            Traits {
                glob,
                expanded: glob,
                ..Traits::default()
            },
        );
    }

    fn parts_quoted<'t>(
        &mut self,
        source: &Source<'t>,
        parts: &'t [Part<'t>],
        fields: &mut Fields,
    ) {
        for part in parts {
            // Globs stay marked: the value may be expanded again where it is used.
            let quoted = !matches!(part, Part::Plain(_));
            self.part(source, part, quoted, fields);
        }
    }
}

/// Whether double quotes hold nothing but `$@` or `${a[@]}`, which may become no field at all.
fn only_all_parameters(parts: &[Part<'_>]) -> bool {
    let all = |part: &Part<'_>| matches!(part, Part::Param(param) if param.name == "@" || param.subscript.is_some());
    !parts.is_empty() && parts.iter().all(all)
}

fn write_value(value: &Value, quoted: bool, fields: &mut Fields) {
    if value.either {
        return fields.choice(&value.fields);
    }
    let expanded = Traits {
        expanded: true,
        ..Traits::default()
    };
    for (index, (text, traits)) in value.fields.iter().enumerate() {
        if index > 0 {
            fields.started = true;
            fields.split();
        }
        let traits = traits.join(expanded);
        if quoted {
            fields.push(
                text,
                Traits {
                    glob: false,
                    ..traits
                },
            );
        } else {
            fields.push_split(text, traits);
        }
    }
}
