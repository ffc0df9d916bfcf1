//! The wire's `metadata` member: what is known about a command and its result.

use serde::Serialize;

use crate::analysis::{Analysis, Context, Risk};
use crate::decision::{DecisionView, decision_view, judge};
use crate::hints::{ModelHints, model_hints};
use crate::output;
use crate::registry::{self, Entry};

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
    /// Its usual risk, in the form that it has here.
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
///
/// Its numbers: `estimated_time_ms` is the upper end of the longest duration class among the
/// programs that the registry knows ([`registry::Duration::upper_ms`]); all others are counted.
#[must_use]
pub fn metadata<'a>(input: &MetadataInput<'a>, format: Format) -> Metadata<'a> {
    let (full, summary) = (format == Format::Full, format == Format::Summary);
    let entry = input.analysis.programs.first().and_then(registry::describe);
    let output = (full || summary).then(|| output_analysis(input, full));
    let (verdict, reasons) = judge(input.analysis);
    Metadata {
        command: (format != Format::Minimal).then_some(input.command),
        base_command: &input.analysis.base_command,
        execution_context: full.then_some(input.context),
        result: result_view(&input.result),
        registry: registry_view(input, entry, summary),
        risk_level: summary.then_some(input.analysis.risk),
        output_analysis: output,
        user_experience: full.then(|| user_experience(input, entry)),
        next_steps: (full || summary).then(|| next_steps(input)),
        decision: full.then(|| decision_view(input.command, input.analysis, verdict, &reasons)),
        model_hints: full.then(|| model_hints(input.analysis, Some(input.result.stdout))),
    }
}

fn result_view(result: &ResultInput<'_>) -> ResultView {
    ResultView {
        exit_code: result.exit_code,
        success: result.exit_code == 0,
        stdout_length: result.stdout_length,
        stderr_length: result.stderr_length,
        execution_time_ms: result.execution_time_ms,
    }
}

fn registry_view<'a>(
    input: &MetadataInput<'_>,
    entry: Option<&'static Entry>,
    summary: bool,
) -> RegistryView<'a> {
    RegistryView {
        description: entry.map_or("", |entry| &entry.description),
        output_format: entry
            .filter(|_| !summary)
            .map(|entry| entry.output_format.as_str()),
        risk_level: entry
            .filter(|_| !summary)
            .map(|entry| usual_risk(input, entry)),
    }
}

/// The risk of this form of the command, as far as the registry tells forms apart.
fn usual_risk(input: &MetadataInput<'_>, entry: &Entry) -> Risk {
    let argv = input.analysis.programs.first();
    let argv = argv.and_then(|program| program.argv.as_deref());
    let context = Context {
        cwd: Some(input.context.working_directory),
        ..Context::default()
    };
    let args = argv.and_then(|argv| argv.get(1..)).unwrap_or_default();
    entry.risk_of(args, &context).0
}

fn output_analysis(input: &MetadataInput<'_>, full: bool) -> OutputAnalysis {
    let stdout = input.result.stdout;
    let unfinished = u64::from(stdout.last().is_some_and(|byte| *byte != b'\n'));
    let lines = memchr::memchr_iter(b'\n', stdout).count() as u64 + unfinished;
    let errors = input.result.exit_code != 0 && output::speaks_of_errors(stdout)
        || output::speaks_of_errors(input.result.stderr);
    OutputAnalysis {
        format_type: output::look(stdout).format,
        line_count: full.then_some(lines),
        contains_errors: full.then_some(errors),
    }
}

fn user_experience(input: &MetadataInput<'_>, entry: Option<&'static Entry>) -> UserExperience {
    let class = input.analysis.timeout_class;
    let known = input
        .analysis
        .programs
        .iter()
        .filter_map(registry::describe);
    let longest = known.map(|entry| entry.duration).max().unwrap_or_default();
    UserExperience {
        description: describe(input.analysis, entry),
        estimated_time_ms: longest.upper_ms(class),
        risk_level: input.analysis.risk,
        status_emoji: match input.result.exit_code {
            0 => "\u{2705}",
            124 => "\u{23f1}\u{fe0f}",
            _ => "\u{274c}",
        },
    }
}

