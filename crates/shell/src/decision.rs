//! From an analysis to a verdict, and the wire's `decision` member.

use serde::Serialize;

use crate::analysis::{Analysis, EffectKind, Kind, Program, Risk, Span};
use crate::registry;

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
    /// Geometric mean of the four numbers among the factors.
    pub selection_confidence: f64,
    /// What could go wrong.
    pub risk_assessment: RiskAssessment,
}

/// Numbers between 0 and 1; each field says its formula.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionFactors {
    /// Share of the programs that the registry knows; 1 without programs.
    pub command_familiarity: f64,
    /// Share of the options that the registry lists for their program, among those of programs
    /// that it knows; 1 without options.
    pub argument_validity: f64,
    /// Share of the effects that no finding of high risk covers; 1 without effects.
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
    /// One divided by the number of alternatives for the same part of the text.
    pub confidence: f64,
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

/// Makes the `decision` member.
///
/// The formulas stand at [`DecisionFactors`] and [`Alternative`]; there is no number that is not
/// counted or made of counted ones.
#[must_use]
pub fn decision_view(
    command: &str,
    analysis: &Analysis,
    verdict: Verdict,
    reasons: &[Reason],
) -> DecisionView {
    let alternatives = alternatives(analysis);
    let factors = DecisionFactors {
        command_familiarity: familiarity(analysis),
        argument_validity: validity(analysis),
        context_appropriateness: appropriateness(analysis),
        risk_level: analysis.risk,
        efficiency: 1.0 / (1.0 + alternatives.len() as f64),
    };
    let product = factors.command_familiarity
        * factors.argument_validity
        * factors.context_appropriateness
        * factors.efficiency;
    DecisionView {
        command: command.to_owned(),
        base_command: analysis.base_command.clone(),
        verdict,
        reasons: reasons.to_vec(),
        decision_factors: factors,
        alternatives,
        selection_confidence: product.powf(0.25),
        risk_assessment: RiskAssessment {
            privilege_level: if analysis.privileged {
                "elevated"
            } else {
                "user"
            }
            .to_owned(),
            system_impact: impact(analysis),
            requires_confirmation: verdict == Verdict::Confirm,
            can_be_destructive: analysis.effects.iter().any(|effect| destroys(effect.kind)),
        },
    }
}

/// The share of counted things; everything, when there is nothing to count.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        1.0
    } else {
        part as f64 / whole as f64
    }
}

fn familiarity(analysis: &Analysis) -> f64 {
    let known = analysis
        .programs
        .iter()
        .filter(|program| registry::lookup(&program.name).is_some());
    share(known.count(), analysis.programs.len())
}

fn validity(analysis: &Analysis) -> f64 {
    let (mut known, mut all) = (0, 0);
    for program in &analysis.programs {
        let Some(entry) = registry::lookup(&program.name) else {
            continue;
        };
        let names: Vec<&str> = entry
            .common_options
            .iter()
            .filter_map(|option| option.flag.split([' ', '=']).next())
            .collect();
        for arg in program
            .argv
            .iter()
            .flatten()
            .skip(1)
            .filter(|arg| arg.len() > 1 && arg.starts_with('-'))
        {
            let name = arg.split('=').next().unwrap_or_default();
            let whole = names.contains(&name);
            let letters = !arg.starts_with("--")
                && arg.chars().skip(1).all(|c| {
                    c.is_ascii_digit()
                        || names
                            .iter()
                            .any(|name| name.strip_prefix('-') == Some(c.encode_utf8(&mut [0; 4])))
                });
            all += 1;
            known += usize::from(whole || letters);
        }
    }
    share(known, all)
}

fn appropriateness(analysis: &Analysis) -> f64 {
    let covered = |span: Span| {
        analysis.findings.iter().any(|finding| {
            finding.risk >= Risk::High
                && finding.span.start <= span.start
                && span.end <= finding.span.end
        })
    };
    let fitting = analysis
        .effects
        .iter()
        .filter(|effect| !covered(effect.span))
        .count();
    share(fitting, analysis.effects.len())
}

/// What the rules name, then shorter forms of what stands in the text.
fn alternatives(analysis: &Analysis) -> Vec<Alternative> {
    let mut found: Vec<(Span, String, String)> = analysis
        .findings
        .iter()
        .filter_map(|finding| {
            let alternative = finding.alternative.clone()?;
            Some((finding.span, alternative, finding.message.clone()))
        })
        .collect();
    if analysis.features.contains(&Kind::Pipeline) {
        for pair in analysis.programs.windows(2) {
            if let [first, second] = pair {
                found.extend(shorter(first, second));
            }
        }
    }
    let same = |span: Span| found.iter().filter(|(other, ..)| *other == span).count();
    found
        .iter()
        .map(|(span, alternative, reasoning)| Alternative {
            alternative: alternative.clone(),
            reasoning: reasoning.clone(),
            confidence: 1.0 / same(*span) as f64,
        })
        .collect()
}

/// A form that does the work of two neighbours in a pipeline alone.
fn shorter(first: &Program, second: &Program) -> Option<(Span, String, String)> {
    let argv = first.argv.as_deref()?;
    let (form, reason) = match (first.name.as_str(), second.name.as_str()) {
        ("cat", "grep" | "head" | "tail" | "wc" | "sort" | "awk" | "sed" | "jq" | "cut")
            if argv.len() == 2 =>
        {
            (
                format!("{} \u{2026} {}", second.name, argv.get(1)?),
                "the second program can read the file itself",
            )
        }
        ("ls", "wc") => (
            "find . -maxdepth 1 -printf x | wc -c".to_owned(),
            "names with newlines are counted once",
        ),
        ("ps", "grep") => ("pgrep -af PATTERN".to_owned(), "does not find itself"),
        ("find", "xargs") if !argv.iter().any(|arg| arg == "-print0") => (
            "find \u{2026} -print0 | xargs -0 \u{2026}".to_owned(),
            "names with blanks stay whole",
        ),
        _ => return None,
    };
    Some((first.span, form, reason.to_owned()))
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
