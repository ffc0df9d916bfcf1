//! The wire's `metadata` member: what is known about a command and its result.

use serde::Serialize;
use wharf_output::format::OutputAnalysis;
use wharf_output::hints::ModelHints;
use wharf_output::next::NextStep;
use wharf_shell::registry::{self, CommonOption, Entry, Registry};
use wharf_shell::{Analysis, Context, DecisionView, Risk, TimeoutClass};

use super::manual::Said;

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
pub(crate) struct MetadataInput<'a> {
    /// The command.
    pub(crate) command: &'a str,
    /// Its analysis.
    pub(crate) analysis: &'a Analysis,
    /// Where and when it ran.
    pub(crate) context: ExecutionContext<'a>,
    /// What came out; absent before it has run.
    pub(crate) result: Option<ResultView>,
    /// What its output looks like; absent before it has run.
    pub(crate) output: Option<&'a OutputAnalysis>,
    /// What to do next.
    pub(crate) next: &'a [NextStep],
    /// The decision, where it is known.
    pub(crate) decision: Option<&'a DecisionView>,
    /// Hints for a model.
    pub(crate) hints: Option<&'a ModelHints>,
    /// What is known about commands.
    pub(crate) registry: &'a Registry,
    /// What the system says of the first program, if the registry does not know it.
    pub(crate) manual: Option<&'a Said>,
}

/// Where and when a command ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ExecutionContext<'a> {
    /// Login name.
    pub(crate) user: &'a str,
    /// Host name.
    pub(crate) host: &'a str,
    /// Directory before the command.
    pub(crate) working_directory: &'a str,
    /// Operating system.
    pub(crate) platform: &'a str,
    /// Start, RFC 3339; empty before it has run.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) timestamp: &'a str,
}

/// The wire's `metadata` member.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Metadata<'a> {
    /// The command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<&'a str>,
    /// Its first program.
    pub(crate) base_command: &'a str,
    /// Where and when it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution_context: Option<ExecutionContext<'a>>,
    /// What came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<ResultView>,
    /// What the registry knows.
    pub(crate) registry: RegistryView<'a>,
    /// The highest risk, in a summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) risk_level: Option<Risk>,
    /// What the output looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_analysis: Option<OutputView<'a>>,
    /// Words for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_experience: Option<UserExperience>,
    /// What is usually done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_steps: Option<Vec<&'a str>>,
    /// The same with the command that does it, and the reason.
    #[serde(skip_serializing_if = "<[NextStep]>::is_empty")]
    pub(crate) next_step_details: &'a [NextStep],
    /// The decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<&'a DecisionView>,
    /// Hints for a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model_hints: Option<&'a ModelHints>,
}

/// The result in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ResultView {
    /// Exit code; null while it runs.
    pub(crate) exit_code: Option<i32>,
    /// Whether that is zero; a command that was left running has been started.
    pub(crate) success: bool,
    /// Bytes of standard output.
    pub(crate) stdout_length: u64,
    /// Bytes of standard error.
    pub(crate) stderr_length: u64,
    /// Milliseconds.
    pub(crate) execution_time_ms: u64,
}

/// What the registry knows about the first program: in full, its description alone in a summary,
/// and the three members that the contract names otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RegistryView<'a> {
    /// One sentence.
    pub(crate) description: &'a str,
    /// Who says so when the registry does not: `manual` or `package`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<&'a str>,
    /// The structure of its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_format: Option<&'a str>,
    /// Its usual risk, in the form that it has here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) risk_level: Option<Risk>,
    /// The rest.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) more: Option<MoreView<'a>>,
}

/// What else an entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MoreView<'a> {
    /// Such as `filesystem/search`.
    pub(crate) category: &'a str,
    /// How long it usually takes.
    pub(crate) duration: registry::Duration,
    /// How long it may take.
    pub(crate) timeout_class: TimeoutClass,
    /// Whether it wants a terminal.
    pub(crate) interactive: bool,
    /// Those that this command uses; all of them would be the larger part of an answer, and
    /// `GET /api/registry/{command}` has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) common_options: Vec<&'a CommonOption>,
    /// Commands for similar work.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) related: &'a [String],
}

/// What the output looks like: everything, or its form alone in a summary.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum OutputView<'a> {
    /// Everything.
    Full(&'a OutputAnalysis),
    /// Its form.
    Summary {
        /// `json`, `tabular`, `text`, …
        format_type: &'a str,
    },
}

/// Words for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct UserExperience {
    /// One sentence about this command.
    pub(crate) description: String,
    /// The upper end of the usual duration.
    pub(crate) estimated_time_ms: u64,
    /// The highest risk.
    pub(crate) risk_level: Risk,
    /// A mark for the outcome.
    pub(crate) status_emoji: &'static str,
}

