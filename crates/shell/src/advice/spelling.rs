//! Words that are probably others misspelt: programs, subcommands, long options.
//!
//! A word is doubted only when the registry (or a rule) knows one like it and does not know the
//! word itself; that a word is not listed is no doubt, because no list is complete. Likeness is
//! the distance of Damerau and Levenshtein: letters that are missing, too many, wrong or swapped
//! with their neighbour. It may be at most [`MAX_DISTANCE`] and at most a third of the letters;
//! words of fewer than four letters must have the same letters, because most such words are near
//! each other. A word that the caller has run with success is never doubted.

use serde::Serialize;

use super::Rewrite;
use super::rule;
use super::stage::Stage;
use super::word::cluster;
use crate::analysis::Span;
use crate::registry::{CommonOption, Entry, Registry};
use crate::{rules, walk};

/// Mistakes in one word; what differs in more is another word.
pub(crate) const MAX_DISTANCE: usize = 2;

/// Letters of a word that is looked at. No program or option is longer.
pub(crate) const MAX_LETTERS: usize = 40;

/// Candidates that are offered for one word; with more, none of them is likely.
pub(crate) const MAX_CANDIDATES: usize = 3;

/// How often this caller ran a program, or a subcommand of it, before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habit<'a> {
    /// `git`, `git push`; as [`habit_keys`](crate::habit_keys) makes it.
    pub command: &'a str,
    /// Runs that are over.
    pub runs: u64,
    /// Those of them that ended with zero.
    pub successes: u64,
}

/// What is known of words beside what the rules know.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary<'a> {
    pub(super) registry: &'a Registry,
    /// Words that this caller ran with success.
    pub(super) habits: &'a [Habit<'a>],
}

/// A word that is probably another misspelt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misspelling {
    /// What the word is.
    pub kind: MisspeltKind,
    /// The word in the text.
    pub span: Span,
    /// As it is written.
    pub written: String,
    /// What may have been meant, nearest first; all are equally near.
    pub candidates: Vec<String>,
    /// The text with the only candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Rewrite>,
}

/// What a misspelt word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MisspeltKind {
    /// The name of a program.
    Program,
    /// A subcommand.
    Subcommand,
    /// A long option.
    Option,
}

/// What was found out about the words of a command.
pub(super) struct Spelling {
    /// Subcommands and options that are listed.
    pub(super) known: usize,
    pub(super) misspelt: Vec<Misspelling>,
}

/// Looks at the words of a command.
pub(super) fn check(stage: &Stage<'_, '_>, text: &str, words: &Vocabulary<'_>) -> Spelling {
    let mut spelling = Spelling {
        known: 0,
        misspelt: Vec::new(),
    };
    let Some(program) = stage.words.first() else {
        return spelling;
    };
    let Vocabulary { registry, habits } = *words;
    let Some(entry) = registry.lookup(stage.name) else {
        let called = program.literal().is_some_and(|word| word == stage.name);
        if called && !is_program(stage.name) && !succeeded(habits, stage.name) {
            let found = nearest(stage.name, registry.names());
            spelling.doubt(MisspeltKind::Program, program.span, stage.name, found, text);
        }
        return spelling;
    };
    let sub = subcommand(&mut spelling, stage, entry, text, habits);
    options(&mut spelling, stage, entry, sub, text);
    spelling
}

impl Spelling {
    fn doubt(
        &mut self,
        kind: MisspeltKind,
        span: Span,
        written: &str,
        candidates: Vec<String>,
        text: &str,
    ) {
        if candidates.is_empty() || candidates.len() > MAX_CANDIDATES {
            return;
        }
        let rewrite = match candidates.as_slice() {
            // What stands behind the word, such as `=value`, stays.
            [only] if text.get(span.start..span.end) == Some(written) => {
                Rewrite::new(text, span, only.clone())
            }
            _ => None,
        };
        self.misspelt.push(Misspelling {
            kind,
            span,
            written: written.to_owned(),
            candidates,
            rewrite,
        });
    }
}

/// The entry of the subcommand that is given, if it is listed. Each of its words is looked at among
/// those that may stand behind the words before it.
fn subcommand<'e>(
    spelling: &mut Spelling,
    stage: &Stage<'_, '_>,
    entry: &'e Entry,
    text: &str,
    habits: &[Habit<'_>],
) -> Option<&'e Entry> {
    let mut fitting: Vec<&Entry> = entry.subcommands.iter().collect();
    let mut whole = None;
    for (level, seen) in stage.operand_words().enumerate() {
        let word = seen.literal()?;
        let nth = |sub: &&Entry| sub.name.split(' ').nth(level) == Some(word);
        if !fitting.iter().any(nth) {
            if is_wordy(word) && !succeeded(habits, &format!("{} {word}", stage.name)) {
                let names = fitting
                    .iter()
                    .filter_map(|sub| sub.name.split(' ').nth(level));
                let found = nearest(word, names);
                spelling.doubt(MisspeltKind::Subcommand, seen.span, word, found, text);
            }
            return whole;
        }
        spelling.known += 1;
        fitting.retain(nth);
        let ends = |sub: &&&Entry| sub.name.split(' ').count() == level + 1;
        whole = fitting.iter().find(ends).copied();
    }
    whole
}

