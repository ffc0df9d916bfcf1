//! What could be run instead: what the rules of risk name, better forms, and words that were
//! probably meant.

use super::Alternative;
use crate::advice::{Advice, Gain, Misspelling, Rewrite, Wording};
use crate::analysis::{Analysis, Finding};

pub(super) fn alternatives(analysis: &Analysis, wording: Wording) -> Vec<Alternative> {
    let answered = |finding: &&Finding| {
        !wording.advice.iter().any(|advice| {
            let meets =
                advice.span.start < finding.span.end && finding.span.start < advice.span.end;
            meets && advice.answers.contains(&finding.rule)
        })
    };
    let safer: Vec<Alternative> = analysis
        .findings
        .iter()
        .filter(answered)
        .filter_map(safer)
        .collect();
    let mut all: Vec<Alternative> = wording
        .misspelt
        .into_iter()
        .flat_map(meant)
        .chain(safer)
        .chain(wording.advice.into_iter().map(better))
        .collect();
    fold(&mut all);
    let spans: Vec<_> = all.iter().map(|one| one.span).collect();
    for one in &mut all {
        let same = spans.iter().filter(|span| **span == one.span).count();
        one.confidence = 1.0 / same as f64;
    }
    all
}

/// Leaves out what another alternative for the same part of the text says as well: the same words,
/// or a general form (`git push --force-with-lease`) where another holds all of its words and more
/// (`git push --force-with-lease origin main`).
fn fold(all: &mut Vec<Alternative>) {
    let mut kept: Vec<Alternative> = Vec::with_capacity(all.len());
    for one in std::mem::take(all) {
        if kept.iter().any(|other| said_by(&one, other)) {
            continue;
        }
        kept.retain(|other| !said_by(other, &one));
        kept.push(one);
    }
    *all = kept;
}

/// Whether the other one says this as well, and no less exactly.
fn said_by(one: &Alternative, other: &Alternative) -> bool {
    let general = one.replacement.is_none();
    if one.alternative == other.alternative {
        return general || other.replacement.is_some();
    }
    let apart = one.span.end <= other.span.start || other.span.end <= one.span.start;
    general && !apart && holds_words(&other.alternative, &one.alternative)
}

/// Whether a text holds the words of a form, in their order. What stands behind the form's first
/// comma explains it, and a word in capitals stands for any.
fn holds_words(text: &str, form: &str) -> bool {
    let form = form.split(", ").next().unwrap_or_default();
    let fixed = |word: &&str| word.bytes().any(|byte| !byte.is_ascii_uppercase());
    // One word is a program, which all alternatives share.
    if form.split(' ').filter(fixed).count() < 2 {
        return false;
    }
    let mut words = text.split([' ', ',']);
    let mut there = |wanted: &str| words.any(|word| word == wanted || is_among(wanted, word));
    form.split(' ').filter(fixed).all(&mut there)
}

/// Whether a short option is one of the letters of a word: `-n` of `-nd`.
fn is_among(option: &str, word: &str) -> bool {
    let mut letters = option.chars();
    let short = letters.next() == Some('-');
    let (letter, end) = (letters.next(), letters.next());
    let cluster = word.starts_with('-') && !word.starts_with("--");
    short && end.is_none() && cluster && letter.is_some_and(|letter| word.contains(letter))
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
