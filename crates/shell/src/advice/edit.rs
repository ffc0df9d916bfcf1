//! Changes that make the better form of a text, as rules write them:
//!
//! | change | does |
//! |---|---|
//! | `cut N` | takes the N-th command out, with what joins it to the others |
//! | `name N TEXT` | replaces its program |
//! | `command N TEXT` | replaces its words, leaving redirections |
//! | `behind N TEXT` | puts words behind the program and its subcommand |
//! | `end N TEXT` | puts words behind all others |
//! | `swap N OLD NEW` | replaces a word, or a letter among options by a word |
//! | `drop N FLAG` | takes an option out, or its letter out of others |
//! | `quote N` | puts expansions between double quotes |
//! | `before N TEXT`, `after N TEXT` | puts text around the command |
//! | `join N TEXT` | replaces what stands between the command before and the N-th |
//!
//! In TEXT, `{N.operand}` is the only operand, when it surely is one word, as it is written;
//! `{N.operands}` all of them, `{N.first}` and `{N.last}` one of them, `{N.args}` everything behind the program, `{N.rest}` everything
//! behind the subcommand, `{N.name}` the program, `{N.value}` the only operand without quotes,
//! `{N.variable}` what stands before `=` in it. A change of which a part cannot be made is not
//! made at all.

use super::rule::Rule;
use super::stage::Stage;
use super::word::{Seen, cluster, letter_of};
use crate::analysis::Span;

/// One change, as it is written in a rule.
#[derive(Debug)]
pub(super) struct Edit {
    verb: Verb,
    /// Which command, from zero.
    stage: usize,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Cut,
    Name,
    Command,
    Behind,
    End,
    Swap,
    Drop,
    Quote,
    Before,
    After,
    Join,
}

/// A stretch of the text and what is to stand there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) span: Span,
    pub(super) replacement: String,
}

impl Edit {
    /// Reads a change as it is written in a rule.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let verb = match parts.next()? {
            "cut" => Verb::Cut,
            "name" => Verb::Name,
            "command" => Verb::Command,
            "behind" => Verb::Behind,
            "end" => Verb::End,
            "swap" => Verb::Swap,
            "drop" => Verb::Drop,
            "quote" => Verb::Quote,
            "before" => Verb::Before,
            "after" => Verb::After,
            "join" => Verb::Join,
            _ => return None,
        };
        let stage = parts.next()?.parse::<usize>().ok()?.checked_sub(1)?;
        let text = parts.next().unwrap_or_default().to_owned();
        let needs_text = !matches!(verb, Verb::Cut | Verb::Quote);
        (text.is_empty() != needs_text).then_some(Self { verb, stage, text })
    }
}

impl Rule {
    /// What the rule makes of these commands, when it can tell.
    pub(super) fn change(&self, stages: &[&Stage<'_, '_>], text: &str) -> Option<Change> {
        if self.edits.is_empty() || !self.is_safe(stages, text) {
            return None;
        }
        let mut changes = Vec::new();
        let maker = Maker {
            rule: self,
            stages,
            text,
        };
        for edit in &self.edits {
            maker.make(edit, &mut changes)?;
        }
        let span = Span::new(stages.first()?.start(), stages.last()?.end());
        merged(text, span, changes)
    }
}

/// One change of a stretch out of several that do not overlap.
pub(super) fn merged(text: &str, span: Span, mut changes: Vec<Change>) -> Option<Change> {
    changes.sort_by_key(|change| change.span);
    let mut replacement = String::new();
    let mut at = span.start;
    for change in changes {
        replacement.push_str(text.get(at..change.span.start)?);
        replacement.push_str(&change.replacement);
        at = change.span.end;
    }
    replacement.push_str(text.get(at..span.end)?);
    Some(Change { span, replacement })
}

struct Maker<'a, 's, 't> {
    rule: &'a Rule,
    stages: &'a [&'a Stage<'s, 't>],
    text: &'a str,
}

