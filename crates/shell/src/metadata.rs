//! The wire's `metadata` member: what is known about a command and its result.

use serde::Serialize;

use crate::analysis::{Analysis, Risk};
use crate::decision::DecisionView;
use crate::hints::ModelHints;

/// How much metadata is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Everything.
    Full,
    /// What a person wants to see.
    Summary,
    /// The least.
    Minimal,
}

/// What the metadata is made of.
#[derive(Clone, Copy, Debug)]
pub struct MetadataInput<'a> {
    /// The command.
    pub command: &'a str,
    /// Its analysis.
    pub analysis: &'a Analysis,
    /// Where and when it ran.
    pub context: ExecutionContext<'a>,
    /// What came out.
    pub result: ResultInput<'a>,
}

/// Where and when a command ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExecutionContext<'a> {
    /// Login name.
    pub user: &'a str,
    /// Host name.
    pub host: &'a str,
    /// Directory before the command.
    pub working_directory: &'a str,
    /// Operating system.
    pub platform: &'a str,
    /// Start, RFC 3339.
    pub timestamp: &'a str,
}

/// What came out of a command. The texts may be cut; the lengths are exact.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResultInput<'a> {
    /// Exit code.
    pub exit_code: i32,
    /// What is kept of standard output.
    pub stdout: &'a [u8],
    /// What is kept of standard error.
    pub stderr: &'a [u8],
    /// Bytes written to standard output.
    pub stdout_length: u64,
    /// Bytes written to standard error.
    pub stderr_length: u64,
    /// Milliseconds from start to end.
    pub execution_time_ms: u64,
}

/// The wire's `metadata` member.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata<'a> {
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<&'a str>,
    /// Its first program.
    pub base_command: &'a str,
    /// Where and when it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_context: Option<ExecutionContext<'a>>,
    /// What came out.
    pub result: ResultView,
    /// What the registry knows.
    pub registry: RegistryView<'a>,
    /// The highest risk, in a summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<Risk>,
    /// What the output looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_analysis: Option<OutputAnalysis>,
    /// Words for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_experience: Option<UserExperience>,
    /// What is usually done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_steps: Option<Vec<String>>,
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionView>,
    /// Hints for a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_hints: Option<ModelHints>,
}

/// The result in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ResultView {
    /// Exit code.
    pub exit_code: i32,
    /// Whether that is zero.
    pub success: bool,
    /// Bytes of standard output.
    pub stdout_length: u64,
    /// Bytes of standard error.
    pub stderr_length: u64,
    /// Milliseconds.
    pub execution_time_ms: u64,
}

/// What the registry knows about the first program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryView<'a> {
    /// One sentence.
    pub description: &'a str,
    /// The structure of its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_format: Option<&'a str>,
    /// Its usual risk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_level: Option<Risk>,
}

/// What the output looks like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OutputAnalysis {
    /// `json`, `tabular`, `text`, …
    pub format_type: &'static str,
    /// Lines of standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_count: Option<u64>,
    /// Whether it speaks of an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains_errors: Option<bool>,
}

/// Words for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserExperience {
    /// One sentence about this command.
    pub description: String,
    /// The upper end of the usual duration.
    pub estimated_time_ms: u64,
    /// The highest risk.
    pub risk_level: Risk,
    /// A mark for the outcome.
    pub status_emoji: &'static str,
}

/// Makes the `metadata` member.
#[must_use]
pub fn metadata<'a>(input: &MetadataInput<'a>, format: Format) -> Metadata<'a> {
    let full = format == Format::Full;
    Metadata {
        command: (format != Format::Minimal).then_some(input.command),
        base_command: &input.analysis.base_command,
        execution_context: full.then_some(input.context),
        result: ResultView {
            exit_code: input.result.exit_code,
            success: input.result.exit_code == 0,
            stdout_length: input.result.stdout_length,
            stderr_length: input.result.stderr_length,
            execution_time_ms: input.result.execution_time_ms,
        },
        registry: RegistryView {
            description: "",
            output_format: None,
            risk_level: None,
        },
        risk_level: (format == Format::Summary).then_some(input.analysis.risk),
        output_analysis: None,
        user_experience: None,
        next_steps: None,
        decision: None,
        model_hints: None,
    }
}
