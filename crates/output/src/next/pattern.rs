//! Patterns of messages: text with `{names}` in it.
//!
//! Regular expressions would do too; these read like the message itself, they cannot be written
//! so that they take exponential time, and what a name may stand for is decided in one place.

use std::collections::HashMap;

/// What the names of a pattern stood for.
pub(super) type Captures = HashMap<&'static str, String>;

/// Bytes of a line that are held against patterns.
pub(super) const MAX_LINE: usize = 2_000;

/// Attempts that one pattern may make on one line.
const MAX_ATTEMPTS: u32 = 500;

/// A pattern, read.
#[derive(Debug)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Name(&'static str),
}

impl Pattern {
    /// Reads a pattern; quotes of every kind are read as one.
    pub(super) fn read(text: &'static str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                break;
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(one_quote(before)));
            }
            pieces.push(Piece::Name(name));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(one_quote(rest)));
        }
        Self { pieces }
    }

    /// Its longest text without a quote, which a line must contain.
    pub(super) fn anchor(&self) -> &str {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Name(_) => None,
        });
        let parts = texts
            .flat_map(|text| text.split('\''))
            .map(|part| part.trim_matches(' '));
        parts.max_by_key(|part| part.len()).unwrap_or_default()
    }

    /// Finds the pattern in a line whose quotes are [`one_quote`].
    pub(super) fn find(&self, line: &str) -> Option<Captures> {
        let mut attempts = MAX_ATTEMPTS;
        let mut captures = Captures::new();
        let found = match self.pieces.first()? {
            Piece::Text(text) => starts(line, text).any(|at| {
                let rest = line.get(at + text.len()..).unwrap_or_default();
                follow(
                    self.pieces.get(1..).unwrap_or_default(),
                    rest,
                    &mut captures,
                    &mut attempts,
                )
            }),
            Piece::Name(name) => {
                let Some(Piece::Text(text)) = self.pieces.get(1) else {
                    return None;
                };
                starts(line, text).any(|at| {
                    let Some(value) = before(name, line.get(..at).unwrap_or_default()) else {
                        return false;
                    };
                    let rest = line.get(at + text.len()..).unwrap_or_default();
                    let pieces = self.pieces.get(2..).unwrap_or_default();
                    let found = follow(pieces, rest, &mut captures, &mut attempts);
                    if found {
                        captures.insert(name, value.to_owned());
                    }
                    found
                })
            }
        };
        found.then_some(captures)
    }
}

/// Quotes of every kind as the plain one, so that `‘x’`, `"x"` and `` `x` `` are `'x'`.
pub(super) fn one_quote(text: &str) -> String {
    let plain = |c| match c {
        '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' | '`' | '"' => '\'',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// Matches the pieces from the beginning of the text on.
fn follow(pieces: &[Piece], text: &str, captures: &mut Captures, attempts: &mut u32) -> bool {
    let (name, pieces) = match pieces {
        [] => return true,
        [Piece::Text(wanted), rest @ ..] => {
            let begins = text
                .get(..wanted.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(wanted));
            let after = text.get(wanted.len()..).unwrap_or_default();
            return begins && follow(rest, after, captures, attempts);
        }
        [Piece::Name(name), rest @ ..] => (*name, rest),
    };
    let Some(Piece::Text(next)) = pieces.first() else {
        // The last name takes what it may; the full stop of a sentence is not part of it.
        let Some(value) = longest(name, text) else {
            return false;
        };
        captures.insert(name, value.to_owned());
        return true;
    };
    let quoted = next.starts_with('\'');
    for at in starts(text, next) {
        if *attempts == 0 {
            return false;
        }
        *attempts -= 1;
        let value = text.get(..at).unwrap_or_default();
        if !may_stand_for(name, value, quoted) {
            continue;
        }
        let after = text.get(at + next.len()..).unwrap_or_default();
        if follow(
            pieces.get(1..).unwrap_or_default(),
            after,
            captures,
            attempts,
        ) {
            captures.insert(name, value.to_owned());
            return true;
        }
    }
    false
}

/// Where a text begins in another, without regard to capitals.
fn starts<'a>(text: &'a str, wanted: &'a str) -> impl Iterator<Item = usize> + 'a {
    let places = text
        .len()
        .checked_sub(wanted.len())
        .map_or(0, |last| last + 1);
    (0..places).filter(move |at| {
        text.get(*at..at + wanted.len())
            .is_some_and(|part| part.eq_ignore_ascii_case(wanted))
    })
}

fn is_of(name: &str, c: char) -> bool {
    match name {
        "port" | "line" | "n" => c.is_ascii_digit(),
        "word" | "host" | "pod" => c.is_ascii_alphanumeric() || "_.@+-:/<>=!~[]".contains(c),
        "path" | "url" | "module" => !c.is_whitespace() && c != '\'',
        _ => true,
    }
}

fn may_stand_for(name: &str, value: &str, quoted: bool) -> bool {
    let named = |c| is_of(name, c) || (quoted && name == "path" && c != '\'' && !c.is_control());
    // An address may hold colons and does not end with one.
    let ends = name != "host" || !value.ends_with(':');
    matches!(name, "any") || ends && (!value.is_empty() && value.chars().all(named))
}

/// The longest end of a text that the name may stand for.
fn before<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    let value = match name {
        "any" => text,
        _ => {
            let rest = text.trim_end_matches(|c| is_of(name, c) && c != ':');
            text.get(rest.len()..)?
        }
    };
    (name == "any" || !value.is_empty()).then_some(value)
}

/// The longest beginning of a text that the name may stand for.
fn longest<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    let value = match name {
        "any" | "rest" => text.trim(),
        _ => {
            let end = text.find(|c| !is_of(name, c)).unwrap_or(text.len());
            text.get(..end)?.trim_end_matches(['.', ',', ':', ';', ')'])
        }
    };
    (name == "any" || !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &'static str, line: &str) -> Option<Captures> {
        Pattern::read(pattern).find(&one_quote(line))
    }

    #[test]
    fn names_stand_for_what_they_may() {
        let found_in = found(
            "line {line}: {word}: command not found",
            "a: line 41: jq: command not found",
        )
        .unwrap();
        assert_eq!(
            (found_in["line"].as_str(), found_in["word"].as_str()),
            ("41", "jq")
        );
        assert!(found("line {line}:", "line x:").is_none());
        let path = found("open '{path}'", "Error: open \u{2018}/a b\u{2019}").unwrap();
        assert_eq!(path["path"], "/a b");
        let end = found("not found: {word}", "command NOT found: rg.").unwrap();
        assert_eq!(end["word"], "rg");
        let start = found("{word}: not found", "sh: 1: cmake: not found").unwrap();
        assert_eq!(start["word"], "cmake");
        let host = found("to {host}:{port}", "to ::1:5432").unwrap();
        assert_eq!(
            (host["host"].as_str(), host["port"].as_str()),
            ("::1", "5432")
        );
    }

    #[test]
    fn the_anchor_is_text_without_quotes() {
        assert_eq!(
            Pattern::read("open '{path}' for reading").anchor(),
            "for reading"
        );
    }

    #[test]
    fn attempts_are_bounded() {
        let line = "a: ".repeat(MAX_LINE / 3);
        assert!(found("{any}: {any}: {any}: {any}: b", &line).is_none());
    }
}
