//! Records to text: what is kept, and where something is missing, what and how to read it.

use std::fmt::Write as _;

use super::lines::{clean, segments};
use super::records::{Kind, Rank, Record};
use super::scan::Scanned;
use super::select::Kept;
use super::words::Words;
use super::{BYTES_PER_TOKEN, DEFAULT_BUDGET_TOKENS, Input, LeftOut, MIN_BUDGET_TOKENS, Stream};
use crate::text::Units;

/// Kinds that the statement of one missing part tells apart.
const KINDS_TOLD: usize = 3;

/// Places in the streams as they came, for those that were decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// Bytes of both.
    pub(super) all: usize,
    pub(super) stdout: Option<Units<'a>>,
    pub(super) stderr: Option<Units<'a>>,
}

impl Places<'_> {
    /// Where a range of what was read stands in what came.
    fn original(&mut self, stream: Stream, (start, end): (usize, usize)) -> (usize, usize) {
        let units = match stream {
            Stream::Stdout => self.stdout.as_mut(),
            Stream::Stderr => self.stderr.as_mut(),
        };
        units.map_or((start, end), |units| {
            (units.original(start), units.original(end))
        })
    }
}

/// What stands before the handle.
pub(super) const HOW: &[u8] = b"; to read the largest part: ";

/// Writes the text and lists what is missing in it.
pub(super) fn emit(
    input: &Input<'_>,
    scanned: &Scanned,
    kept: &Kept,
    places: &Places<'_>,
) -> (String, Vec<LeftOut>) {
    let mut writer = Writer {
        input,
        places: *places,
        text: String::new(),
        left_out: Vec::new(),
        gap: Vec::new(),
    };
    let both = [Stream::Stdout, Stream::Stderr].iter().all(|stream| {
        let binary = scanned.binary.iter().any(|(of, _)| of == stream);
        binary
            || scanned
                .records
                .iter()
                .any(|r| r.stream == *stream && r.kind != Kind::Blank)
    });
    for stream in [Stream::Stdout, Stream::Stderr] {
        if both && stream == Stream::Stderr {
            writer.text.push_str("stderr:\n");
        }
        if let Some((_, bytes)) = scanned.binary.iter().find(|(of, _)| *of == stream) {
            writer.binary(stream, *bytes);
        }
        let records = scanned.records.iter().zip(&kept.keep);
        for (record, keep) in records.filter(|(record, _)| record.stream == stream) {
            if *keep {
                writer.close_gap();
                writer.line(record, kept);
            } else {
                writer.gap.push(*record);
            }
        }
        writer.close_gap();
    }
    writer.note(scanned);
    (writer.fitted(), writer.left_out)
}

struct Writer<'a> {
    input: &'a Input<'a>,
    places: Places<'a>,
    text: String,
    left_out: Vec<LeftOut>,
    gap: Vec<Record>,
}

