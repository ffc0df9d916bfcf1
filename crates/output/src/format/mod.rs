//! The form of an output, found by looking at it.
//!
//! [`look`] tries the forms in the order of how little can be mistaken for them: what parses as
//! JSON is JSON, what is left at the end is text. What the registry expects of the command only
//! shifts the confidence, and never names a form that was not seen.
//!
//! The confidence is calibrated: of the answers with at least [`SURE`], at least nine of ten are
//! right on the recorded outputs, which a test measures.

mod columns;
mod errors;
mod lines;
mod markup;
mod reports;
mod secrets;

use serde::Serialize;
use wharf_shell::{Analysis, registry};

pub use errors::Language;
pub use secrets::{Secret, SecretKind};

use crate::text;
use lines::Sample;

/// From here on an answer may be relied on.
pub const SURE: f64 = 0.9;

/// Names of columns that are kept.
pub const MAX_COLUMNS: usize = 64;

/// The forms, by the names that they have on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Nothing but blanks.
    Empty,
    /// Bytes that are not text.
    Binary,
    /// One JSON value.
    Json,
    /// A JSON value a line.
    Ndjson,
    /// YAML with more than pairs on one level.
    Yaml,
    /// XML.
    Xml,
    /// HTML.
    Html,
    /// Values parted by commas or tabs.
    Csv,
    /// Columns.
    Tabular,
    /// A name and a value a line.
    KeyValue,
    /// One thing a line.
    List,
    /// Branches.
    Tree,
    /// A patch.
    Diff,
    /// Events, with a time or a level, or the steps of a build.
    Log,
    /// Where a program failed.
    StackTrace,
    /// Which tests passed.
    TestReport,
    /// A bar that was drawn over itself.
    Progress,
    /// Anything else.
    Text,
}

impl Format {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Binary => "binary",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Yaml => "yaml",
            Self::Xml => "xml",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::Tabular => "tabular",
            Self::KeyValue => "key_value",
            Self::List => "list",
            Self::Tree => "tree",
            Self::Diff => "diff",
            Self::Log => "log",
            Self::StackTrace => "stack_trace",
            Self::TestReport => "test_report",
            Self::Progress => "progress",
            Self::Text => "text",
        }
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The form.
    pub format: Format,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// Names of the columns or members, when it has them.
    pub columns: Vec<String>,
    /// Entries: lines of a table without its header, elements of a list.
    pub rows: Option<u64>,
}

/// A form that was seen, before the prior.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Share of what was looked at that has the form.
    share: f64,
    columns: Vec<String>,
    rows: Option<u64>,
}

/// Looks at an output; `expected` is what the registry says of the command's output.
#[must_use]
pub fn look(stdout: &[u8], expected: Option<&str>) -> Look {
    let stdout = &*text::decoded(stdout);
    let sample = Sample::new(stdout);
    let (format, seen) = certain(stdout, &sample).unwrap_or_else(|| likely(&sample, expected));
    let mut columns = seen.columns;
    columns.truncate(MAX_COLUMNS);
    Look {
        format,
        confidence: confidence(format, seen.share, expected),
        columns,
        rows: seen.rows,
    }
}

/// Forms that are told by what they are made of.
fn certain(stdout: &[u8], sample: &Sample<'_>) -> Option<(Format, Seen)> {
    let all = |format| {
        let share = 1.0;
        Some((
            format,
            Seen {
                share,
                ..Seen::default()
            },
        ))
    };
    if stdout.iter().all(u8::is_ascii_whitespace) {
        return all(Format::Empty);
    }
    if lines::is_binary(stdout) {
        return all(Format::Binary);
    }
    if lines::is_progress(stdout) {
        return all(Format::Progress);
    }
    markup::json(sample)
        .map(|seen| (Format::Json, seen))
        .or_else(|| markup::ndjson(sample).map(|seen| (Format::Ndjson, seen)))
        .or_else(|| markup::html(sample).map(|seen| (Format::Html, seen)))
        .or_else(|| markup::xml(sample).map(|seen| (Format::Xml, seen)))
        .or_else(|| reports::diff(sample).map(|seen| (Format::Diff, seen)))
        // A report of tests holds traces; a trace holds no sum of tests.
        .or_else(|| reports::test_report(sample).map(|seen| (Format::TestReport, seen)))
        .or_else(|| reports::stack_trace(sample).map(|seen| (Format::StackTrace, seen)))
        .or_else(|| reports::tree(sample).map(|seen| (Format::Tree, seen)))
}

/// Forms that differ in degree: the one that most lines have. Of two that fit nearly as well the
/// one that the registry expects is taken.
fn likely(sample: &Sample<'_>, expected: Option<&str>) -> (Format, Seen) {
    let candidates = [
        (Format::Log, reports::log(sample)),
        (Format::Csv, columns::csv(sample)),
        (Format::Yaml, markup::yaml(sample)),
        (Format::KeyValue, columns::key_value(sample)),
        (
            Format::Tabular,
            columns::table(sample, asks_for_table(expected)),
        ),
        (Format::List, columns::list(sample)),
    ];
    let mut best: Option<(f64, Format, Seen)> = None;
    for (format, seen) in candidates {
        let bonus = if agrees(format, expected) == Agreement::Yes {
            NEAR
        } else {
            0.0
        };
        let score = seen.share + bonus;
        if seen.share >= LEAST && best.as_ref().is_none_or(|(before, ..)| score > *before) {
            best = Some((score, format, seen));
        }
    }
    match best {
        Some((_, format, seen)) => (format, seen),
        // It is text as surely as nothing else fits.
        None => (
            Format::Text,
            Seen {
                share: TEXT_SHARE,
                ..Seen::default()
            },
        ),
    }
}

