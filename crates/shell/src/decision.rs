//! From an analysis to a verdict, and the wire's `decision` member.

use serde::Serialize;

use crate::analysis::{Analysis, Risk, Span};

/// Whether a command may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may.
    Allow,
    /// Only after a yes.
    Confirm,
    /// It may not.
    Deny,
}

/// Why a verdict is not `allow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Name of the rule.
    pub rule: String,
    /// The part of the command that it matched.
    pub span: Span,
    /// Why it matters.
    pub message: String,
}

/// The default policy: low and medium run, high and unknown ask, critical is refused.
#[must_use]
pub fn judge(analysis: &Analysis) -> (Verdict, Vec<Reason>) {
    let verdict = match analysis.risk {
        Risk::Low | Risk::Medium => Verdict::Allow,
        Risk::High | Risk::Unknown => Verdict::Confirm,
        Risk::Critical => Verdict::Deny,
    };
    let reasons = analysis
        .findings
        .iter()
        .filter(|finding| finding.risk >= Risk::High)
        .map(|finding| Reason {
            rule: finding.rule.clone(),
            span: finding.span,
            message: finding.message.clone(),
        })
        .collect();
    (verdict, reasons)
}

/// The wire's `decision` member.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionView {
    /// The command.
    pub command: String,
    /// Its first program.
    pub base_command: String,
    /// Whether it may run.
    pub verdict: Verdict,
    /// Why it may not run without more.
    pub reasons: Vec<Reason>,
    /// What the numbers were made of.
    pub decision_factors: DecisionFactors,
    /// What could be run instead.
    pub alternatives: Vec<Alternative>,
    /// Geometric mean of the factors.
    pub selection_confidence: f64,
    /// What could go wrong.
    pub risk_assessment: RiskAssessment,
}

/// Numbers between 0 and 1; each field says its formula.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionFactors {
    /// Share of the programs that the registry knows.
    pub command_familiarity: f64,
    /// Share of the options that the registry knows for their program.
    pub argument_validity: f64,
    /// Share of the effects' targets that are known and not outside the tree.
    pub context_appropriateness: f64,
    /// Highest risk.
    pub risk_level: Risk,
    /// One divided by one more than the number of better forms known.
    pub efficiency: f64,
}

/// A better or safer form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// The form.
    pub alternative: String,
    /// Why it is better.
    pub reasoning: String,
    /// How sure that is.
    pub confidence: f64,
}

/// What could go wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RiskAssessment {
    /// `user` or `elevated`.
    pub privilege_level: String,
    /// The gravest kind of effect, or `none`.
    pub system_impact: String,
    /// Whether a yes is needed.
    pub requires_confirmation: bool,
    /// Whether something can be lost.
    pub can_be_destructive: bool,
}

/// Makes the `decision` member.
#[must_use]
pub fn decision_view(
    command: &str,
    analysis: &Analysis,
    verdict: Verdict,
    reasons: &[Reason],
) -> DecisionView {
    DecisionView {
        command: command.to_owned(),
        base_command: analysis.base_command.clone(),
        verdict,
        reasons: reasons.to_vec(),
        decision_factors: DecisionFactors {
            command_familiarity: 0.0,
            argument_validity: 0.0,
            context_appropriateness: 0.0,
            risk_level: analysis.risk,
            efficiency: 1.0,
        },
        alternatives: Vec::new(),
        selection_confidence: 0.0,
        risk_assessment: RiskAssessment {
            privilege_level: if analysis.privileged {
                "elevated"
            } else {
                "user"
            }
            .to_owned(),
            system_impact: "none".to_owned(),
            requires_confirmation: verdict == Verdict::Confirm,
            can_be_destructive: analysis.risk >= Risk::High,
        },
    }
}
