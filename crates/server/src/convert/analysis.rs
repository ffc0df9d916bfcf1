//! Decisions, analyses and metadata, as the wire has them.

use serde::Serialize;
use serde_json::Value;
use wharf_api::{AnalyzeResponse, AnalyzedEffect, AnalyzedError, AnalyzedProgram};
use wharf_engine::Decision;
use wharf_engine::knowledge::Knowledge;
use wharf_engine::measure::Measured;
use wharf_engine::shell::{self, Circumstances, DecisionView, Span};

/// The `decision` member.
pub(crate) fn decision_view(decision: &Decision) -> DecisionView {
    let around = Circumstances {
        registry: Some(&decision.registry),
        ..Circumstances::default()
    };
    shell::decision_in(
        decision.command.as_str(),
        &decision.analysis,
        decision.verdict,
        &decision.reasons,
        &around,
    )
}

/// The `decision` member as a value.
pub(crate) fn decision_json(decision: &Decision) -> Value {
    json(&decision_view(decision))
}

/// The answer to `POST /api/analyze`.
pub(crate) fn analyzed(
    decision: &Decision,
    known: &Knowledge,
    measured: Option<&Measured>,
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
        decision: json(&known.decision),
        metadata: known.metadata.as_ref().map(json),
        measured: measured.map(json),
        parse_error: analysis.parse_error.as_ref().map(|error| AnalyzedError {
            message: error.message.clone(),
            span: span(error.span),
        }),
    }
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

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
