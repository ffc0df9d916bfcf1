//! Hints for a model that will read the output: the wire's `model_hints` member.

use serde::Serialize;

use crate::analysis::Analysis;
use crate::metadata::OutputAnalysis;

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

/// Makes the `model_hints` member; `output` is what was seen, when the command has run.
#[must_use]
pub fn model_hints(_analysis: &Analysis, output: Option<&OutputAnalysis>) -> ModelHints {
    let format = output.map_or("text", |output| output.format_type);
    ModelHints {
        parsing_strategy: "line_by_line".to_owned(),
        token_efficiency: Vec::new(),
        output_format: format.to_owned(),
        confidence: 0.0,
        command_specific_hints: Vec::new(),
    }
}
