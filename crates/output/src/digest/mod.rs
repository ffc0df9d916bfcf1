//! An output as a model should read it, within a budget of tokens.
//!
//! Every line gets a rank: it tells of a failure, it belongs to one (a frame, an excerpt of
//! source), it stands near one, it warns, it is plain, or it is noise (a passed test, a download,
//! a step of a build). The ranks are then filled into the budget from the top. What does not fit
//! is named in the text, with its place in the original stream, and in [`Digest::left_out`].
//!
//! Where to start reading: `scan.rs` gives the ranks, with the words of `words.rs`, the rules of
//! `families/` and the blocks of `blocks.rs`; `select.rs` fills the budget; `emit.rs` writes.
//!
//! Limits: one pass over the bytes and a few over the lines; beside the input it holds about
//! eighty bytes for each line that could not be joined with its neighbour. Runs of blank lines
//! become one blank line without a word about it; everything else that is missing is stated.

mod blocks;
mod emit;
mod families;
mod frames;
mod judged;
mod levels;
mod lines;
mod manner;
mod marks;
mod progress;
mod records;
mod scan;
mod select;
mod shapes;
mod words;

use serde::Serialize;
use wharf_shell::Analysis;

use crate::text;

pub(crate) use lines::{clean, segments};
pub(crate) use words::Words;

/// Bytes that count as one token.
pub const BYTES_PER_TOKEN: usize = 4;

/// The budget when the caller names none. Lines that tell of a failure may fill it; what is said
/// beside them stays within a smaller share: see [`QUIET_TOKENS`].
pub const DEFAULT_BUDGET_TOKENS: usize = 8_000;

/// What lines that belong to no failure may take when the caller names no budget. Of a budget that
/// the caller named they may take what the failures leave: all of it when the whole output fits or
/// is a content that was asked for, else half of the budget, for a sample says little more when it
/// is longer.
pub const QUIET_TOKENS: usize = 750;

/// As [`QUIET_TOKENS`], for listings: names of files, matches, rows.
pub const LISTING_TOKENS: usize = 500;

/// As [`QUIET_TOKENS`], for commands that were asked to show a content: `cat`, `git diff`, `curl`.
pub const CONTENT_TOKENS: usize = 4_000;

/// The smallest budget; a smaller one is read as this. Below it not even the statement of what
/// was left out finds room.
pub const MIN_BUDGET_TOKENS: usize = 100;

/// Outputs up to this many bytes are shown whole.
pub const SMALL_OUTPUT_BYTES: usize = 1_000;

/// What the digest may be longer than the output: the heading of a stream and the last note.
/// The handle that the caller supplies comes on top.
pub const NOTE_BYTES: usize = 320;

/// What a digest is made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The command that was run.
    pub analysis: &'a Analysis,
    /// Everything it wrote to standard output.
    pub stdout: &'a [u8],
    /// Everything it wrote to standard error.
    pub stderr: &'a [u8],
    /// Its exit code; absent when it has none, which reads as a failure.
    pub exit_code: Option<i32>,
    /// How long the text may be. Absent means [`DEFAULT_BUDGET_TOKENS`].
    pub budget_tokens: Option<usize>,
    /// How a part of the output is read, with `{stream}`, `{offset}` and `{limit}` where the
    /// values go, such as `GET /api/commands/ID/output?stream={stream}&offset={offset}&limit={limit}`.
    pub handle: Option<&'a str>,
}

/// An output, shortened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// What a model reads.
    pub text: String,
    /// Tokens of the whole output, at [`BYTES_PER_TOKEN`].
    pub tokens_before: usize,
    /// Tokens of the text.
    pub tokens_after: usize,
    /// Lines of the whole output, both streams.
    pub lines: u64,
    /// Lines that tell of a failure.
    pub failure_lines: u64,
    /// How many of them did not fit.
    pub failure_lines_left_out: u64,
    /// Where failures are told of; neighbours are joined, and the last place holds all the rest.
    pub failures_at: Vec<Place>,
    /// Every part that is missing in the text, in order.
    pub left_out: Vec<LeftOut>,
}

/// Lines of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The stream.
    pub stream: Stream,
    /// The first line, counted from 1.
    pub from_line: u64,
    /// The last line.
    pub to_line: u64,
}