impl Maker<'_, '_, '_> {
    fn make(&self, edit: &Edit, changes: &mut Vec<Change>) -> Option<()> {
        let stage = self.stages.get(edit.stage)?;
        let program = stage.words.first()?.span;
        let mut put = |start: usize, end: usize, replacement: String| {
            changes.push(Change {
                span: Span::new(start, end),
                replacement,
            });
        };
        match edit.verb {
            Verb::Cut => {
                if !stage.is_plain() {
                    return None;
                }
                // With what joins it to the one before, or the first to the one behind.
                let before = edit.stage.checked_sub(1).and_then(|at| self.stages.get(at));
                match (before, self.stages.get(edit.stage + 1)) {
                    (Some(before), _) => put(before.end(), stage.end(), String::new()),
                    (None, next) => put(stage.start(), next?.start(), String::new()),
                }
            }
            Verb::Name => put(program.start, program.end, self.fill(&edit.text)?),
            Verb::Command => {
                let end = stage.words_end();
                let redirects = &stage.command.redirects;
                if redirects.iter().any(|r| r.target.span.start < end) {
                    return None;
                }
                put(program.start, end, self.fill(&edit.text)?);
            }
            Verb::Behind => {
                let at = stage.words.get(self.sub_place(stage, edit.stage))?.span.end;
                put(at, at, format!(" {}", self.fill(&edit.text)?));
            }
            Verb::End => {
                let at = stage.words_end();
                put(at, at, format!(" {}", self.fill(&edit.text)?));
            }
            Verb::Swap => {
                let (old, new) = edit.text.split_once(' ')?;
                self.swap(stage, old, &self.fill(new)?, &mut put)?;
            }
            Verb::Drop => self.swap(stage, &edit.text, "", &mut put)?,
            Verb::Quote => self.quote(stage, &mut put)?,
            Verb::Before => put(stage.start(), stage.start(), self.fill(&edit.text)?),
            Verb::After => put(stage.end(), stage.end(), self.fill(&edit.text)?),
            Verb::Join => {
                let before = self.stages.get(edit.stage.checked_sub(1)?)?;
                put(before.end(), stage.start(), format!(" {} ", edit.text));
            }
        }
        Some(())
    }

    /// The place of the last word of the subcommand, or of the program.
    fn sub_place(&self, stage: &Stage<'_, '_>, index: usize) -> usize {
        let steps = if self.rule.pipe.is_empty() {
            &self.rule.seq
        } else {
            &self.rule.pipe
        };
        let sub = steps.get(index).and_then(|step| stage.sub_len(&step.sub));
        let last = sub.unwrap_or_default().checked_sub(1);
        last.and_then(|last| stage.operands.get(last).copied())
            .unwrap_or_default()
    }

    /// Replaces every such word; an empty `new` takes it out. `old` is several with `|` between.
    fn swap(
        &self,
        stage: &Stage<'_, '_>,
        old: &str,
        new: &str,
        put: &mut impl FnMut(usize, usize, String),
    ) -> Option<()> {
        let mut found = false;
        for (at, word) in stage.words.iter().enumerate().skip(1) {
            let span = word.span;
            if old.split('|').any(|old| word.text == old) {
                found = true;
                if new.is_empty() {
                    let before = stage.words.get(at - 1)?.span.end;
                    put(before, span.end, String::new());
                } else {
                    put(span.start, span.end, new.to_owned());
                }
                continue;
            }
            let written = self.text.get(span.start..span.end)?;
            let Some(left) = old
                .split('|')
                .find_map(|old| without_letter(stage, at, old))
            else {
                continue;
            };
            if written != word.text {
                return None;
            }
            found = true;
            let gap = if new.is_empty() { "" } else { " " };
            put(span.start, span.end, format!("{left}{gap}{new}"));
        }
        found.then_some(())
    }

    fn quote(
        &self,
        stage: &Stage<'_, '_>,
        put: &mut impl FnMut(usize, usize, String),
    ) -> Option<()> {
        let words = stage.words.iter().skip(1);
        for word in words.filter(|word| (word.splits || word.pattern) && !word.is_option()) {
            let written = self.text.get(word.span.start..word.span.end)?;
            let both = word.splits && word.pattern;
            if both || written.contains(['"', '\'', '\\', '`', '@', '~', '{']) {
                return None;
            }
            let quote = if word.splits { '"' } else { '\'' };
            put(
                word.span.start,
                word.span.end,
                format!("{quote}{written}{quote}"),
            );
        }
        Some(())
    }

    /// A text with its variables filled in.
    fn fill(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('{') {
            out.push_str(before);
            let variable = from
                .split_once('}')
                .and_then(|(inner, after)| Some((inner.split_once('.')?, after)))
                .filter(|((number, _), _)| number.len() == 1)
                .and_then(|((number, what), after)| {
                    Some((number.parse::<usize>().ok()?, what, after))
                });
            match variable {
                Some((number, what, after)) => {
                    let stage = self.stages.get(number.checked_sub(1)?)?;
                    out.push_str(&self.value(stage, number - 1, what)?);
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = from;
                }
            }
        }
        out.push_str(rest);
        Some(out)
    }

    fn value(&self, stage: &Stage<'_, '_>, index: usize, what: &str) -> Option<String> {
        let sub = self.sub_place(stage, index);
        let operands: Vec<&Seen<'_>> = stage
            .operands
            .iter()
            .filter(|at| **at > sub)
            .filter_map(|at| stage.words.get(*at))
            .collect();
        let only = match operands.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let written = |word: &Seen<'_>| self.text.get(word.span.start..word.span.end);
        let from = |place: usize| {
            let first = stage.words.get(place)?;
            self.text.get(first.span.start..stage.words_end())
        };
        match what {
            "operand" => only
                .filter(|word| word.is_one())
                .and_then(written)
                .map(str::to_owned),
            "operands" => {
                let all: Option<Vec<&str>> = operands.into_iter().map(written).collect();
                all.filter(|all| !all.is_empty()).map(|all| all.join(" "))
            }
            "first" => operands
                .first()
                .filter(|word| word.is_one())
                .and_then(|word| written(word))
                .map(str::to_owned),
            "last" => operands
                .last()
                .filter(|word| word.is_one())
                .and_then(|word| written(word))
                .map(str::to_owned),
            "args" => from(1).map(str::to_owned),
            "rest" => from(sub + 1).map(str::to_owned),
            "name" => stage.words.first().and_then(written).map(str::to_owned),
            "value" => only.and_then(Seen::literal).map(str::to_owned),
            "variable" => {
                let (name, _) = written(only?)?.split_once('=')?;
                crate::env::valid_env_name(name).then(|| name.to_owned())
            }
            _ => None,
        }
    }
}

/// The word at this place without a letter that stands for the option, if it holds it.
fn without_letter(stage: &Stage<'_, '_>, at: usize, option: &str) -> Option<String> {
    let letter = letter_of(option)?;
    stage.option_words().find(|(place, _)| *place == at)?;
    let text = stage.option_text(at);
    let holds = !text.starts_with("--") && cluster(&text)?.contains(letter);
    let word = stage.words.get(at)?;
    holds.then(|| word.text.chars().filter(|c| *c != letter).collect())
}
