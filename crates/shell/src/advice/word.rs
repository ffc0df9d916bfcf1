//! A word as the rules see it: its text, where it stands, and what may become of it.

use std::borrow::Cow;

use crate::analysis::Span;
use crate::tree::{Part, Word};

/// Stands in a text for what is not known; the same as in the walk.
pub(super) use crate::walk::arg::UNKNOWN;

/// One word of a command.
#[derive(Debug)]
pub(super) struct Seen<'t> {
    /// The text behind the quotes, with [`UNKNOWN`] for each expansion.
    pub(super) text: Cow<'t, str>,
    pub(super) span: Span,
    /// Holds a `*`, `?`, `[`, `{` or leading `~` that acts.
    pub(super) pattern: bool,
    /// Holds a parameter or a substitution outside of double quotes, which may become several
    /// words or none.
    pub(super) splits: bool,
    /// Holds a command substitution.
    pub(super) substitutes: bool,
}

impl<'t> Seen<'t> {
    pub(super) fn new(text: &'t str, word: &Word<'t>) -> Self {
        let mut seen = Self {
            text: Cow::Borrowed(""),
            span: word.span,
            pattern: false,
            splits: false,
            substitutes: false,
        };
        seen.parts(text, &word.parts, false);
        seen
    }

    fn parts(&mut self, text: &'t str, parts: &[Part<'t>], quoted: bool) {
        for part in parts {
            match part {
                Part::Plain(span) => {
                    let piece = text.get(span.start..span.end).unwrap_or_default();
                    let start = self.text.is_empty() && piece.starts_with('~');
                    let acts = piece != "{}" && piece.contains(['*', '?', '[', '{']);
                    // `[` alone is the program and `]` its end.
                    self.pattern |= (acts && piece != "[") || start;
                    self.push(piece);
                }
                Part::Quoted(span) => {
                    self.push(text.get(span.start..span.end).unwrap_or_default());
                }
                Part::Double(parts) => self.parts(text, parts, true),
                Part::Substitution(..) | Part::Backquote(_) => {
                    self.substitutes = true;
                    self.unknown(quoted);
                }
                _ => self.unknown(quoted),
            }
        }
    }

    fn unknown(&mut self, quoted: bool) {
        self.splits |= !quoted;
        self.push("\0");
    }

    fn push(&mut self, piece: &'t str) {
        if self.text.is_empty() {
            self.text = Cow::Borrowed(piece);
        } else if !piece.is_empty() {
            self.text.to_mut().push_str(piece);
        }
    }

    /// The text, when all of it is known and stands for itself.
    pub(super) fn literal(&self) -> Option<&str> {
        (!self.pattern && !self.text.contains(UNKNOWN)).then_some(self.text.as_ref())
    }

    /// Whether it is one word whatever the expansions yield, and not an option.
    pub(super) fn is_one(&self) -> bool {
        !self.pattern && !self.splits && !self.text.is_empty() && !self.text.starts_with('-')
    }

    pub(super) fn is_option(&self) -> bool {
        self.text.len() > 1 && self.text.starts_with('-')
    }
}

/// Whether an option is given by a word: exactly, with `=value`, or among letters.
pub(super) fn is_flag(word: &str, wanted: &str) -> bool {
    if word == wanted {
        return true;
    }
    match letter_of(wanted) {
        Some(letter) => cluster(word).is_some_and(|letters| letters.contains(letter)),
        None => {
            wanted.starts_with("--")
                && word
                    .strip_prefix(wanted)
                    .is_some_and(|rest| rest.starts_with('='))
        }
    }
}

/// The letter of a one-letter option.
pub(super) fn letter_of(flag: &str) -> Option<char> {
    let mut chars = flag.strip_prefix('-')?.chars();
    let letter = chars.next().filter(|c| *c != '-')?;
    chars.next().is_none().then_some(letter)
}

/// The letters of `-abc`, without what follows them.
pub(super) fn cluster(word: &str) -> Option<&str> {
    let letters = word.strip_prefix('-')?;
    let end = letters
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(letters.len());
    letters.get(..end).filter(|letters| !letters.is_empty())
}
