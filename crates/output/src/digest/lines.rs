//! Bytes to lines: where each begins and ends, and how it reads without terminal codes.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};

/// A line, or one of the states that a line went through with carriage returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    /// Where it begins in the stream.
    pub(crate) start: usize,
    /// Where the next one begins: its terminator belongs to it.
    pub(crate) end: usize,
    /// Its bytes, without terminator.
    pub(crate) text: &'a [u8],
    /// Its line, counted from 1.
    pub(crate) line: u64,
    /// A later state of the same line was written over it.
    pub(crate) superseded: bool,
}

/// The lines of a stream, those that were written over included.
pub(crate) fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let ends = memchr_iter(b'\n', bytes).map(|at| at + 1);
    let last = (bytes.last().is_some_and(|byte| *byte != b'\n')).then_some(bytes.len());
    let mut start = 0;
    ends.chain(last).zip(1u64..).flat_map(move |(end, line)| {
        let from = start;
        start = end;
        states(bytes, from, end, line)
    })
}

fn states(bytes: &[u8], start: usize, end: usize, line: u64) -> impl Iterator<Item = Segment<'_>> {
    let raw = bytes.get(start..end).unwrap_or_default();
    let text = trim_terminator(raw);
    // The last state that shows something is the one that stays on the screen.
    let last = memrchr(b'\r', text).map_or(0, |at| at + 1);
    let mut at = 0;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let from = at;
        let rest = text.get(from..).unwrap_or_default();
        let length = if from >= last {
            None
        } else {
            memchr(b'\r', rest)
        };
        let (to, next) = length.map_or_else(
            || (text.len(), raw.len()),
            |length| (from + length, from + length + 1),
        );
        done = length.is_none();
        at = next;
        Some(Segment {
            start: start + from,
            end: start + next,
            text: text.get(from..to).unwrap_or_default(),
            line,
            superseded: !done,
        })
    })
}

fn trim_terminator(raw: &[u8]) -> &[u8] {
    let mut text = raw.strip_suffix(b"\n").unwrap_or(raw);
    while let Some(shorter) = text.strip_suffix(b"\r") {
        text = shorter;
    }
    text
}

/// A line as a person sees it: without colours, cursor movements and other control characters,
/// what is not UTF-8 as U+FFFD, without white space at its end.
pub(crate) fn clean(text: &[u8]) -> Cow<'_, str> {
    let is_control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
    if text.iter().any(is_control) {
        let plain = without_controls(text);
        let text = String::from_utf8_lossy(&plain);
        return Cow::Owned(text.trim_end().to_owned());
    }
    match String::from_utf8_lossy(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
        Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
    }
}

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;

fn without_controls(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        at += 1;
        match *byte {
            ESCAPE => at += sequence(rest),
            BACKSPACE => erase(&mut plain),
            b'\t' => plain.push(b'\t'),
            0..0x20 | 0x7f => {}
            byte => plain.push(byte),
        }
    }
    plain
}

/// Takes the last character away, as a backspace does before something is written over it.
fn erase(plain: &mut Vec<u8>) {
    while let Some(byte) = plain.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

/// Bytes of an escape sequence after its escape. A string that is not ended on its line loses
/// only its introducer: better a code too much than a message too little.
fn sequence(rest: &[u8]) -> usize {
    match rest.first() {
        Some(b'[') => {
            let parameters = rest.iter().skip(1).take_while(|byte| is_parameter(**byte));
            let length = 1 + parameters.count();
            length
                + usize::from(
                    rest.get(length)
                        .is_some_and(|byte| (0x40..0x7f).contains(byte)),
                )
        }
        Some(b']' | b'P' | b'X' | b'^' | b'_') => string_end(rest).unwrap_or(1),
        Some(0x20..0x30) => {
            let length = rest
                .iter()
                .take_while(|byte| (0x20..0x30).contains(*byte))
                .count();
            (length + 1).min(rest.len())
        }
        Some(0x30..0x7f) => 1,
        _ => 0,
    }
}

const fn is_parameter(byte: u8) -> bool {
    matches!(byte, 0x20..0x40)
}

/// Terminal strings are short titles and links; a longer search would make many openers quadratic.
const MAX_TERMINAL_STRING: usize = 4_096;

fn string_end(rest: &[u8]) -> Option<usize> {
    let rest = rest.get(..MAX_TERMINAL_STRING.min(rest.len()))?;
    let bell = memchr(BELL, rest).map(|at| at + 1);
    let escape = memchr(ESCAPE, rest)
        .filter(|at| rest.get(at + 1) == Some(&b'\\'))
        .map(|at| at + 2);
    match (bell, escape) {
        (Some(bell), Some(escape)) => Some(bell.min(escape)),
        (bell, escape) => bell.or(escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Vec<(u64, bool, String)> {
        segments(bytes)
            .map(|s| (s.line, s.superseded, clean(s.text).into_owned()))
            .collect()
    }

    #[test]
    fn lines_tile_the_stream() {
        for bytes in [
            &b"a\nb"[..],
            b"a\r\n\r\nb\rc\r\n",
            b"",
            b"\n",
            b"\r",
            b"a\r\rb\r\r\n",
        ] {
            let mut at = 0;
            for segment in segments(bytes) {
                assert_eq!(segment.start, at);
                at = segment.end;
            }
            assert_eq!(at, bytes.len(), "{bytes:?}");
        }
    }

    #[test]
    fn the_last_state_of_a_line_stays() {
        let states = shown(b"10%\r50%\r100%\r\nnext\n");
        assert_eq!(
            states,
            [
                (1, true, "10%".to_owned()),
                (1, true, "50%".to_owned()),
                (1, false, "100%".to_owned()),
                (2, false, "next".to_owned()),
            ]
        );
    }

    #[test]
    fn colours_titles_and_overstrikes_are_gone() {
        assert_eq!(clean(b"\x1b[1;31merror\x1b[0m: x  "), "error: x");
        assert_eq!(
            clean(b"\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"),
            "textlink"
        );
        assert_eq!(clean(b"N\x08NA\x08A"), "NA");
        assert_eq!(clean(b"\x1b(Bx\x1b=y\x1b"), "xy");
        assert_eq!(clean(b"\x1b]0;never ended: error"), "0;never ended: error");
        assert_eq!(clean(b"caf\xe9"), "caf\u{fffd}");
    }
}
