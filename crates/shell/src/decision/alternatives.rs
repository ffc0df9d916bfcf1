//! What could be run instead: what the rules of risk name, better forms, and words that were
//! probably meant.

use super::Alternative;
use crate::advice::{Advice, Gain, Misspelling, Rewrite, Wording};
use crate::analysis::{Analysis, Finding};

pub(super) fn alternatives(analysis: &Analysis, wording: Wording) -> Vec<Alternative> {
    let mut all: Vec<Alternative> = wording
        .misspelt
        .into_iter()
        .flat_map(meant)
        .chain(analysis.findings.iter().filter_map(safer))
        .chain(wording.advice.into_iter().map(better))
        .collect();
    let spans: Vec<_> = all.iter().map(|one| one.span).collect();
    for one in &mut all {
        let same = spans.iter().filter(|span| **span == one.span).count();
        one.confidence = 1.0 / same as f64;
    }
    all
}

/// What a word may have been meant to be, one alternative for each candidate.
fn meant(word: Misspelling) -> Vec<Alternative> {
    let one = |candidate: &String, rewrite: Option<Rewrite>| {
        let reasoning = format!("{} is not known; {candidate} is", word.written);
        alternative(
            ("did-you-mean", Gain::Correctness),
            word.span,
            candidate,
            reasoning,
            rewrite,
        )
    };
    word.candidates
        .iter()
        .map(|candidate| one(candidate, word.rewrite.clone()))
        .collect()
}

fn safer(finding: &Finding) -> Option<Alternative> {
    let form = finding.alternative.as_deref()?;
    let rule = (finding.rule.as_str(), Gain::Safety);
    Some(alternative(
        rule,
        finding.span,
        form,
        finding.message.clone(),
        None,
    ))
}

fn better(advice: Advice) -> Alternative {
    alternative(
        (advice.rule, advice.gain),
        advice.span,
        advice.better,
        advice.message.to_owned(),
        advice.rewrite,
    )
}

fn alternative(
    (rule, gain): (&str, Gain),
    span: crate::analysis::Span,
    form: &str,
    reasoning: String,
    rewrite: Option<Rewrite>,
) -> Alternative {
    let replaces = rewrite.as_ref().map(|rewrite| rewrite.span);
    let (command, replacement) = rewrite
        .map(|rewrite| (rewrite.command, rewrite.replacement))
        .unzip();
    Alternative {
        alternative: command.unwrap_or_else(|| form.to_owned()),
        reasoning,
        confidence: 1.0,
        rule: rule.to_owned(),
        gain,
        span,
        replacement,
        replaces,
    }
}
