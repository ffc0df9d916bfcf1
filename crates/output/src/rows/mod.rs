//! Known outputs as rows: a list of objects.
//!
//! The command says which outputs are possible (`call`), the shape of the output has to confirm
//! one of them, and every line has to fit: there are no rows rather than wrong ones. Where to
//! start reading: [`rows`], then the table of parsers in `known.rs`, then the family of interest.
//! What no parser knows may still be a form that explains itself (`generic.rs`).

mod accounts;
mod archives;
mod calendar;
mod call;
mod cells;
mod containers;
mod cpu;
mod disks;
mod dns;
mod files;
mod generic;
mod git;
mod git_log;
mod git_refs;
mod hosts;
mod input;
mod interfaces;
mod ip;
mod known;
mod listing;
mod memory;
mod packages;
mod processes;
mod reach;
mod schedule;
mod sessions;
mod sockets;
mod systemd;
mod table;
mod text;
mod top;
mod unix;
mod yaml;

use serde::Serialize;
use serde_json::{Map, Value};
use wharf_shell::Analysis;

pub(crate) use generic::{csv_rows, pair};
pub(crate) use input::without_controls;
pub(crate) use table::Columns;

/// One object of an output: stable names in snake case, numbers as numbers.
pub type Row = Map<String, Value>;

/// An output as objects.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rows {
    /// Which form was read, such as `ps` or `git_log`.
    pub parser: &'static str,
    /// The objects, in the order of the output.
    pub rows: Vec<Row>,
    /// Lines that were not read, because the output is longer than [`MAX_LINES`] or
    /// [`MAX_BYTES`].
    pub lines_left_out: usize,
    /// Lines that hold a message of the program itself and no row.
    pub messages: usize,
}

/// Lines that are read of one output.
pub const MAX_LINES: usize = 40_000;

/// Bytes that are read of one output, up to the last whole line in them.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The rows of an output, when its form is known and every line of it fits.
///
/// Names are those that the program prints, or those that `jc` made common. A size with a unit is
/// in bytes; a bare number of blocks stays as printed, with the bytes under `…_bytes` beside it
/// where the unit is known. Times are given as printed, with an `epoch` beside them
/// where the zone is printed too.
#[must_use]
pub fn rows(analysis: &Analysis, command: &str, stdout: &[u8]) -> Option<Rows> {
    let stdout = &*crate::text::decoded(stdout);
    let input = input::Input::new(stdout)?;
    let call = call::Call::find(analysis, command);
    let mut lines: Vec<&str> = input.text.lines().take(MAX_LINES).collect();
    let before = lines.len();
    if call.merges_errors {
        lines.retain(|line| !call.is_message(line));
    }
    let messages = before - lines.len();
    let (parser, rows) = known::read(&call, &lines)?;
    Some(Rows {
        parser,
        rows,
        lines_left_out: input.lines.saturating_sub(before),
        messages,
    })
}

/// The program whose output is heard, when there is one and it does not print a file as it is.
pub(crate) fn heard(analysis: &Analysis, command: &str) -> Option<String> {
    let call = call::Call::find(analysis, command);
    (!call.program.is_empty() && call.file().is_none()).then_some(call.program)
}

/// Whether a word is the mode of a file, such as `-rw-r--r--`.
pub(crate) fn is_mode(word: &str) -> bool {
    listing::mode(word).is_some()
}
