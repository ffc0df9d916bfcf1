//! Whether a rule is about commands that stand beside each other.

use super::rule::{Redirected, Rule, Step};
use super::site::{Around, Joined, Line};
use super::stage::Stage;
use super::word::Seen;
use crate::measure::matches_pattern;
use crate::tree::RedirectOp;
use crate::walk;

impl Rule {
    /// The commands of a pipeline that match, beginning with the one at `at`.
    pub(super) fn pipe_at<'r, 's, 't>(
        &self,
        stages: &'r [Option<Stage<'s, 't>>],
        at: usize,
        around: Around,
        text: &str,
    ) -> Option<Vec<&'r Stage<'s, 't>>> {
        let end = at + self.pipe.len();
        let placed = (!self.starts || at == 0)
            && (!self.ends || end == stages.len())
            && (!self.looped || around.looped)
            && (!self.leads || around.leads);
        if !placed {
            return None;
        }
        let stages = stages.get(at..end)?;
        self.pipe
            .iter()
            .zip(stages)
            .map(|(step, stage)| {
                let stage = stage.as_ref()?;
                step.matches(stage, Joined::First, text).then_some(stage)
            })
            .collect()
    }

    /// The commands of a list that match, beginning with the one at `at`.
    pub(super) fn sequence_at<'r, 's, 't>(
        &self,
        lines: &'r [Option<Line<'s, 't>>],
        at: usize,
        text: &str,
    ) -> Option<Vec<&'r Line<'s, 't>>> {
        let lines = lines.get(at..at + self.seq.len())?;
        self.seq
            .iter()
            .zip(lines)
            .map(|(step, line)| {
                let line = line.as_ref()?;
                step.matches(&line.stage, line.joined, text).then_some(line)
            })
            .collect()
    }

    /// Whether what makes the changes safe holds as well.
    pub(super) fn is_safe(&self, stages: &[&Stage<'_, '_>], text: &str) -> bool {
        self.when
            .iter()
            .zip(stages)
            .all(|(step, stage)| step.matches(stage, Joined::First, text))
    }
}

impl Step {
    fn matches(&self, stage: &Stage<'_, '_>, joined: Joined, text: &str) -> bool {
        let named = self.program.is_empty()
            || self
                .program
                .iter()
                .any(|name| name == stage.name || name == "*");
        let joins = self.joined.is_empty() || self.joined.contains(&joined);
        if !named || !joins {
            return false;
        }
        let Some(sub) = stage.sub_len(&self.sub) else {
            return false;
        };
        self.options_match(stage)
            && self.operands_match(stage, sub)
            && self.rest_matches(stage, text)
            && self.place_matches(stage, sub, text)
    }

    fn options_match(&self, stage: &Stage<'_, '_>) -> bool {
        (self.any.is_empty() || self.any.iter().any(|flag| stage.has(flag)))
            && self.all.iter().all(|flag| stage.has(flag))
            && !self.none.iter().any(|flag| stage.has(flag))
            && self.only.as_ref().is_none_or(|flags| stage.has_only(flags))
    }

    fn operands_match(&self, stage: &Stage<'_, '_>, sub: usize) -> bool {
        let operands: Vec<&Seen<'_>> = stage.operand_words().skip(sub).collect();
        let counted = self
            .operands
            .is_none_or(|[least, most]| (least..=most).contains(&operands.len()));
        let is = |patterns: &[String], word: Option<&&Seen<'_>>| {
            patterns.is_empty() || word.is_some_and(|word| like_any(patterns, &word.text))
        };
        counted
            && is(&self.first, operands.first())
            && is(&self.last, operands.last())
            && (self.like.is_empty() || operands.iter().any(|word| is(&self.like, Some(word))))
            && (self.unlike.is_empty() || !operands.iter().any(|word| is(&self.unlike, Some(word))))
            && self
                .bare
                .is_none_or(|bare| operands.iter().any(|word| word.splits) == bare)
            && self
                .substitutes
                .is_none_or(|wanted| operands.iter().any(|word| word.substitutes) == wanted)
    }

    fn rest_matches(&self, stage: &Stage<'_, '_>, text: &str) -> bool {
        let words = stage.words.get(1..).unwrap_or_default();
        let any = |patterns: &[String]| words.iter().any(|word| like_any(patterns, &word.text));
        let written = |word: &Seen<'_>| {
            let written = text.get(word.span.start..word.span.end);
            written.is_some_and(|written| like_any(&self.written, written))
        };
        (self.word.is_empty() || any(&self.word))
            && (self.no_word.is_empty() || !any(&self.no_word))
            && (self.written.is_empty() || words.iter().any(written))
            && self
                .privileged
                .is_none_or(|wanted| stage.privileged == wanted)
            && (self.assigns.is_empty()
                || stage
                    .simple
                    .assigns
                    .iter()
                    .any(|assign| self.assigns.iter().any(|name| name == assign.name)))
            && !(self.external && walk::builtins::is_builtin(stage.name))
            && self
                .redirect
                .is_none_or(|wanted| is_redirected(stage, wanted))
    }
}

impl Step {
    /// What stands around the words that are matched.
    fn place_matches(&self, stage: &Stage<'_, '_>, sub: usize, text: &str) -> bool {
        let outer = stage.simple.words.iter().take(stage.outer);
        let wrapped = |word: &crate::tree::Word<'_>| {
            let written = text.get(word.span.start..word.span.end);
            self.unwrapped.iter().any(|name| written == Some(name))
        };
        let rest = || {
            let place = sub
                .checked_sub(1)
                .and_then(|last| stage.operands.get(last).copied());
            let first = stage.words.get(place.unwrap_or_default() + 1)?;
            text.get(first.span.start..stage.words_end())
        };
        (self.unwrapped.is_empty() || !outer.into_iter().any(wrapped))
            && (self.rest.is_empty() || rest().is_some_and(|rest| like_any(&self.rest, rest)))
    }
}

fn is_redirected(stage: &Stage<'_, '_>, wanted: Redirected) -> bool {
    let output = stage.command.redirects.iter().any(|redirect| {
        matches!(redirect.fd, None | Some("1"))
            && matches!(
                redirect.op,
                RedirectOp::Write
                    | RedirectOp::Append
                    | RedirectOp::BothWrite
                    | RedirectOp::BothAppend
            )
    });
    match wanted {
        Redirected::None => stage.command.redirects.is_empty(),
        Redirected::Output => output,
        Redirected::NotOutput => !output,
    }
}

fn like_any(patterns: &[String], text: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| matches_pattern(pattern, text))
}