/// A part of the output that is missing in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// What it was, such as `212 passed tests`.
    pub what: String,
    /// Lines in it.
    pub lines: u64,
    /// Bytes of the original stream.
    pub bytes: u64,
    /// Where it begins, in bytes from the beginning of the stream.
    pub offset: u64,
    /// Its first line, counted from 1.
    pub from_line: u64,
    /// Its last line.
    pub to_line: u64,
    /// The stream that it is missing from.
    pub stream: Stream,
}

/// One of the two streams of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// As the wire names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Makes the text that a model reads of an output.
#[must_use]
pub fn digest(input: &Input<'_>) -> Digest {
    let (stdout, stderr) = (text::decoded(input.stdout), text::decoded(input.stderr));
    let read = Input {
        stdout: &stdout,
        stderr: &stderr,
        ..*input
    };
    let places = emit::Places {
        all: input.stdout.len() + input.stderr.len(),
        stdout: text::Units::new(input.stdout, &stdout),
        stderr: text::Units::new(input.stderr, &stderr),
    };
    read_as_text(&read, &places)
}

/// As [`digest`], of streams that hold UTF-8 where they hold text.
fn read_as_text(input: &Input<'_>, places: &emit::Places<'_>) -> Digest {
    let manner = manner::of(input.analysis);
    let failing = input.exit_code != Some(0);
    let scanned = scan::scan(input, manner, failing);
    let room = select::Room::of(input, manner);
    let (mut kept, mut text, mut left_out) = fill(input, &scanned, room, places);
    if !left_out.is_empty() && scanned.plain_bytes() <= text.len() {
        // What was saved went into saying so.
        kept = select::Kept::everything(&scanned.records);
        (text, left_out) = emit::emit(input, &scanned, &kept, places);
    }
    let failures = |all: bool| {
        let of = scanned.records.iter().zip(&kept.keep);
        of.filter(|(record, kept)| record.is_failure() && (all || !**kept))
            .map(|(record, _)| record.lines)
            .sum()
    };
    Digest {
        tokens_before: tokens(places.all),
        tokens_after: tokens(text.len()),
        lines: scanned.lines,
        failures_at: failures_at(&scanned.records),
        failure_lines: failures(true),
        failure_lines_left_out: failures(false),
        text,
        left_out,
    }
}

/// How often the room is filled anew when much of it was not needed.
const MAX_FILLINGS: usize = 7;

/// Fills the room. What stands where something is missing is reckoned at its most, so that the
/// sum always fits; where that left room, what was saved is given out again.
fn fill(
    input: &Input<'_>,
    scanned: &scan::Scanned,
    room: select::Room,
    places: &emit::Places<'_>,
) -> (select::Kept, String, Vec<LeftOut>) {
    let mut kept = select::select(&scanned.records, room);
    let (mut text, mut left_out) = emit::emit(input, scanned, &kept, places);
    let handle = |text: &str| memchr::memmem::rfind(text.as_bytes(), emit::HOW).is_some();
    // What was given out beyond the room and fitted, and the least that did not.
    let (mut fits, mut breaks) = (0, usize::MAX);
    for _ in 1..MAX_FILLINGS {
        let spare = room.unused(text.len());
        if !kept.lacks(&scanned.records) || spare * 16 < text.len() {
            break;
        }
        let extra = match breaks {
            usize::MAX => fits + spare,
            breaks => fits + (breaks - fits) / 2,
        };
        let more = select::select(&scanned.records, room.with(extra));
        let (longer, missing) = emit::emit(input, scanned, &more, places);
        if !room.holds(longer.len()) || handle(&text) && !handle(&longer) {
            breaks = extra;
            continue;
        }
        fits = extra;
        (kept, text, left_out) = (more, longer, missing);
    }
    (kept, text, left_out)
}

/// Places of failures that are told apart.
pub const MAX_PLACES: usize = 64;

/// Lines between two failures that still count as one place.
const PLACE_GAP: u64 = 3;

fn failures_at(records: &[records::Record]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for record in records.iter().filter(|record| record.is_failure()) {
        let full = places.len() >= MAX_PLACES;
        let last = places.last_mut().filter(|last| {
            let near = record.line <= last.to_line + PLACE_GAP;
            last.stream == record.stream && (near || full)
        });
        match last {
            Some(last) => last.to_line = record.to_line,
            None if full => {}
            None => places.push(Place {
                stream: record.stream,
                from_line: record.line,
                to_line: record.to_line,
            }),
        }
    }
    places
}

/// Tokens of so many bytes.
#[must_use]
pub const fn tokens(bytes: usize) -> usize {
    bytes.div_ceil(BYTES_PER_TOKEN)
}
