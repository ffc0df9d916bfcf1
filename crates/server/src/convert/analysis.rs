//! Decisions, analyses and metadata, as the wire has them.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use wharf_api::{AnalyzeResponse, AnalyzedEffect, AnalyzedError, AnalyzedProgram};
use wharf_engine::shell::metadata::{
    ExecutionContext, Format, MetadataInput, ResultInput, metadata,
};
use wharf_engine::shell::{self, DecisionView, ModelHints, Span, model_hints};
use wharf_engine::{Captured, Decision, Finished};

use super::answer::Wanted;
use crate::options::Machine;

/// Members of metadata that only a command that ran can have.
const OF_RESULTS: [&str; 2] = ["result", "output_analysis"];

/// The `decision` member.
pub(crate) fn decision_view(decision: &Decision) -> DecisionView {
    shell::decision_view(
        decision.command.as_str(),
        &decision.analysis,
        decision.verdict,
        &decision.reasons,
    )
}

/// The `decision` member as a value.
pub(crate) fn decision_json(decision: &Decision) -> Value {
    json(&decision_view(decision))
}

/// What is known of a run, as far as it was asked for.
#[derive(Default)]
pub(crate) struct Knowledge {
    pub(crate) metadata: Option<Box<RawValue>>,
    pub(crate) hints: Option<ModelHints>,
}

/// The `metadata` and `model_hints` members of a run's answer. An answer from the record has no
/// analysis any more, so it has neither.
pub(crate) fn of_run(finished: &Finished, wanted: &Wanted, machine: &Machine) -> Knowledge {
    let (Some(format), Some(decision)) = (wanted.metadata, &finished.decision) else {
        return Knowledge::default();
    };
    let started = finished.started.to_string();
    let input = MetadataInput {
        command: &finished.command,
        analysis: &decision.analysis,
        context: ExecutionContext {
            user: &machine.user,
            host: &machine.host,
            working_directory: &finished.cwd_before,
            platform: &machine.platform,
            timestamp: &started,
        },
        result: result(finished),
    };
    // A background command has written what it has by now; that says nothing of its format.
    let seen = finished.exit_code.map(|_| kept(&finished.stdout));
    Knowledge {
        metadata: to_raw_value(&metadata(&input, format)).ok(),
        hints: Some(model_hints(&decision.analysis, seen)),
    }
}

/// The answer to `POST /api/analyze`.
pub(crate) fn analyzed(
    decision: &Decision,
    cwd: Option<&str>,
    format: Option<Format>,
    machine: &Machine,
) -> AnalyzeResponse {
    let analysis = &decision.analysis;
    AnalyzeResponse {
        command: decision.command.as_str().to_owned(),
        base_command: analysis.base_command.clone(),
        kind: word(&analysis.kind),
        features: analysis.features.iter().map(word).collect(),
        programs: analysis.programs.iter().map(program).collect(),
        privileged: analysis.privileged,
        reads: analysis.reads.clone(),
        writes: analysis.writes.clone(),
        effects: analysis.effects.iter().map(effect).collect(),
        risk_level: word(&analysis.risk),
        decision: decision_json(decision),
        metadata: format.map(|format| foresight(decision, cwd, format, machine)),
        parse_error: analysis.parse_error.as_ref().map(|error| AnalyzedError {
            message: error.message.clone(),
            span: span(error.span),
        }),
    }
}

/// Metadata of a command that has not run: all but what only a result can say.
fn foresight(decision: &Decision, cwd: Option<&str>, format: Format, machine: &Machine) -> Value {
    let input = MetadataInput {
        command: decision.command.as_str(),
        analysis: &decision.analysis,
        context: ExecutionContext {
            user: &machine.user,
            host: &machine.host,
            working_directory: cwd.unwrap_or_default(),
            platform: &machine.platform,
            timestamp: "",
        },
        result: ResultInput::default(),
    };
    let mut value = json(&metadata(&input, format));
    if let Some(members) = value.as_object_mut() {
        for name in OF_RESULTS {
            members.remove(name);
        }
        if let Some(context) = members
            .get_mut("execution_context")
            .and_then(Value::as_object_mut)
        {
            context.remove("timestamp");
        }
    }
    value
}

fn result(finished: &Finished) -> ResultInput<'_> {
    ResultInput {
        // A background command has none yet; metadata has no word for that.
        exit_code: finished.exit_code.unwrap_or_default(),
        stdout: kept(&finished.stdout),
        stderr: kept(&finished.stderr),
        stdout_length: finished.stdout.total,
        stderr_length: finished.stderr.total,
        execution_time_ms: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The head is enough to tell a format by.
fn kept(captured: &Captured) -> &[u8] {
    &captured.head
}

fn program(program: &shell::Program) -> AnalyzedProgram {
    AnalyzedProgram {
        name: program.name.clone(),
        span: span(program.span),
        argv: program.argv.clone(),
        via: program.via.clone(),
    }
}

fn effect(effect: &shell::Effect) -> AnalyzedEffect {
    AnalyzedEffect {
        kind: word(&effect.kind),
        target: effect.target.clone(),
        span: span(effect.span),
    }
}

const fn span(span: Span) -> [usize; 2] {
    [span.start, span.end]
}

/// A name as it is spelled on the wire.
fn word<T: Serialize>(name: &T) -> String {
    match json(name) {
        Value::String(word) => word,
        other => other.to_string(),
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
