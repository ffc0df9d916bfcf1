//! Words that tell of a failure or a warning, found in one pass over a line.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// What the words of a line say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// A word of failure that stands where messages have it: `error: …`, `ERROR`, `[E] …`.
    pub(crate) message: bool,
    /// A word of failure anywhere: `failed`, `panicked`, `AssertionError`.
    pub(crate) strong: bool,
    /// A word that tells of a failure when something failed: `not found`, `expected`.
    pub(crate) weak: bool,
    /// A word of warning.
    pub(crate) warning: bool,
}

/// How a word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Strong,
    Weak,
    Warning,
}

/// How a word may go on after what is written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing, or a plural `s`.
    Word,
    /// Anything: `fail` stands for `failed`, `failing`, `failure`.
    Open,
}

use End::{Open, Word};
use Weight::{Strong, Warning, Weak};

const TABLE: &[(&str, Weight, End)] = &[
    ("error", Strong, Word),
    ("errored", Strong, Word),
    ("err!", Strong, Word),
    ("fail", Strong, Open),
    ("fatal", Strong, Open),
    ("panic", Strong, Open),
    ("exception", Strong, Word),
    ("traceback", Strong, Word),
    ("abort", Strong, Open),
    ("assert", Strong, Open),
    ("critical", Strong, Word),
    ("severe", Strong, Word),
    ("emerg", Strong, Word),
    ("segfault", Strong, Word),
    ("segmentation fault", Strong, Word),
    ("core dumped", Strong, Word),
    ("bus error", Strong, Word),
    ("stack overflow", Strong, Word),
    ("out of memory", Strong, Word),
    ("oomkill", Strong, Open),
    ("oom-kill", Strong, Open),
    ("crash", Strong, Open),
    ("undefined reference", Strong, Word),
    ("undefined symbol", Strong, Word),
    ("multiple definition", Strong, Word),
    ("unhandled", Strong, Word),
    ("uncaught", Strong, Word),
    ("not ok", Strong, Word),
    ("conflict", Strong, Word),
    ("rejected", Strong, Word),
    ("no space left", Strong, Word),
    ("permission denied", Strong, Word),
    ("access denied", Strong, Word),
    ("command not found", Strong, Word),
    ("no such file", Strong, Word),
    ("connection refused", Strong, Word),
    ("\u{2715}", Strong, Open),
    ("\u{2717}", Strong, Open),
    ("\u{2718}", Strong, Open),
    ("\u{2716}", Strong, Open),
    ("\u{d7} ", Strong, Open),
    ("\u{274c}", Strong, Open),
    ("unreachable", Strong, Word),
    ("unsatisfiable", Strong, Word),
    ("unmet dependenc", Strong, Open),
    ("crashloopbackoff", Strong, Word),
    ("imagepullbackoff", Strong, Word),
    ("errimagepull", Strong, Word),
    ("backoff", Weak, Word),
    ("back-off", Weak, Word),
    ("cannot", Weak, Word),
    ("can't", Weak, Word),
    ("can\u{2019}t", Weak, Word),
    ("could not", Weak, Word),
    ("couldn't", Weak, Word),
    ("unable to", Weak, Word),
    ("not found", Weak, Word),
    ("not installed", Weak, Word),
    ("does not", Weak, Word),
    ("doesn't", Weak, Word),
    ("is not", Weak, Word),
    ("not a ", Weak, Open),
    ("no module named", Weak, Word),
    ("denied", Weak, Word),
    ("refused", Weak, Word),
    ("timed out", Weak, Word),
    ("timeout", Weak, Word),
    ("unresolved", Weak, Word),
    ("unknown", Weak, Word),
    ("undefined", Weak, Word),
    ("undeclared", Weak, Word),
    ("invalid", Weak, Word),
    ("illegal", Weak, Word),
    ("unexpected", Weak, Open),
    ("expected", Weak, Word),
    ("received", Weak, Word),
    ("mismatch", Weak, Open),
    ("missing", Weak, Word),
    ("killed", Weak, Word),
    ("terminated", Weak, Word),
    ("forbidden", Weak, Word),
    ("unauthorized", Weak, Word),
    ("corrupt", Weak, Open),
    ("broken", Weak, Word),
    ("incompatible", Weak, Word),
    ("unsupported", Weak, Word),
    ("unrecognized", Weak, Word),
    ("violat", Weak, Open),
    ("deadlock", Weak, Open),
    ("overflow", Weak, Open),
    ("already in use", Weak, Word),
    ("already exists", Weak, Word),
    ("no route to host", Weak, Word),
    ("unused", Warning, Word),
    ("warning", Warning, Word),
    ("warn", Warning, Word),
    ("deprecated", Warning, Open),
    ("deprecation", Warning, Open),
    ("vulnerabilit", Warning, Open),
];

