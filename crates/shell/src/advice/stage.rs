//! A simple command as the rules see it: its program behind wrappers, its options and operands.

use std::borrow::Cow;

use super::rule;
use super::word::{Seen, cluster, is_flag, letter_of};
use crate::rules;
use crate::tree::{Command, Simple};

/// A simple command in a pipeline.
pub(super) struct Stage<'s, 't> {
    pub(super) command: &'s Command<'t>,
    pub(super) simple: &'s Simple<'t>,
    /// Basename of the program behind its wrappers.
    pub(super) name: &'s str,
    /// The program and its arguments.
    pub(super) words: Vec<Seen<'t>>,
    /// Words that belong to wrappers, before the program.
    pub(super) outer: usize,
    /// Behind `sudo` or its kin.
    pub(super) privileged: bool,
    /// Places of options among the words.
    pub(super) options: Vec<usize>,
    /// Places of operands among the words.
    pub(super) operands: Vec<usize>,
}

impl Stage<'_, '_> {
    /// First byte of the whole command.
    pub(super) fn start(&self) -> usize {
        self.command.span.start
    }

    /// One past the last byte of the whole command, without what stands behind it.
    pub(super) fn end(&self) -> usize {
        let words = self.words_end();
        let redirects = self.command.redirects.iter().map(|r| r.target.span.end);
        redirects.fold(words, usize::max)
    }

    /// One past the last word.
    pub(super) fn words_end(&self) -> usize {
        self.words.last().map_or(self.start(), |word| word.span.end)
    }

    /// Whether nothing but the words stands there: no wrapper, assignment or redirection.
    pub(super) fn is_plain(&self) -> bool {
        self.outer == 0 && self.simple.assigns.is_empty() && self.command.redirects.is_empty()
    }

    pub(super) fn option_words(&self) -> impl Iterator<Item = (usize, &Seen<'_>)> {
        self.options
            .iter()
            .filter_map(|at| Some((*at, self.words.get(*at)?)))
    }

    pub(super) fn operand_words(&self) -> impl Iterator<Item = &Seen<'_>> {
        self.operands.iter().filter_map(|at| self.words.get(*at))
    }

    /// The word as an option, with the dash that old programs let one leave out.
    pub(super) fn option_text(&self, at: usize) -> Cow<'_, str> {
        let text = self.words.get(at).map_or("", |word| word.text.as_ref());
        if text.starts_with('-') {
            text.into()
        } else {
            format!("-{text}").into()
        }
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.options
            .iter()
            .any(|at| is_flag(&self.option_text(*at), flag))
    }

    /// Whether every option is one of these.
    pub(super) fn has_only(&self, flags: &[String]) -> bool {
        let known = |letter: char| flags.iter().any(|flag| letter_of(flag) == Some(letter));
        self.options.iter().all(|at| {
            let text = self.option_text(*at);
            flags.iter().any(|flag| is_flag(&text, flag))
                && (text.starts_with("--")
                    || flags.iter().any(|flag| *flag == *text)
                    || cluster(&text).is_some_and(|letters| {
                        letters.chars().all(|c| known(c) || c.is_ascii_digit())
                    }))
        })
    }

    /// How many words the first of these subcommands has that is given; zero without any.
    pub(super) fn sub_len(&self, subs: &[String]) -> Option<usize> {
        if subs.is_empty() {
            return Some(0);
        }
        subs.iter().find_map(|sub| {
            let mut operands = self.operand_words();
            let mut words = sub.split(' ');
            let all = words.all(|word| {
                operands
                    .next()
                    .is_some_and(|seen| seen.literal() == Some(word))
            });
            all.then(|| sub.split(' ').count())
        })
    }
}

/// Places of options and of operands among the words; the values of options that are known to
/// take one are neither.
pub(super) fn arguments(name: &str, words: &[Seen<'_>]) -> (Vec<usize>, Vec<usize>) {
    let (mut options, mut operands) = (Vec::new(), Vec::new());
    let takes_value = rules::value_flags(name);
    let also = rule::value_flags(name);
    let old = matches!(name, "tar" | "bsdtar");
    let mut all = words.iter().enumerate().skip(1);
    while let Some((at, word)) = all.next() {
        if word.text == "--" {
            operands.extend(all.map(|(at, _)| at));
            return (options, operands);
        }
        if word.is_option() || (old && at == 1 && word.literal().is_some()) {
            options.push(at);
            let text = word.text.as_ref();
            if takes_value.iter().chain(also).any(|flag| flag == text) {
                all.next();
            }
        } else {
            operands.push(at);
        }
    }
    (options, operands)
}
