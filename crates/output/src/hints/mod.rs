//! Hints for a model that reads an output: the wire's `model_hints` member.
//!
//! A hint says something about this output that the reader does not have yet: how many tests
//! failed and on which lines, which keys the objects of an array have, in which file most errors
//! are, which other form of the command is easier to read. What is true of every output of a
//! command is not a hint, and is not given.
//!
//! The confidence is the chance that the strategy is the right one. Where the form of the output
//! decides, it is that of the form; where a failure decides, it comes from how the failure was
//! found (`reading`), at rates that were measured on the recorded outputs and that a test holds.

mod failures;
mod forms;
mod structure;

use serde::Serialize;
use wharf_shell::Analysis;

use crate::digest::{Digest, Stream};
use crate::format::Look;
use crate::text;

/// Hints of one kind that are given.
const MAX_HINTS: usize = 6;

/// Tokens from which on an output is long enough to speak of a shorter form.
pub const LONG_TOKENS: usize = 500;

/// The wire's `model_hints` member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelHints {
    /// How to read the output: `tabular`, `line_by_line`, `json`, `search_for_failures`, …
    pub parsing_strategy: String,
    /// How to spend fewer tokens on it.
    pub token_efficiency: Vec<String>,
    /// The form that the output has.
    pub output_format: String,
    /// The chance that the strategy is right.
    pub confidence: f64,
    /// What is worth knowing about this output.
    pub command_specific_hints: Vec<String>,
    /// Tokens of the whole output.
    pub tokens_before: usize,
    /// Tokens of its digest.
    pub tokens_after: usize,
}

/// The form of standard output, as `format` found it.
#[derive(Clone, Copy, Debug)]
pub struct Form<'a> {
    /// Its name on the wire.
    pub name: &'a str,
    /// How sure that is.
    pub confidence: f64,
    /// Names of columns or members.
    pub columns: &'a [String],
    /// Entries.
    pub rows: Option<u64>,
}

impl<'a> From<&'a Look> for Form<'a> {
    fn from(look: &'a Look) -> Self {
        Self {
            name: look.format.name(),
            confidence: look.confidence,
            columns: &look.columns,
            rows: look.rows,
        }
    }
}

/// What hints are made of.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The command.
    pub analysis: &'a Analysis,
    /// Everything it wrote to standard output.
    pub stdout: &'a [u8],
    /// Everything it wrote to standard error.
    pub stderr: &'a [u8],
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// The form of standard output.
    pub form: Form<'a>,
    /// The digest of both streams.
    pub digest: &'a Digest,
}

/// Makes the hints.
#[must_use]
pub fn model_hints(input: &Input<'_>) -> ModelHints {
    let (stdout, stderr) = (text::decoded(input.stdout), text::decoded(input.stderr));
    let input = &Input {
        stdout: &stdout,
        stderr: &stderr,
        ..*input
    };
    let (strategy, confidence) = reading(input);
    let mut specific = failures::hints(input);
    specific.extend(structure::hints(input));
    specific.truncate(MAX_HINTS);
    let mut efficiency = saving(input);
    efficiency.extend(forms::hints(input));
    efficiency.truncate(MAX_HINTS);
    ModelHints {
        parsing_strategy: strategy.to_owned(),
        token_efficiency: efficiency,
        output_format: input.form.name.to_owned(),
        confidence: (confidence * 100.0).round() / 100.0,
        command_specific_hints: specific,
        tokens_before: input.digest.tokens_before,
        tokens_after: input.digest.tokens_after,
    }
}

/// The hints of a command that has not ended: what the registry says of its output. The
/// confidence is the share of its programs that the registry knows.
#[must_use]
pub fn expected_hints(analysis: &Analysis, command: &str) -> ModelHints {
    let expected = crate::format::expected(analysis, command);
    let name = match expected.unwrap_or("text") {
        "table" => "tabular",
        "none" => "empty",
        "build" | "lint_report" => "log",
        other => other,
    };
    let all = analysis.programs.len();
    let known = analysis.programs.iter();
    let known = known.filter(|program| wharf_shell::registry::lookup(&program.name).is_some());
    let confidence = match all {
        0 => 1.0,
        all => known.count() as f64 / all as f64,
    };
    let form = Form {
        name,
        confidence,
        columns: &[],
        rows: None,
    };
    ModelHints {
        parsing_strategy: of_form(form).0.to_owned(),
        token_efficiency: Vec::new(),
        output_format: name.to_owned(),
        confidence: (confidence * 100.0).round() / 100.0,
        command_specific_hints: Vec::new(),
        tokens_before: 0,
        tokens_after: 0,
    }
}

/// Chance that a failure is what matters when the command failed and lines say so.
const FAILED_AND_SAYS_SO: f64 = 0.95;
/// When lines say so although it ended with 0: a pipe may have hidden the code, a log may speak
/// of others.
const ONLY_SAYS_SO: f64 = 0.8;
/// When it failed and no line is known to say why.
const ONLY_FAILED: f64 = 0.6;

/// How the output is read, and the chance that this is right.
fn reading(input: &Input<'_>) -> (&'static str, f64) {
    let failed = input.exit_code != Some(0);
    let says_so = input.digest.failure_lines > 0;
    if input.stdout.is_empty() && input.stderr.is_empty() {
        return ("exit_code_only", 1.0);
    }
    if failed && says_so {
        return ("search_for_failures", FAILED_AND_SAYS_SO);
    }
    let (strategy, confidence) = of_form(input.form);
    let empty = input.stdout.iter().all(u8::is_ascii_whitespace);
    match (failed, says_so) {
        (false, true) if strategy == "line_by_line" => ("search_for_failures", ONLY_SAYS_SO),
        (true, false) if empty => ("line_by_line", ONLY_FAILED),
        (true, false) => (strategy, confidence.min(ONLY_FAILED)),
        _ if empty => ("line_by_line", ONLY_FAILED),
        _ => (strategy, confidence),
    }
}

/// How an output of this form is read.
fn of_form(form: Form<'_>) -> (&'static str, f64) {
    let strategy = match form.name {
        "json" => "json",
        "ndjson" => "json_lines",
        "tabular" => "tabular",
        "csv" => "csv",
        "xml" | "html" => "markup",
        "yaml" => "yaml",
        "diff" => "diff",
        "key_value" => "key_value",
        "tree" => "tree",
        "binary" => "do_not_read",
        "empty" => "exit_code_only",
        "test_report" | "stack_trace" | "log" => "search_for_failures",
        "progress" => "last_line",
        _ => "line_by_line",
    };
    (strategy, form.confidence)
}

/// What the digest saved, and how the rest is read.
fn saving(input: &Input<'_>) -> Vec<String> {
    let digest = input.digest;
    let saved = digest.tokens_before.saturating_sub(digest.tokens_after);
    if saved < LONG_TOKENS.min(digest.tokens_before / 2).max(1) {
        return Vec::new();
    }
    let mut hint = format!(
        "text holds in {} tokens what takes {}",
        digest.tokens_after, digest.tokens_before
    );
    if let Some(largest) = digest.left_out.iter().max_by_key(|part| part.bytes) {
        let stream = if largest.stream == Stream::Stdout {
            ""
        } else {
            " of stderr"
        };
        hint.push_str(&format!(
            "; the largest part left out: {}, lines {}-{}{stream}",
            largest.what, largest.from_line, largest.to_line
        ));
    }
    vec![hint]
}