static MATCHER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(TABLE.iter().map(|(word, ..)| word))
        .ok()
});

impl Words {
    /// Reads a cleaned line.
    pub(crate) fn of(line: &str) -> Self {
        let mut words = Self::default();
        if MATCHER.is_none() {
            // Never met, and a test says so; but if it were, nothing may be lost.
            words.strong = true;
        }
        for (_, weight, message) in said(line) {
            match weight {
                Strong => {
                    words.strong = true;
                    words.message = words.message || message;
                }
                Weak => words.weak = true,
                Warning => words.warning = true,
            }
        }
        words
    }

    /// Where the word stands that tells most of a failure: the first that stands as in a message,
    /// else the first that tells of one at all.
    pub(super) fn place(line: &str) -> Option<usize> {
        let mut best = None;
        for (at, weight, message) in said(line).filter(|(_, weight, _)| *weight != Warning) {
            match (weight, message) {
                (Strong, true) => return Some(at),
                (Strong, false) if !matches!(best, Some((_, Strong))) => best = Some((at, Strong)),
                _ if best.is_none() => best = Some((at, weight)),
                _ => {}
            }
        }
        best.map(|(at, _)| at)
    }

    /// Whether it tells of a failure in a run that failed.
    pub(crate) const fn any(self) -> bool {
        self.strong || self.weak
    }
}

/// The words of a line that count: where they stand, how they count, and whether they stand
/// where messages have them.
fn said(line: &str) -> impl Iterator<Item = (usize, Weight, bool)> + '_ {
    let bytes = line.as_bytes();
    let found = MATCHER
        .iter()
        .flat_map(move |matcher| matcher.find_iter(bytes));
    found.filter_map(move |found| {
        let (_, weight, end) = TABLE.get(found.pattern().as_usize())?;
        let (before, word, after) = (
            bytes.get(..found.start())?,
            bytes.get(found.start()..found.end())?,
            bytes.get(found.end()..)?,
        );
        let counts = begins(before, word)
            && (*end == Open || ends(word, after))
            && !denied(before)
            && !is_none_of_it(word, after)
            && !is_part_of_a_name(before, word, after)
            && !goes_over(word, after);
        let message = counts && *weight == Strong && is_message(before, word, after);
        counts.then_some((found.start(), *weight, message))
    })
}

/// A word begins here: not inside another one, save after a lower-case letter when it is
/// capitalised, as in `AssertionError`.
fn begins(before: &[u8], word: &[u8]) -> bool {
    let capital = word.first().is_some_and(u8::is_ascii_uppercase);
    before.last().is_none_or(|last| {
        !last.is_ascii_alphanumeric()
            || (capital
                && (last.is_ascii_lowercase()
                    || last.is_ascii_uppercase()
                        && word.get(1).is_some_and(u8::is_ascii_lowercase)))
    })
}

fn ends(word: &[u8], after: &[u8]) -> bool {
    if word
        .last()
        .is_some_and(|last| !last.is_ascii_alphanumeric())
    {
        return true;
    }
    let after = after
        .strip_prefix(b"s")
        .or_else(|| after.strip_prefix(b"S"))
        .unwrap_or(after);
    after
        .first()
        .is_none_or(|next| !next.is_ascii_alphanumeric())
}

/// `0 errors`, `no failures`, `without error`: the opposite of what the word says.
fn denied(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let word = before.rsplit(|byte| !byte.is_ascii_alphanumeric()).next();
    word.is_some_and(|word| {
        word == b"0" || word.eq_ignore_ascii_case(b"no") || word.eq_ignore_ascii_case(b"without")
    }) && !before.ends_with(b":0")
}

/// `errors: 0`, `failed=0`, `error_count = 0`: counted, and none found.
fn is_none_of_it(word: &[u8], after: &[u8]) -> bool {
    if word.contains(&b' ') {
        return false;
    }
    let name = after.iter().take(MAX_NAME);
    let name = name.take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'_');
    let rest = after.get(name.count()..).unwrap_or_default();
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest).trim_ascii_start();
    let Some((b':' | b'=', rest)) = rest.split_first() else {
        return false;
    };
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let zero = digits > 0 && rest.iter().take(digits).all(|byte| *byte == b'0');
    let next = rest.get(digits);
    zero && next.is_none_or(|next| !(next.is_ascii_alphanumeric() || matches!(next, b'.' | b':')))
}

