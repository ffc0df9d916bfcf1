//! From an analysis to a verdict, and the wire's `decision` member.
//!
//! Every number here is counted or made of counted ones; `docs/decision.md` holds the formulas
//! with an example, which a test works out again. What is not in the text comes in as
//! [`Circumstances`]: what the caller did before, and which of the named paths are there.

mod alternatives;
mod factors;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::advice::{self, Gain, Habit};
use crate::analysis::{Analysis, Context, EffectKind, Risk, Span};
use crate::registry::Registry;

pub use factors::{habit_keys, paths_to_check};

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

/// What is known beside the text. Nothing of it is looked up here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// What the command was judged in.
    pub context: Context<'a>,
    /// What this caller ran before, for the keys of [`habit_keys`].
    pub habits: &'a [Habit<'a>],
    /// Those of [`paths_to_check`] that are there.
    pub present: &'a [&'a str],
    /// Those that are not.
    pub missing: &'a [&'a str],
    /// What is known about commands; without it, what comes with the program.
    pub registry: Option<&'a Registry>,
}

impl<'a> Circumstances<'a> {
    fn registry(&self) -> &'a Registry {
        self.registry.unwrap_or_else(|| Registry::built_in())
    }
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
    /// Geometric mean of the four numbers among the factors.
    pub selection_confidence: f64,
    /// What could go wrong.
    pub risk_assessment: RiskAssessment,
}

/// Numbers between 0 and 1; each field says its formula, `docs/decision.md` says why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionFactors {
    /// Mean over the programs of (successes + k) / (runs + 1): how often this caller's runs of the
    /// program succeeded, where the registry counts as one run, and k is the share of the words
    /// of the program and its subcommand that the registry knows. 1 without programs.
    pub command_familiarity: f64,
    /// Known ÷ (known + doubted) subcommands and options: known is what the registry or a rule
    /// lists, doubted is what is near something listed without being it. 1 without either.
    pub argument_validity: f64,
    /// Share of the effects that fit the place: no finding of high risk covers them, and what
    /// they need is not known to be missing. 1 without effects.
    pub context_appropriateness: f64,
    /// Highest risk.
    pub risk_level: Risk,
    /// Programs ÷ (programs + better forms known). 1 without better forms.
    pub efficiency: f64,
}

/// A better or safer form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// The whole better command where it can be told, else the better form in general.
    pub alternative: String,
    /// Why it is better.
    pub reasoning: String,
    /// One divided by the number of alternatives for the same part of the text.
    pub confidence: f64,
    /// Name of the rule that knows it.
    pub rule: String,
    /// What is gained.
    pub gain: Gain,
    /// The part of the command that it is about.
    pub span: Span,
    /// What would stand in place of `replaces`, when `alternative` is a whole command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// The part of the command that is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Span>,
}

/// What could go wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RiskAssessment {
    /// `user` or `elevated`.
    pub privilege_level: String,
    /// The kind of effect that stands last in [`EffectKind`], or `none`.
    pub system_impact: String,
    /// Whether a yes is needed.
    pub requires_confirmation: bool,
    /// Whether something can be lost.
    pub can_be_destructive: bool,
}

/// Makes the `decision` member of what the text alone says.
#[must_use]
pub fn decision_view(
    command: &str,
    analysis: &Analysis,
    verdict: Verdict,
    reasons: &[Reason],
) -> DecisionView {
    decision_in(
        command,
        analysis,
        verdict,
        reasons,
        &Circumstances::default(),
    )
}

/// Makes the `decision` member.
#[must_use]
pub fn decision_in(
    command: &str,
    analysis: &Analysis,
    verdict: Verdict,
    reasons: &[Reason],
    around: &Circumstances<'_>,
) -> DecisionView {
    let wording = advice::read(
        command,
        analysis,
        &around.context,
        around.habits,
        around.registry(),
    );
    let factors = factors::factors(analysis, &wording, around);
    DecisionView {
        command: command.to_owned(),
        base_command: analysis.base_command.clone(),
        verdict,
        reasons: reasons.to_vec(),
        selection_confidence: factors.confidence(),
        decision_factors: factors,
        alternatives: alternatives::alternatives(analysis, wording),
        risk_assessment: risk_assessment(analysis, verdict),
    }
}

fn risk_assessment(analysis: &Analysis, verdict: Verdict) -> RiskAssessment {
    let level = if analysis.privileged {
        "elevated"
    } else {
        "user"
    };
    RiskAssessment {
        privilege_level: level.to_owned(),
        system_impact: impact(analysis),
        requires_confirmation: verdict == Verdict::Confirm,
        can_be_destructive: analysis.effects.iter().any(|effect| destroys(effect.kind)),
    }
}

/// The kind of the effect that is last in the order of kinds, in which the graver come later.
fn impact(analysis: &Analysis) -> String {
    let gravest = analysis.effects.iter().map(|effect| effect.kind).max();
    gravest.map_or_else(|| "none".to_owned(), kind_name)
}

/// The name of a kind on the wire.
fn kind_name(kind: EffectKind) -> String {
    let mut name = String::new();
    for (index, c) in format!("{kind:?}").char_indices() {
        if c.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

const fn destroys(kind: EffectKind) -> bool {
    matches!(
        kind,
        EffectKind::Delete
            | EffectKind::Device
            | EffectKind::History
            | EffectKind::Database
            | EffectKind::Infrastructure
            | EffectKind::ResourceBomb
            | EffectKind::HidesTraces
            | EffectKind::SystemControl
            | EffectKind::RemoteCode
            | EffectKind::HiddenCode
    )
}
