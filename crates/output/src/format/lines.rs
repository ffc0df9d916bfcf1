//! What is looked at of an output.

use std::borrow::Cow;

/// Bytes at the beginning that are looked at.
pub(super) const HEAD: usize = 64 * 1024;
/// Bytes at the end that are looked at, where reports have their sums.
pub(super) const TAIL: usize = 16 * 1024;
/// Lines at the beginning that are looked at.
pub(super) const LINES: usize = 500;

/// The beginning and the end of an output as text.
pub(super) struct Sample<'a> {
    head: Cow<'a, str>,
    tail: Cow<'a, str>,
    /// The whole output, when it is text.
    pub(super) whole: Option<&'a str>,
    /// Lines of the whole output.
    pub(super) total: u64,
}

impl<'a> Sample<'a> {
    pub(super) fn new(stdout: &'a [u8]) -> Self {
        let head = stdout.get(..HEAD).map_or(stdout, |head| {
            let end = memchr::memrchr(b'\n', head).map_or(head.len(), |end| end + 1);
            head.get(..end).unwrap_or(head)
        });
        let tail = stdout
            .len()
            .checked_sub(TAIL)
            .and_then(|from| stdout.get(from..))
            .map_or(stdout, |tail| {
                let start = memchr::memchr(b'\n', tail).map_or(0, |start| start + 1);
                tail.get(start..).unwrap_or(tail)
            });
        let unfinished = u64::from(stdout.last().is_some_and(|byte| *byte != b'\n'));
        Self {
            head: plain(head),
            tail: plain(tail),
            whole: std::str::from_utf8(stdout).ok(),
            total: memchr::memchr_iter(b'\n', stdout).count() as u64 + unfinished,
        }
    }

    /// Lines at the beginning that hold something.
    pub(super) fn lines(&self) -> Vec<&str> {
        self.head
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(LINES)
            .collect()
    }

    /// Lines at the end.
    pub(super) fn last(&self) -> Vec<&str> {
        self.tail
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect()
    }

    /// The beginning.
    pub(super) fn head(&self) -> &str {
        &self.head
    }

    /// Whether all lines are looked at, so that a share is that of the whole.
    pub(super) fn is_whole(&self) -> bool {
        self.total <= LINES as u64 && self.whole.is_some_and(|text| text.len() <= HEAD)
    }
}

fn plain(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => crate::rows::without_controls(text),
        Cow::Owned(text) => Cow::Owned(crate::rows::without_controls(&text).into_owned()),
    }
}

/// The share of lines that are so.
pub(super) fn share(lines: &[&str], is: impl Fn(&str) -> bool) -> f64 {
    if lines.is_empty() {
        return 0.0;
    }
    lines.iter().filter(|line| is(line)).count() as f64 / lines.len() as f64
}

/// A byte that no text has, or too many that do not belong in text.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    if memchr::memchr(0, head).is_some() {
        return true;
    }
    let control = |byte: &&u8| {
        **byte < 0x20 && !matches!(**byte, b'\n' | b'\r' | b'\t' | 0x1b | 0x08 | 0x0c | 0x07)
    };
    let odd = head.iter().filter(control).count();
    // Bytes that are no UTF-8 may be the letters of an older encoding, which stand alone between
    // others; of such a text most bytes are still letters, digits and line ends.
    let broken: usize = head.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    odd * 10 > head.len() || odd > 0 && (odd + broken) * 10 > head.len() || broken * 2 > head.len()
}

/// Lines that were written over: more returns than line ends.
pub(super) fn is_progress(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    let lines = memchr::memchr_iter(b'\n', head).count();
    let returns = memchr::memchr_iter(b'\r', head)
        .filter(|at| !matches!(head.get(at + 1), Some(b'\n' | b'\r') | None))
        .count();
    returns >= 3 && returns > lines
}