impl<'a> Writer<'a> {
    fn bytes(&self, stream: Stream) -> &'a [u8] {
        match stream {
            Stream::Stdout => self.input.stdout,
            Stream::Stderr => self.input.stderr,
        }
    }

    fn line(&mut self, record: &Record, kept: &Kept) {
        let bytes = self.bytes(record.stream);
        let raw = bytes.get(record.start..record.text_end).unwrap_or_default();
        let text = clean(raw);
        let long = if record.rank == Rank::Failure {
            kept.long_failure
        } else {
            kept.long_line
        };
        if record.is_joined() && !record.is_repeated() && text.len() <= long {
            self.lines(record);
            return;
        }
        if text.len() > long {
            let parts = parts(&text, long, record.rank == Rank::Failure);
            let shown: usize = parts.iter().map(|part| part.len()).sum();
            let what = format!("{} bytes of a line", text.len() - shown);
            let range = (record.start, record.text_end);
            let (offset, end) = self.places.original(record.stream, range);
            let length = end - offset;
            for (number, part) in parts.iter().enumerate() {
                // Where it is read is said once.
                let _ = match number {
                    0 => Ok(()),
                    1 => write!(
                        self.text,
                        " [\u{2026} {what}; offset={offset} limit={length}] "
                    ),
                    _ => write!(self.text, " [\u{2026}] "),
                };
                self.text.push_str(part);
            }
            self.missing(
                what,
                record,
                (record.start, record.text_end),
                1,
                record.line,
            );
        } else {
            self.text.push_str(&text);
        }
        self.text.push('\n');
        if record.is_repeated() {
            let more = record.lines - 1;
            let what = match more {
                1 => "the same once more".to_owned(),
                _ => format!("the same {more} times more"),
            };
            // The range holds all of them, the one that is shown included.
            let range = (record.start, record.end);
            self.say(&what, record.stream, range, (record.line, record.to_line));
            self.missing(what, record, range, more, record.to_line);
        }
    }

    /// All lines that were joined, as a terminal would show them.
    fn lines(&mut self, record: &Record) {
        let bytes = self.bytes(record.stream);
        let bytes = bytes.get(record.start..record.end).unwrap_or_default();
        for segment in segments(bytes).filter(|segment| !segment.superseded) {
            let text = clean(segment.text);
            if !text.is_empty() {
                self.text.push_str(&text);
                self.text.push('\n');
            }
        }
    }

    fn binary(&mut self, stream: Stream, bytes: usize) {
        let _ = writeln!(self.text, "[binary: {bytes} bytes on {}]", stream.name());
        self.left_out.push(LeftOut {
            what: "binary".to_owned(),
            lines: 0,
            bytes: bytes as u64,
            offset: 0,
            from_line: 0,
            to_line: 0,
            stream,
        });
    }

    /// States what the records that were passed over held.
    fn close_gap(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        let (Some(first), Some(last)) = (gap.first(), gap.last()) else {
            return;
        };
        if gap.iter().all(|record| record.kind == Kind::Blank) {
            if !self.text.is_empty()
                && !self.text.ends_with("\n\n")
                && last.end < self.bytes(last.stream).len()
            {
                self.text.push('\n');
            }
            return;
        }
        let what = contents(&gap);
        let range = (first.start, last.end);
        self.say(&what, first.stream, range, (first.line, last.to_line));
        let lines = last.to_line - first.line + 1;
        self.missing(what, first, range, lines, last.to_line);
    }

    fn say(&mut self, what: &str, stream: Stream, range: (usize, usize), (from, to): (u64, u64)) {
        let (start, end) = self.places.original(stream, range);
        let length = end - start;
        let lines = if from == to {
            format!("line {from}")
        } else {
            format!("lines {from}-{to}")
        };
        let _ = writeln!(
            self.text,
            "[\u{2026} {what}: {lines}; offset={start} limit={length}]"
        );
    }

    fn missing(
        &mut self,
        what: String,
        first: &Record,
        range: (usize, usize),
        lines: u64,
        to_line: u64,
    ) {
        let (start, end) = self.places.original(first.stream, range);
        self.left_out.push(LeftOut {
            what,
            lines,
            bytes: (end - start) as u64,
            offset: start as u64,
            from_line: first.line,
            to_line,
            stream: first.stream,
        });
    }

    /// The last line: how much is missing in all, and how the largest part of it is read.
    fn note(&mut self, scanned: &Scanned) {
        let Some(largest) = self.left_out.iter().max_by_key(|part| part.bytes) else {
            return;
        };
        let lines: u64 = self.left_out.iter().map(|part| part.lines).sum();
        // A line of which only the last state is shown stands on both sides.
        let lines = lines.min(scanned.lines);
        let bytes: u64 = self.left_out.iter().map(|part| part.bytes).sum();
        let all = self.places.all;
        let mut note = format!(
            "[left out: {lines} of {} lines, {bytes} of {all} bytes",
            scanned.lines
        );
        let limit = self.limit();
        if let Some(handle) = self.input.handle {
            let handle = handle
                .replace("{stream}", largest.stream.name())
                .replace("{offset}", &largest.offset.to_string())
                .replace("{limit}", &largest.bytes.to_string());
            let how = format!("; to read the largest part: {handle}");
            if self.text.len() + note.len() + how.len() + "]\n".len() <= limit {
                note.push_str(&how);
            }
        }
        note.push(']');
        self.text.push_str(&note);
        self.text.push('\n');
    }

    /// Bytes that may be written.
    fn limit(&self) -> usize {
        let tokens = self.input.budget_tokens.unwrap_or(DEFAULT_BUDGET_TOKENS);
        tokens
            .max(MIN_BUDGET_TOKENS)
            .saturating_mul(BYTES_PER_TOKEN)
    }

    /// The text, which fits; should the sums ever be wrong, it is cut, for a budget is a promise.
    fn fitted(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        let limit = self.limit();
        if text.len() > limit {
            text.truncate(floor(&text, limit));
        }
        text
    }
}

/// What a missing part held, the most frequent first, failures before all.
fn contents(gap: &[Record]) -> String {
    let mut kinds: Vec<(Kind, u64)> = Vec::new();
    for record in gap {
        let kind = if record.rank == Rank::Failure {
            Kind::Failure
        } else {
            record.kind
        };
        if kind == Kind::Blank {
            continue;
        }
        match kinds.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, lines)) => *lines += record.lines,
            None => kinds.push((kind, record.lines)),
        }
    }
    kinds.sort_by_key(|(kind, lines)| (*kind != Kind::Failure, std::cmp::Reverse(*lines)));
    if kinds.len() > KINDS_TOLD {
        let rest = kinds
            .split_off(KINDS_TOLD - 1)
            .iter()
            .map(|(_, lines)| lines)
            .sum();
        match kinds.iter_mut().find(|(kind, _)| *kind == Kind::Other) {
            Some((_, lines)) => *lines += rest,
            None => kinds.push((Kind::Other, rest)),
        }
    }
    let said = kinds.iter().map(|(kind, lines)| {
        let (one, many) = kind.words();
        format!("{lines} {}", if *lines == 1 { one } else { many })
    });
    said.collect::<Vec<_>>().join(", ")
}

/// The parts of a long line that are shown: its beginning, its end, and where it tells of a
/// failure the place of the word that does.
fn parts(text: &str, long: usize, fails: bool) -> Vec<&str> {
    let third = long / 3;
    let word = fails.then(|| Words::place(text)).flatten();
    let end = ceiling(text, text.len() - third);
    // A little before the word says what it is about, more behind it what it says.
    let middle = word.filter(|at| *at > third && *at < end).map(|at| {
        let from = floor(text, at.saturating_sub(third / 4).max(third));
        (from, floor(text, (from + third).min(end)))
    });
    let (from, to) = middle.unwrap_or_else(|| {
        let head = floor(text, third * 2);
        (head, head)
    });
    let head = floor(text, if middle.is_some() { third } else { from });
    [(0, head), (from, to), (end, text.len())]
        .into_iter()
        .filter_map(|(from, to)| text.get(from..to))
        .filter(|part| !part.is_empty())
        .collect()
}

/// The last character boundary at or before.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The first character boundary at or after.
fn ceiling(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