/// Bytes that a name may have behind the word in it.
const MAX_NAME: usize = 32;

/// `error_handling.rs`, `on-failure`, `exception-handler`: the word in lower case inside of what
/// something is called, and no message behind it.
fn is_part_of_a_name(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    if !word.iter().all(u8::is_ascii_lowercase) {
        return false;
    }
    let tail = after.iter().take(MAX_NAME);
    let tail = tail.take_while(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(byte));
    let tail = after.get(..tail.count()).unwrap_or_default();
    let tail = tail.trim_ascii_end();
    let tail = tail.strip_suffix(b".").unwrap_or(tail);
    let joined_before = before.last().is_some_and(|byte| b"_-/".contains(byte))
        && before
            .iter()
            .nth_back(1)
            .is_some_and(u8::is_ascii_alphanumeric);
    let joined_after = tail.iter().any(|byte| b"_-./".contains(byte));
    let message = after.get(tail.len()).is_some_and(|byte| *byte == b':');
    (joined_before || joined_after) && !message
}

/// `failover`, `failsafe`: what is done against failures.
fn goes_over(word: &[u8], after: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"fail")
        && ["over", "safe", "back", "fast"].iter().any(|tail| {
            after
                .get(..4)
                .is_some_and(|a| a.eq_ignore_ascii_case(tail.as_bytes()))
        })
}

/// Where messages have such a word: in capitals, or followed by a colon, a bracket or an
/// exclamation mark, and not in the middle of a path or an identifier.
fn is_message(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    if !word.is_ascii() {
        return true;
    }
    let joined = |byte: Option<&u8>| {
        byte.is_some_and(|byte| matches!(byte, b'/' | b'_' | b'.' | b'-' | b'#'))
    };
    if joined(before.last()) || joined(after.first()) && !after.starts_with(b". ") {
        return false;
    }
    let capitals = word.len() > 3 && word.iter().all(|byte| !byte.is_ascii_lowercase());
    let first = before.trim_ascii().is_empty();
    let rest = after.trim_ascii_start();
    let colon = (rest.starts_with(b":") && !rest.starts_with(b"::"))
        || after.starts_with(b"[")
        || after.starts_with(b"!")
        || after.starts_with(b"(s):");
    capitals
        || colon
        || (first && word.first().is_some_and(u8::is_ascii_lowercase) && word.len() > 4)
        || word.contains(&b' ')
        || before.ends_with(b": ")
        || after.starts_with(b"ed at ")
        || after.starts_with(b"ked at ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matcher_is_built() {
        assert!(MATCHER.is_some());
        assert_eq!(Words::of("all is well"), Words::default());
    }

    #[test]
    fn words_of_failure() {
        for line in [
            "error[E0308]: mismatched types",
            "AssertionError: 3 != 4",
            "java.lang.NullPointerException: x",
            "FAILED tests/a.py::b",
            "thread 'main' panicked at src/a.rs:3:4:",
            "npm ERR! code 1",
            "2 errors",
            "errors: 3",
            "failed=01",
            "build-error: no disk",
            "it ended with a fatal error.",
            "test_a failed",
            "IOException",
            "/usr/bin/ld: a.c: undefined reference to `f'",
        ] {
            assert!(Words::of(line).strong, "{line}");
        }
    }

    #[test]
    fn no_failure_in_a_name_or_a_denial() {
        for line in [
            "Compiling thiserror v2",
            "libgpg-error0",
            "0 errors",
            "no failures",
            "terrors",
            "errors: 0",
            "error_count=0 failed=0",
            "\"failures\": 0,",
            "copied src/error_handling.rs",
            "retry policy: on-failure",
            "exception-handler module loaded",
            "no errors found in error.log",
            "checking failover node 3",
        ] {
            assert!(!Words::of(line).strong, "{line}");
        }
    }

    #[test]
    fn messages_stand_where_messages_stand() {
        for line in [
            "error: x",
            "ERROR x",
            "E   ValueError: x",
            "npm ERR! x",
            "error[E1]: x",
            "x.c:1:2: error: y",
            "Permission denied",
            "error TS2304: x",
        ] {
            assert!(Words::of(line).message, "{line}");
        }
        for line in [
            "src/error.rs",
            "let error = 3;",
            "use std::error::Error;",
            "test errors::pass ... ok",
        ] {
            assert!(!Words::of(line).message, "{line}");
        }
    }
}
