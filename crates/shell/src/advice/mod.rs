//! Better forms of what stands in a text: known ones from `data/efficiency/*.toml`, and what was
//! probably meant where a word is not known.
//!
//! A rule speaks of programs, options and operands and of how commands stand beside each other,
//! so it is matched on the parse tree; text in quotes never matches. Rules are found by the name
//! of the program, so that a command pays for the rules that could be about it and no others.
//!
//! Where a rule can rewrite the text, the advice carries the whole better command. It is given
//! only after it was analysed itself, and is neither invalid nor riskier than what it replaces.
//!
//! It is made on request and not on the way to a verdict, so it parses the text once more rather
//! than letting every analysis carry what only an answer shows.
//!
//! Start reading at [`read`]; `site.rs` lays the tree out as commands beside each other, `rule.rs`
//! is the data, `matching.rs` and `edit.rs` are what is done with it.

mod edit;
mod matching;
mod rule;
mod shape;
mod site;
pub(crate) mod spelling;
mod stage;
mod word;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, Context, Span};
use crate::analyze::analyze_within;
use crate::registry::Registry;
use crate::walk::WORK;
pub use rule::{RuleView, rules};
use site::Visitor;
use spelling::Vocabulary;
pub use spelling::{Habit, Misspelling, MisspeltKind};

/// Pieces of advice that are given on one text; more would not be read.
pub const MAX_ADVICE: usize = 16;

/// Bytes of text on which advice is given. What is longer is not written by hand, and every
/// rewritten command is as long as the text.
pub const MAX_ADVISED: usize = 32 << 10;

/// What is gained by following a piece of advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// Less can be lost, seen or let in.
    Safety,
    /// The result is right in more cases.
    Correctness,
    /// It ends without a person at a terminal.
    Automation,
    /// Fewer processes, less reading, less waiting.
    Speed,
    /// Less output to read.
    Tokens,
    /// It works in more places, and for longer.
    Portability,
}

/// A better form of a part of the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// Name of the rule.
    pub rule: &'static str,
    /// What is gained.
    pub gain: Gain,
    /// The part of the text that it speaks of.
    pub span: Span,
    /// Why there is a better form.
    pub message: &'static str,
    /// The better form in general.
    pub better: &'static str,
    /// Rules of risk whose alternative, in general words, this says for the command itself.
    #[serde(skip)]
    pub answers: &'static [String],
    /// The better form of this text, where it can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
}

/// A change to the text that makes the better form of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    /// The part of the text that is replaced.
    pub span: Span,
    /// What stands there instead.
    pub replacement: String,
    /// The whole text with the change.
    pub command: String,
}

impl Rewrite {
    /// Replaces a part of a text; `None` when the span is not one of the text.
    fn new(text: &str, span: Span, replacement: String) -> Option<Self> {
        let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
        let command = format!("{before}{replacement}{after}");
        Some(Self {
            span,
            replacement,
            command,
        })
    }
}

/// Everything that can be said about the wording of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wording {
    /// Better forms, in the order of the text.
    pub advice: Vec<Advice>,
    /// Words that are probably others misspelt, in the order of the text.
    pub misspelt: Vec<Misspelling>,
    /// Subcommands and options that the registry or a rule lists for their program.
    pub known_words: usize,
}

/// Reads a text for better forms. `analysis` must be that of the text; `ctx` is what rewritten
/// commands are judged in, and should be what the text was judged in. Words are right that the
/// registry or the caller's habits know.
#[must_use]
pub fn read(
    text: &str,
    analysis: &Analysis,
    ctx: &Context<'_>,
    habits: &[Habit<'_>],
    registry: &Registry,
) -> Wording {
    if text.len() > MAX_ADVISED || analysis.parse_error.is_some() {
        return Wording::default();
    }
    let mut visitor = Visitor::new(text, analysis, Vocabulary { registry, habits });
    visitor.text();
    let mut wording = visitor.wording;
    wording
        .advice
        .sort_by_key(|advice| (advice.span, advice.rule));
    wording
        .advice
        .dedup_by(|a, b| a.rule == b.rule && a.span == b.span);
    let mut ceiling = None;
    // All of them together may cost what one analysis may.
    let mut work = WORK;
    for rewrite in wording
        .advice
        .iter_mut()
        .map(|advice| &mut advice.rewrite)
        .chain(wording.misspelt.iter_mut().map(|word| &mut word.rewrite))
    {
        let Some(command) = rewrite.as_ref().map(|rewrite| rewrite.command.as_str()) else {
            continue;
        };
        // The text is judged in the same context again, because the caller's may have been another.
        let mut judged = |text: &str| {
            let mut analysis = analyze_within(text, ctx, &mut work)?;
            registry.weigh(text, ctx, &mut analysis);
            Some(analysis)
        };
        let ceiling = *ceiling.get_or_insert_with(|| judged(text).map(|analysis| analysis.risk));
        let no_worse = |after: &Analysis| {
            after.parse_error.is_none() && ceiling.is_some_and(|ceiling| after.risk <= ceiling)
        };
        if !judged(command).is_some_and(|after| no_worse(&after)) {
            *rewrite = None;
        }
    }
    wording
}
