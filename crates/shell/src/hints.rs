//! Hints for a model that will read the output: the wire's `model_hints` member.

use serde::Serialize;

use crate::analysis::Analysis;
use crate::{output, registry};

/// The wire's `model_hints` member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelHints {
    /// How to read the output: `tabular`, `line_by_line`, `json`, …
    pub parsing_strategy: String,
    /// How to spend fewer tokens on it.
    pub token_efficiency: Vec<String>,
    /// The structure that the output has or should have.
    pub output_format: String,
    /// How sure the strategy is.
    pub confidence: f64,
    /// Hints for this command.
    pub command_specific_hints: Vec<String>,
}

/// Makes the `model_hints` member; `stdout` is what came out, when the command has run.
///
/// `confidence` is the share of the sampled lines that conform to the format that was seen. Before
/// the run it is the share of the programs that the registry knows, because then the format is
/// what the registry says about the last of them.
#[must_use]
pub fn model_hints(analysis: &Analysis, stdout: Option<&[u8]>) -> ModelHints {
    let last = analysis.programs.last().and_then(registry::describe);
    let expected = last.map_or("text", |entry| entry.output_format.as_str());
    let seen = stdout.map(output::look);
    let format = seen.map_or(expected, |seen| seen.format);
    ModelHints {
        parsing_strategy: strategy(format).to_owned(),
        token_efficiency: efficiency(analysis, stdout),
        output_format: format.to_owned(),
        confidence: seen.map_or_else(|| known_share(analysis), |seen| seen.share),
        command_specific_hints: specific(analysis),
    }
}

fn known_share(analysis: &Analysis) -> f64 {
    let known = analysis
        .programs
        .iter()
        .filter(|program| registry::lookup(&program.name).is_some());
    match analysis.programs.len() {
        0 => 1.0,
        all => known.count() as f64 / all as f64,
    }
}

/// How an output of this format is read.
fn strategy(format: &str) -> &'static str {
    match format {
        "json" => "json",
        "ndjson" => "json_lines",
        "tabular" | "table" => "tabular",
        "csv" => "csv",
        "xml" | "html" => "markup",
        "yaml" => "yaml",
        "diff" => "diff",
        "key_value" => "key_value",
        "binary" => "do_not_read",
        "empty" | "none" => "exit_code_only",
        "test_report" | "build" | "lint_report" | "log" => "search_for_failures",
        _ => "line_by_line",
    }
}

/// Bytes of output beyond which shortening is worth a hint: about 2,000 tokens at 4 bytes each.
const LONG_OUTPUT: usize = 8_000;

fn efficiency(analysis: &Analysis, stdout: Option<&[u8]>) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some(len) = stdout.map(<[u8]>::len).filter(|len| *len > LONG_OUTPUT) {
        hints.push(format!(
            "about {} tokens: read the beginning and the end, or filter with grep",
            len / 4
        ));
    }
    for entry in analysis
        .programs
        .iter()
        .filter_map(|program| registry::lookup(&program.name))
    {
        let short = entry.common_options.iter().find(|option| {
            option.description.contains("in short")
                || option.description.contains("only the")
                || option.description.contains("as JSON")
        });
        if let Some(option) = short {
            hints.push(format!(
                "{} {}: {}",
                entry.name, option.flag, option.description
            ));
        }
    }
    hints.dedup();
    hints
}

fn specific(analysis: &Analysis) -> Vec<String> {
    let mut hints: Vec<String> = analysis
        .programs
        .iter()
        .filter_map(registry::describe)
        .map(|entry| format!("{}: {}", entry.name, entry.description))
        .collect();
    if analysis.interactive {
        hints.push("it waits for a person at a terminal".to_owned());
    }
    if analysis.shell_use.backgrounds {
        hints.push("something keeps running after the answer".to_owned());
    }
    hints.dedup();
    hints
}
