//! Shapes of the tree that say more than a table can.

use super::edit::Change;
use super::rule::Shape;
use super::site::Visitor;
use super::stage::Stage;
use super::word::{Seen, UNKNOWN};
use crate::analysis::Span;
use crate::tree::{Command, CommandKind, List, Part, Pipeline, Redirect, RedirectOp, Simple, Word};

impl<'a> Visitor<'a> {
    fn found(&mut self, shape: Shape, span: Span, replacement: Option<(Span, String)>) {
        if let Some(rule) = self.shaped(shape) {
            let change = replacement.map(|(span, replacement)| Change { span, replacement });
            self.give(rule, span, change);
        }
    }

    /// `` `…` ``; the span is that of the inside.
    pub(super) fn shape_backquote(&mut self, inside: Span) {
        let span = Span::new(inside.start.saturating_sub(1), inside.end + 1);
        let body = self.text.get(inside.start..inside.end).unwrap_or_default();
        // A backslash means something else between backquotes.
        let plain = !body.contains('\\') && !body.is_empty();
        let replacement = plain.then(|| (span, format!("$({body})")));
        self.found(Shape::Backquotes, span, replacement);
    }

    /// The words of `for … in`.
    pub(super) fn shape_for(&mut self, words: &[Word<'a>]) {
        let [word] = words else { return };
        let [Part::Substitution(list, _)] = word.parts.as_slice() else {
            return;
        };
        let Some((name, args)) = self.only_call(list) else {
            return;
        };
        let span = word.span;
        match name {
            "ls" => {
                let pattern = match args.as_slice() {
                    [] => Some("*".to_owned()),
                    [only] if only.pattern && !only.is_option() => {
                        self.written(only).map(str::to_owned)
                    }
                    _ => None,
                };
                self.found(Shape::ForLs, span, pattern.map(|text| (span, text)));
            }
            "cat" => self.found(Shape::ForCat, span, None),
            "find" => self.found(Shape::ForFind, span, None),
            "seq" => {
                let numbers: Option<Vec<&str>> = args
                    .iter()
                    .map(|arg| arg.literal().filter(|text| is_number(text)))
                    .collect();
                let braces = numbers.and_then(|numbers| match numbers.as_slice() {
                    [to] => Some(format!("{{1..{to}}}")),
                    [from, to] => Some(format!("{{{from}..{to}}}")),
                    [from, by, to] => Some(format!("{{{from}..{to}..{by}}}")),
                    _ => None,
                });
                self.found(Shape::ForSeq, span, braces.map(|text| (span, text)));
            }
            _ => {}
        }
    }

    /// `$(…)`
    pub(super) fn shape_substitution(&mut self, list: &List<'a>, span: Span) {
        let Some((name, args)) = self.only_call(list) else {
            return;
        };
        match name {
            "expr" => {
                let sum: Option<Vec<String>> =
                    args.iter().map(|arg| self.arithmetic(arg)).collect();
                let sum = sum.filter(|sum| sum.len() >= 3);
                let text = sum.map(|sum| format!("$(({}))", sum.join(" ")));
                self.found(Shape::ExprSubstitution, span, text.map(|text| (span, text)));
            }
            "cat" => {
                let [only] = args.as_slice() else { return };
                if !only.is_option() {
                    let path = self.written(only).filter(|_| only.is_one());
                    let text = path.map(|path| (span, format!("$(<{path})")));
                    self.found(Shape::CatSubstitution, span, text);
                }
            }
            _ => {}
        }
    }

    /// An operand of `expr` as it stands in `$((…))`.
    fn arithmetic(&self, arg: &Seen<'_>) -> Option<String> {
        let written = self.written(arg)?.trim_matches('"');
        let name = written.strip_prefix('$').unwrap_or_default();
        match written {
            "+" | "-" | "/" | "%" => Some(written.to_owned()),
            "\\*" | "'*'" | "*" => Some("*".to_owned()),
            _ if is_number(written) => Some(written.to_owned()),
            _ if crate::env::valid_env_name(name) => Some(name.to_owned()),
            _ => None,
        }
    }

    /// Shapes of a single command.
    pub(super) fn shape_stage(&mut self, stage: &Stage<'_, 'a>) {
        let redirects = &stage.command.redirects;
        let span = Span::new(stage.start(), stage.end());
        for redirect in redirects.iter().filter(|r| r.op == RedirectOp::Write) {
            let target = Seen::new(self.text, &redirect.target);
            let Some(target) = target.literal().filter(|path| !path.starts_with("/dev/")) else {
                continue;
            };
            let reads = matches!(
                stage.name,
                "cat"
                    | "sort"
                    | "uniq"
                    | "sed"
                    | "awk"
                    | "grep"
                    | "tr"
                    | "cut"
                    | "head"
                    | "tail"
                    | "jq"
                    | "tac"
                    | "rev"
                    | "fmt"
                    | "fold"
                    | "nl"
                    | "yq"
                    | "iconv"
            );
            let itself = reads
                && stage
                    .operand_words()
                    .any(|word| word.literal() == Some(target));
            if itself {
                self.found(Shape::TruncatesItsInput, span, None);
            }
        }
        if let [first, second] = redirects.as_slice()
            && self.duplicates_output(first)
            && second.op == RedirectOp::Write
            && matches!(second.fd, None | Some("1"))
        {
            self.found(Shape::RedirectOrder, span, None);
        }
    }

    /// `2>&1`
    fn duplicates_output(&self, redirect: &Redirect<'_>) -> bool {
        let target = redirect.target.span;
        redirect.op == RedirectOp::DupOut
            && redirect.fd == Some("2")
            && self.text.get(target.start..target.end) == Some("1")
    }

    /// Shapes of a pipeline with something else than simple commands in it.
    pub(super) fn shape_pipeline(
        &mut self,
        pipeline: &Pipeline<'a>,
        stages: &[Option<Stage<'_, 'a>>],
    ) {
        let last = stages.last().and_then(Option::as_ref);
        if let (Some(last), Some(first), true) = (last, pipeline.commands.first(), stages.len() > 1)
            && matches!(last.name, "read" | "mapfile" | "readarray")
        {
            let span = Span::new(first.span.start, last.end());
            self.found(Shape::ReadInPipe, span, None);
        }
        let ([Some(cat), None], [_, looped]) = (stages, pipeline.commands.as_slice()) else {
            return;
        };
        let reads_one = cat.name == "cat" && cat.words.len() == 2;
        let (CommandKind::Loop(..), Some(file), true) =
            (&looped.kind, cat.words.get(1), reads_one && cat.is_plain())
        else {
            return;
        };
        let span = Span::new(cat.start(), end_of(looped, self.text));
        let body = self.text.get(looped.span.start..span.end);
        let replacement = body
            .filter(|body| body.ends_with("done") && file.is_one() && !pipeline.prefixed)
            .and_then(|body| Some((span, format!("{body} < {}", self.written(file)?))));
        self.found(Shape::CatIntoLoop, span, replacement);
    }

    fn written(&self, word: &Seen<'_>) -> Option<&'a str> {
        self.text.get(word.span.start..word.span.end)
    }

    /// The program and the arguments of a list that is one simple command and nothing else.
    fn only_call(&self, list: &List<'a>) -> Option<(&'a str, Vec<Seen<'a>>)> {
        let [item] = list.as_slice() else { return None };
        let ([pipeline], None) = (item.pipelines.as_slice(), item.background) else {
            return None;
        };
        let ([command], false) = (pipeline.commands.as_slice(), pipeline.prefixed) else {
            return None;
        };
        let simple = plain(command)?;
        let (name, args) = simple.words.split_first()?;
        let args: Vec<Seen<'a>> = args.iter().map(|word| Seen::new(self.text, word)).collect();
        let name = self.text.get(name.span.start..name.span.end)?;
        (!name.contains(UNKNOWN)).then_some((name, args))
    }
}

/// A simple command without assignments and redirections.
fn plain<'s, 't>(command: &'s Command<'t>) -> Option<&'s Simple<'t>> {
    match &command.kind {
        CommandKind::Simple(simple)
            if simple.assigns.is_empty() && command.redirects.is_empty() =>
        {
            Some(simple)
        }
        _ => None,
    }
}

/// The end of a command without the blanks behind it.
fn end_of(command: &Command<'_>, text: &str) -> usize {
    let span = command.span;
    let written = text.get(span.start..span.end).unwrap_or_default();
    span.start + written.trim_end().len()
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.len() < 10 && digits.bytes().all(|b| b.is_ascii_digit())
}
