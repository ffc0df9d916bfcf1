//! Levels that a line of a log gives itself: a member `level` of JSON, `level=error`, the letter
//! that begins a line of glog, the status of an access log. They say more than any word of the
//! message: a message of level `info` that speaks of errors tells of none.

use memchr::{memchr, memchr_iter};

/// How much a line says that it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Something failed.
    Failed,
    /// Something is odd.
    Odd,
    /// All is well.
    Calm,
}

/// Names of the member that holds the level, in lower case.
const NAMES: &[&[u8]] = &[
    b"level",
    b"lvl",
    b"severity",
    b"levelname",
    b"log.level",
    b"loglevel",
    b"log_level",
    b"severity_text",
    b"severitytext",
    b"@l",
    b"priority",
];

const FAILED: &[&[u8]] = &[
    b"error",
    b"err",
    b"eror",
    b"fatal",
    b"critical",
    b"crit",
    b"alert",
    b"emerg",
    b"emergency",
    b"panic",
    b"dpanic",
    b"severe",
    b"failure",
];

const ODD: &[&[u8]] = &[b"warn", b"warning", b"wrn"];

const CALM: &[&[u8]] = &[
    b"info",
    b"information",
    b"informational",
    b"notice",
    b"debug",
    b"trace",
    b"verbose",
    b"inf",
    b"dbg",
];

/// Bytes at each end of a line in which its level is looked for.
const REACH: usize = 1_024;

/// The level of a line, when it gives one.
pub(super) fn level(line: &str) -> Option<Level> {
    let bytes = line.as_bytes();
    if let Some(level) = lettered(bytes) {
        return Some(level);
    }
    let head = bytes.get(..REACH).unwrap_or(bytes);
    if let Some(level) = served(head).or_else(|| member(head)) {
        return Some(level);
    }
    let tail = bytes.len().saturating_sub(REACH).max(head.len());
    bytes.get(tail..).and_then(member)
}

/// `E0304 05:10:00.123456 …`, as glog and klog write.
fn lettered(line: &[u8]) -> Option<Level> {
    let (first, rest) = line.split_first()?;
    let digits = |from: usize, to: usize| {
        rest.get(from..to)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let dated = digits(0, 4) && rest.get(4) == Some(&b' ') && digits(5, 7);
    match first {
        _ if !dated || rest.get(7) != Some(&b':') => None,
        b'E' | b'F' => Some(Level::Failed),
        b'W' => Some(Level::Odd),
        b'I' => Some(Level::Calm),
        _ => None,
    }
}

/// `"GET / HTTP/1.1" 500 …`: what a server answered. Only its own failures count: a client that
/// asks for what is not there is the everyday of a server.
fn served(line: &[u8]) -> Option<Level> {
    let at = memchr::memmem::find(line, b" HTTP/")?;
    let rest = line.get(at + 6..)?;
    let rest = rest.get(memchr(b'"', rest)? + 1..)?.trim_ascii_start();
    let status = rest.get(..3)?;
    let ends = rest.get(3).is_none_or(|next| *next == b' ');
    (ends && status.first() == Some(&b'5') && status.iter().all(u8::is_ascii_digit))
        .then_some(Level::Failed)
}

/// `"level": "error"`, `"level":50`, `level=error`.
fn member(line: &[u8]) -> Option<Level> {
    memchr_iter(b'=', line)
        .chain(memchr_iter(b':', line))
        .find_map(|at| {
            let sign = line.get(at)?;
            let before = line.get(..at)?;
            let name = if *sign == b':' {
                before.trim_ascii_end().strip_suffix(b"\"")?
            } else {
                before
            };
            let start = name
                .iter()
                .rposition(|byte| !(byte.is_ascii_alphanumeric() || b"._@".contains(byte)))
                .map_or(0, |at| at + 1);
            let name = name.get(start..)?;
            if !NAMES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                return None;
            }
            let value = line.get(at + 1..)?.trim_ascii_start();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let end = value.iter().position(|byte| !byte.is_ascii_alphanumeric());
            let value = end.map_or(value, |end| value.get(..end).unwrap_or_default());
            named(value)
        })
}

fn named(value: &[u8]) -> Option<Level> {
    let is = |words: &[&[u8]]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    match value {
        _ if is(FAILED) => Some(Level::Failed),
        _ if is(ODD) => Some(Level::Odd),
        _ if is(CALM) => Some(Level::Calm),
        // The numbers of bunyan and pino.
        b"50" | b"60" => Some(Level::Failed),
        b"40" => Some(Level::Odd),
        b"10" | b"20" | b"30" => Some(Level::Calm),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_that_a_line_gives_itself() {
        for (line, wanted) in [
            (r#"{"ts": 1, "level": "error", "msg": "x"}"#, Level::Failed),
            (r#"{"time":1,"severity":"CRITICAL"}"#, Level::Failed),
            (r#"{"level":50,"msg":"x"}"#, Level::Failed),
            (r#"{"level":"info","msg":"0 errors"}"#, Level::Calm),
            (r#"time=1 level=error msg="x""#, Level::Failed),
            (r#"time=1 lvl=warn msg="x""#, Level::Odd),
            ("E0304 05:10:00.123456       1 a.go:1] x", Level::Failed),
            ("I0304 05:10:00.123456       1 a.go:1] x", Level::Calm),
            (
                r#"192.0.2.1 - - [4/Mar/2026:05:11:40 +0000] "GET / HTTP/1.1" 503 21 "-""#,
                Level::Failed,
            ),
        ] {
            assert_eq!(level(line), Some(wanted), "{line}");
        }
        for line in [
            "the level: error is high",
            "E0308 mismatched types",
            r#""GET / HTTP/1.1" 404 500"#,
            r#"{"level": 5, "water": "high"}"#,
            "sublevel=error",
            "level=",
            "\"level\":",
        ] {
            assert_eq!(level(line), None, "{line}");
        }
    }

    #[test]
    fn a_level_at_the_end_of_a_long_line_is_found() {
        let line = format!(r#"{{"msg":"{}","level":"error"}}"#, "x".repeat(9 * REACH));
        assert_eq!(level(&line), Some(Level::Failed));
    }
}
