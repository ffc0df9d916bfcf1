//! Calls as they are made, with arguments and directory, for those who need more than an analysis
//! keeps: what is measured before a command runs.
//!
//! It is off unless asked for, so that reading a command does not pay for it.

use super::arg::Arg;
use super::source::Source;
use super::{WORK, Walker, walk_with};
use crate::analysis::{Context, Span};
use crate::tree::{Part, Script};

/// Calls that are kept of one text.
pub(crate) const MAX_OBSERVED: usize = 1_000;

/// A program with its arguments, as it would be called.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) name: String,
    /// Its word in the text.
    pub(crate) span: Span,
    pub(crate) args: Vec<ObservedArg>,
    /// The directory it runs in, when that is known.
    pub(crate) cwd: Option<String>,
    /// It runs on this machine.
    pub(crate) here: bool,
}

/// One argument of a call.
#[derive(Clone, Debug)]
pub(crate) struct ObservedArg {
    /// The text; `\0` stands for what is not known.
    pub(crate) text: String,
    pub(crate) span: Span,
    /// Holds patterns that act.
    pub(crate) glob: bool,
    /// Some of its patterns act and others are quoted, which the text does not tell apart.
    pub(crate) mixed: bool,
}

/// The calls of a text, in the order in which they would be made.
pub(crate) fn observe(script: &Script<'_>, ctx: &Context<'_>) -> Vec<Observed> {
    walk_with(script, ctx, true, WORK)
        .observed
        .unwrap_or_default()
}

impl Walker<'_> {
    /// Keeps a call, if anybody asked for calls.
    pub(super) fn observe(&mut self, source: &Source<'_>, name: &str, args: &[Arg<'_>]) {
        let (Some(observed), Some((first, args))) = (&mut self.observed, args.split_first()) else {
            return;
        };
        if observed.len() >= MAX_OBSERVED {
            return;
        }
        let cwd = self.place.cwd();
        observed.push(Observed {
            name: name.to_owned(),
            span: first.span,
            args: args.iter().map(|arg| observed_arg(source, arg)).collect(),
            cwd: (!cwd.contains('\0')).then(|| cwd.to_owned()),
            here: self.via.is_none(),
        });
    }
}

fn observed_arg(source: &Source<'_>, arg: &Arg<'_>) -> ObservedArg {
    let parts = arg.word.map_or(&[][..], |word| &word.parts);
    ObservedArg {
        text: arg.text.clone().into_owned(),
        span: arg.span,
        glob: arg.traits.glob,
        mixed: arg.traits.glob && quotes_a_pattern(source, parts),
    }
}

fn quotes_a_pattern(source: &Source<'_>, parts: &[Part<'_>]) -> bool {
    parts.iter().any(|part| match part {
        Part::Quoted(span) => source.slice(*span).contains(['*', '?', '[', '\\']),
        Part::Double(parts) => quotes_a_pattern(source, parts),
        Part::AnsiC(_) | Part::ExtGlob(_) => true,
        _ => false,
    })
}