/// One sentence about the command: what its first program does, and how many more there are.
fn describe(analysis: &Analysis, entry: Option<&'static Entry>) -> String {
    let first = match entry {
        Some(entry) => entry.description.trim_end_matches('.').to_owned(),
        None if analysis.base_command.is_empty() => "Runs no program".to_owned(),
        None => format!("Runs {}", analysis.base_command),
    };
    match analysis.programs.len() {
        0 | 1 => format!("{first}."),
        2 => format!("{first}, with one more program."),
        more => format!("{first}, with {} more programs.", more - 1),
    }
}

/// What is usually done next: from the exit code first, then from the registry.
fn next_steps(input: &MetadataInput<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    let name = &input.analysis.base_command;
    match input.result.exit_code {
        0 => {}
        124 => steps.push("give it more time, or run it in the background".to_owned()),
        126 => steps.push(format!(
            "it cannot be executed: look at its mode with ls -l \"$(command -v {name})\""
        )),
        127 => steps.push(format!(
            "it is not installed or not on PATH: command -v {name}"
        )),
        code if code > 128 => steps.push(format!("it was ended by signal {}", code - 128)),
        _ => {}
    }
    for entry in input
        .analysis
        .programs
        .iter()
        .filter_map(|program| registry::lookup(&program.name))
    {
        let known = if input.result.exit_code == 0 {
            &entry.next_steps.success
        } else {
            &entry.next_steps.failure
        };
        for step in known {
            if steps.len() < MAX_STEPS && !steps.contains(step) {
                steps.push(step.clone());
            }
        }
    }
    steps
}

/// Next steps that are named; more would not be read.
const MAX_STEPS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze;

    fn keys(format: Format) -> Vec<String> {
        let analysis = analyze("ls -la /tmp", &Context::default());
        let input = MetadataInput {
            command: "ls -la /tmp",
            analysis: &analysis,
            context: ExecutionContext {
                user: "a",
                host: "h",
                working_directory: "/x",
                platform: "Linux",
                timestamp: "t",
            },
            result: ResultInput {
                stdout: b"a 1 2\nb 3 4\n",
                stdout_length: 12,
                ..ResultInput::default()
            },
        };
        let value = serde_json::to_value(metadata(&input, format)).expect("serialises");
        let mut names = Vec::new();
        for (name, member) in value.as_object().expect("an object") {
            match member.as_object() {
                Some(inner) => names.extend(inner.keys().map(|key| format!("{name}.{key}"))),
                None => names.push(name.clone()),
            }
        }
        names.sort();
        names
    }

    #[test]
    fn minimal_has_three_members() {
        assert_eq!(
            keys(Format::Minimal),
            [
                "base_command",
                "registry.description",
                "registry.output_format",
                "registry.risk_level",
                "result.execution_time_ms",
                "result.exit_code",
                "result.stderr_length",
                "result.stdout_length",
                "result.success",
            ]
        );
    }

    #[test]
    fn a_summary_has_what_the_contract_lists() {
        assert_eq!(
            keys(Format::Summary),
            [
                "base_command",
                "command",
                "next_steps",
                "output_analysis.format_type",
                "registry.description",
                "result.execution_time_ms",
                "result.exit_code",
                "result.stderr_length",
                "result.stdout_length",
                "result.success",
                "risk_level",
            ]
        );
    }

    #[test]
    fn full_has_the_members_of_all_three_examples() {
        let keys = keys(Format::Full);
        for name in [
            "execution_context.user",
            "execution_context.timestamp",
            "registry.risk_level",
            "output_analysis.line_count",
            "output_analysis.contains_errors",
            "user_experience.description",
            "user_experience.estimated_time_ms",
            "user_experience.risk_level",
            "user_experience.status_emoji",
            "next_steps",
            "decision.verdict",
            "decision.reasons",
            "decision.decision_factors",
            "decision.alternatives",
            "decision.selection_confidence",
            "decision.risk_assessment",
            "model_hints.parsing_strategy",
            "model_hints.token_efficiency",
            "model_hints.output_format",
            "model_hints.confidence",
            "model_hints.command_specific_hints",
        ] {
            assert!(
                keys.iter().any(|key| key == name),
                "{name} is missing: {keys:?}"
            );
        }
    }
}