fn asks_for_table(expected: Option<&str>) -> bool {
    agrees(Format::Tabular, expected) == Agreement::Yes
}

/// The share of lines that a form needs.
const LEAST: f64 = 0.7;
/// Shares that differ by less than this are taken for equal.
const NEAR: f64 = 0.1;
/// What text is given for a share, as no line speaks for it.
const TEXT_SHARE: f64 = 0.85;

/// What the registry's word for an output says of a form.
#[derive(Clone, Copy, PartialEq)]
enum Agreement {
    Yes,
    Unknown,
    No,
}

fn agrees(format: Format, expected: Option<&str>) -> Agreement {
    use Format::{
        Csv, Diff, Empty, Json, KeyValue, List, Log, Ndjson, StackTrace, Tabular, TestReport, Text,
        Tree, Yaml,
    };
    let fits: &[Format] = match expected {
        Some("json") => &[Json, Ndjson],
        Some("yaml") => &[Yaml, KeyValue],
        Some("tabular" | "table" | "csv") => &[Tabular, Csv],
        Some("list" | "path" | "paths") => &[List],
        Some("lines") => &[List, Text],
        Some("key_value") => &[KeyValue],
        Some("tree") => &[Tree],
        Some("diff") => &[Diff],
        Some("plan") => &[Diff, Text],
        Some("log" | "build" | "lint_report") => &[Log, Text],
        Some("test_report") => &[TestReport, StackTrace],
        Some("text" | "status") => &[Text],
        Some("none") => &[Empty],
        _ => return Agreement::Unknown,
    };
    if fits.contains(&format) {
        Agreement::Yes
    } else {
        Agreement::No
    }
}

/// How sure an answer is.
///
/// Forms that are told by what they are made of have the share itself. For the others a share
/// says less, because one form can be taken for another: their share is weighed with the rate at
/// which such answers were right on recorded outputs, apart for those that the registry expects,
/// those that it says nothing of, and those that it does not expect.
fn confidence(format: Format, share: f64, expected: Option<&str>) -> f64 {
    let (yes, unknown, no) = match format {
        Format::Log => (0.98, 0.95, 0.92),
        Format::Csv => (0.98, 0.95, 0.92),
        Format::Yaml => (0.98, 0.93, 0.9),
        Format::KeyValue => (0.98, 0.93, 0.88),
        Format::Tabular => (0.98, 0.93, 0.85),
        Format::List => (0.97, 0.92, 0.85),
        Format::Text => (0.95, 0.8, 0.7),
        _ => (1.0, 1.0, 1.0),
    };
    let rate = match agrees(format, expected) {
        Agreement::Yes => yes,
        Agreement::Unknown => unknown,
        Agreement::No => no,
    };
    let text = format == Format::Text;
    if text {
        rate
    } else {
        (share * rate).clamp(0.0, 1.0)
    }
}

/// The wire's `output_analysis` member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputAnalysis {
    /// `json`, `tabular`, `text`, …
    pub format_type: &'static str,
    /// Lines of standard output.
    pub line_count: u64,
    /// Whether either stream speaks of an error.
    pub contains_errors: bool,
    /// How sure the form is, from 0 to 1.
    pub confidence: f64,
    /// Bytes of standard output.
    pub byte_count: u64,
    /// Entries: lines of a table without its header, elements of a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// Names of the columns or members.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Whose errors are in either stream.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_languages: Vec<Language>,
    /// Kinds and counts of secrets in either stream, never what they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
}

/// Makes the `output_analysis` member of a command and what came out of it.
#[must_use]
pub fn output_analysis(
    analysis: &Analysis,
    command: &str,
    stdout: &[u8],
    stderr: &[u8],
    exit_code: i32,
) -> OutputAnalysis {
    let (came, stdout, stderr) = (
        stdout.len() as u64,
        &*text::decoded(stdout),
        &*text::decoded(stderr),
    );
    let seen = look(stdout, expected(analysis, command));
    let mut error_languages = errors::languages(stdout);
    error_languages.extend(errors::languages(stderr));
    error_languages.sort_unstable();
    error_languages.dedup();
    let unfinished = u64::from(stdout.last().is_some_and(|byte| *byte != b'\n'));
    OutputAnalysis {
        format_type: seen.format.name(),
        line_count: memchr::memchr_iter(b'\n', stdout).count() as u64 + unfinished,
        contains_errors: !error_languages.is_empty()
            || exit_code != 0 && errors::speaks(stdout)
            || errors::speaks(stderr),
        confidence: seen.confidence,
        byte_count: came,
        row_count: seen.rows,
        columns: seen.columns,
        error_languages,
        secrets: secrets::found(&[stdout, stderr]),
    }
}

/// What the registry says of the output of the program that is heard.
#[must_use]
pub fn expected(analysis: &Analysis, command: &str) -> Option<&'static str> {
    let heard = crate::rows::heard(analysis, command)?;
    let program = analysis
        .programs
        .iter()
        .rev()
        .find(|program| program.name == heard)?;
    registry::describe(program).map(|entry| entry.output_format.as_str())
}