/// Whether a word looks like a subcommand and not like a file or a number.
pub(crate) fn is_wordy(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

fn options(
    spelling: &mut Spelling,
    stage: &Stage<'_, '_>,
    entry: &Entry,
    sub: Option<&Entry>,
    text: &str,
) {
    let known = known_options(entry, sub);
    for (at, word) in stage.option_words() {
        let written = stage.option_text(at);
        let name = written.split('=').next().unwrap_or_default();
        if name.contains('\0') || name == "--" {
            continue;
        }
        if is_listed(name, &known) {
            spelling.known += 1;
            continue;
        }
        let dashes = name.len() - name.trim_start_matches('-').len();
        let bare = name.trim_start_matches('-');
        if bare.len() < 4 || name.len() > word.span.end - word.span.start {
            continue;
        }
        let same_dashes = known.iter().filter(|other| {
            other.len() - other.trim_start_matches('-').len() == dashes && other.len() > dashes + 1
        });
        let names = same_dashes.map(|other| other.trim_start_matches('-'));
        let found = nearest(bare, names);
        let found = found
            .into_iter()
            .map(|found| format!("{}{found}", "-".repeat(dashes)))
            .collect();
        let span = Span::new(word.span.start, word.span.start + name.len());
        spelling.doubt(MisspeltKind::Option, span, name, found, text);
    }
}

/// Options that the registry, the rules of risk or those about better forms speak of.
fn known_options<'e>(entry: &'e Entry, sub: Option<&'e Entry>) -> Vec<&'e str> {
    let listed = sub
        .into_iter()
        .chain([entry])
        .flat_map(|entry| &entry.common_options)
        .flat_map(CommonOption::names);
    let risky = rules::for_program(&entry.name).flat_map(|rule| {
        let flags = rule.flags.iter().chain(&rule.also).chain(&rule.without);
        flags.map(String::as_str)
    });
    let valued = rules::value_flags(&entry.name)
        .iter()
        .chain(rule::value_flags(&entry.name))
        .map(String::as_str);
    listed
        .chain(risky)
        .chain(valued)
        .chain(rule::options_of(&entry.name).iter().copied())
        .chain(["--help", "--version"])
        .filter(|word| word.starts_with('-'))
        .collect()
}

/// Whether an option is listed: as it is, abbreviated, or letter by letter.
fn is_listed(name: &str, known: &[&str]) -> bool {
    let abbreviates =
        |other: &&str| name.len() >= 5 && name.starts_with("--") && other.starts_with(name);
    let letter = |c: char| {
        let is = |other: &&str| {
            let mut chars = other.chars();
            chars.next() == Some('-') && chars.next() == Some(c) && chars.next().is_none()
        };
        c.is_ascii_digit() || known.iter().any(is)
    };
    known.contains(&name)
        || known.iter().any(abbreviates)
        || (!name.starts_with("--")
            && cluster(name).is_some_and(|letters| {
                letters.len() + 1 == name.len() && letters.chars().all(letter)
            }))
}

/// Whether there is such a program, as far as any table knows.
fn is_program(name: &str) -> bool {
    rules::is_known(name) || walk::builtins::is_builtin(name) || walk::wrappers::is_wrapper(name)
}

fn succeeded(habits: &[Habit<'_>], command: &str) -> bool {
    habits
        .iter()
        .any(|habit| habit.command == command && habit.successes > 0)
}

/// The names that are nearest to a word and near enough, sorted.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let letters: Vec<char> = word.chars().take(MAX_LETTERS + 1).collect();
    if letters.len() > MAX_LETTERS {
        return Vec::new();
    }
    let mut allowed = (letters.len() / 3).min(MAX_DISTANCE);
    let mut found: Vec<&str> = Vec::new();
    let mut other = Vec::with_capacity(MAX_LETTERS);
    let mask = letter_mask(word);
    for name in names {
        // A mistake brings in at most one letter and takes out at most one.
        let strange = (letter_mask(name) ^ mask).count_ones() as usize;
        let far = name.len().abs_diff(word.len()) > allowed || strange > 2 * allowed;
        if far || name == word {
            continue;
        }
        other.clear();
        other.extend(name.chars());
        if letters.len() < 4 && !same_letters(&letters, &other) {
            continue;
        }
        let distance = distance(&letters, &other);
        if distance > allowed {
            continue;
        }
        if distance < allowed {
            found.clear();
            allowed = distance;
        }
        found.push(name);
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(str::to_owned).collect()
}

/// One bit for each letter that occurs, so that most names are told apart without a comparison.
fn letter_mask(word: &str) -> u64 {
    word.bytes().fold(0, |mask, byte| mask | 1 << (byte % 64))
}

fn same_letters(a: &[char], b: &[char]) -> bool {
    let sorted = |letters: &[char]| {
        let mut letters = letters.to_vec();
        letters.sort_unstable();
        letters
    };
    sorted(a) == sorted(b)
}

/// Letters to add, take away, change or swap with their neighbour to make one word of the other
/// (the optimal string alignment distance).
pub(crate) fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j) + usize::from(x != y))
                .min(at(&last, j + 1) + 1)
                .min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}