/// Makes the `metadata` member.
///
/// Its numbers: `estimated_time_ms` is the upper end of the longest duration class among the
/// programs that the registry knows ([`registry::Duration::upper_ms`]); all others are counted.
#[must_use]
pub(crate) fn metadata<'a>(input: &MetadataInput<'a>, format: Format) -> Metadata<'a> {
    let (full, summary) = (format == Format::Full, format == Format::Summary);
    let first = input.analysis.programs.first();
    let entry = first.and_then(|program| input.registry.describe(program));
    let steps = || input.next.iter().map(|step| step.text.as_str()).collect();
    Metadata {
        command: (format != Format::Minimal).then_some(input.command),
        base_command: &input.analysis.base_command,
        execution_context: full.then_some(input.context),
        result: input.result,
        registry: registry_view(input, entry, format),
        risk_level: summary.then_some(input.analysis.risk),
        output_analysis: input.output.and_then(|output| match format {
            Format::Full => Some(OutputView::Full(output)),
            Format::Summary => Some(OutputView::Summary {
                format_type: output.format_type,
            }),
            Format::Minimal => None,
        }),
        user_experience: full.then(|| user_experience(input, entry)),
        next_steps: (full || summary).then(steps),
        next_step_details: if full { input.next } else { &[] },
        decision: input.decision.filter(|_| full),
        model_hints: input.hints.filter(|_| full),
    }
}

fn registry_view<'a>(
    input: &MetadataInput<'a>,
    entry: Option<&'a Entry>,
    format: Format,
) -> RegistryView<'a> {
    let Some(entry) = entry else {
        return RegistryView {
            description: input.manual.map_or("", |said| &said.text),
            source: input.manual.map(|said| said.source),
            output_format: None,
            risk_level: None,
            more: None,
        };
    };
    let summary = format == Format::Summary;
    RegistryView {
        description: &entry.description,
        source: None,
        output_format: (!summary).then_some(entry.output_format.as_str()),
        risk_level: (!summary).then(|| usual_risk(input, entry)),
        more: (format == Format::Full).then_some(MoreView {
            category: &entry.category,
            duration: entry.duration,
            timeout_class: entry.timeout_class,
            interactive: entry.interactive,
            common_options: entry.options_in(arguments(input.analysis)).collect(),
            related: &entry.related,
        }),
    }
}

/// The risk of this form of the command, as far as the registry tells forms apart.
fn usual_risk(input: &MetadataInput<'_>, entry: &Entry) -> Risk {
    let context = Context {
        cwd: Some(input.context.working_directory),
        ..Context::default()
    };
    entry.risk_of(arguments(input.analysis), &context).0
}

/// The words behind the first program, if all of them are known.
fn arguments(analysis: &Analysis) -> &[String] {
    let program = analysis.programs.first();
    let argv = program.and_then(|program| program.argv.as_deref());
    argv.and_then(|argv| argv.get(1..)).unwrap_or_default()
}

fn user_experience(input: &MetadataInput<'_>, entry: Option<&Entry>) -> UserExperience {
    let class = input.analysis.timeout_class;
    let programs = input.analysis.programs.iter();
    let known = programs.filter_map(|program| input.registry.describe(program));
    let longest = known.map(|entry| entry.duration).max().unwrap_or_default();
    UserExperience {
        description: describe(input, entry),
        estimated_time_ms: longest.upper_ms(class),
        risk_level: input.analysis.risk,
        status_emoji: match input.result.map(|result| result.exit_code) {
            None | Some(None) => "\u{23f3}",
            Some(Some(0)) => "\u{2705}",
            Some(Some(124)) => "\u{23f1}\u{fe0f}",
            Some(Some(_)) => "\u{274c}",
        },
    }
}

/// One sentence about the command: what its first program does, and how many more there are.
fn describe(input: &MetadataInput<'_>, entry: Option<&Entry>) -> String {
    let analysis = input.analysis;
    let said = entry.map(|entry| entry.description.as_str());
    let said = said.or(input.manual.map(|said| said.text.as_str()));
    let first = match said {
        Some(said) => said.trim_end_matches('.').to_owned(),
        None if analysis.base_command.is_empty() => "Runs no program".to_owned(),
        None => format!("Runs {}", analysis.base_command),
    };
    match analysis.programs.len() {
        0 | 1 => format!("{first}."),
        2 => format!("{first}, with one more program."),
        more => format!("{first}, with {} more programs.", more - 1),
    }
}
