//! The numbers of a decision, as `docs/decision.md` defines them.

use super::{Circumstances, DecisionFactors};
use crate::advice::Wording;
use crate::advice::spelling::is_wordy;
use crate::analysis::{Analysis, Effect, EffectKind, Kind, Program, Risk, Span};
use crate::registry::Registry;

/// Paths that are asked about for one command.
pub(crate) const MAX_PATHS: usize = 32;

/// Programs whose habits are asked about for one command.
pub(crate) const MAX_KEYS: usize = 32;

pub(super) fn factors(
    analysis: &Analysis,
    wording: &Wording,
    around: &Circumstances<'_>,
) -> DecisionFactors {
    let doubted = wording.misspelt.len();
    let programs = analysis.programs.len().max(1);
    DecisionFactors {
        command_familiarity: familiarity(analysis, around),
        argument_validity: share(wording.known_words, wording.known_words + doubted),
        context_appropriateness: appropriateness(analysis, around),
        risk_level: analysis.risk,
        efficiency: share(programs, programs + wording.advice.len()),
    }
}

impl DecisionFactors {
    /// The geometric mean of the four numbers, so that one that is zero is not made up for.
    pub(super) fn confidence(&self) -> f64 {
        let numbers = [
            self.command_familiarity,
            self.argument_validity,
            self.context_appropriateness,
            self.efficiency,
        ];
        numbers
            .iter()
            .product::<f64>()
            .powf(1.0 / numbers.len() as f64)
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

fn familiarity(analysis: &Analysis, around: &Circumstances<'_>) -> f64 {
    let registry = around.registry();
    let of = |program: &Program| {
        let key = habit_key(program, registry);
        let habit = around.habits.iter().find(|habit| habit.command == key);
        let (runs, successes) = habit.map_or((0, 0), |habit| (habit.runs, habit.successes));
        let successes = successes.min(runs) as f64;
        (successes + known_words(program, registry)) / (runs as f64 + 1.0)
    };
    match analysis.programs.len() {
        0 => 1.0,
        all => analysis.programs.iter().map(of).sum::<f64>() / all as f64,
    }
}

/// The share of the words of a program and its subcommand that the registry knows.
fn known_words(program: &Program, registry: &Registry) -> f64 {
    let Some(entry) = registry.lookup(&program.name) else {
        return 0.0;
    };
    if entry.subcommands.is_empty() || first_operand(program).is_none() {
        return 1.0;
    }
    let known = entry.subcommand(arguments(program)).is_some();
    share(1 + usize::from(known), 2)
}

fn arguments(program: &Program) -> &[String] {
    let argv = program.argv.as_deref();
    argv.and_then(|argv| argv.get(1..)).unwrap_or_default()
}

fn first_operand(program: &Program) -> Option<&str> {
    arguments(program)
        .iter()
        .map(String::as_str)
        .find(|arg| !arg.starts_with('-'))
}

/// What a program is counted under: its name, with its subcommand where the registry lists some.
/// One that is not listed counts by its first word, so that an alias becomes familiar too.
fn habit_key(program: &Program, registry: &Registry) -> String {
    let name = &program.name;
    let Some(entry) = registry
        .lookup(name)
        .filter(|entry| !entry.subcommands.is_empty())
    else {
        return name.clone();
    };
    let listed = entry.subcommand(arguments(program));
    let word = first_operand(program).filter(|word| is_wordy(word));
    match listed.map(|sub| sub.name.as_str()).or(word) {
        Some(sub) => format!("{name} {sub}"),
        None => name.clone(),
    }
}

/// What to look up in the caller's history to know how familiar a command is.
#[must_use]
pub fn habit_keys(analysis: &Analysis, registry: &Registry) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let of = |program| habit_key(program, registry);
    for key in analysis.programs.iter().map(of) {
        if keys.len() >= MAX_KEYS {
            break;
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn appropriateness(analysis: &Analysis, around: &Circumstances<'_>) -> f64 {
    let covered = |span: Span| {
        analysis.findings.iter().any(|finding| {
            finding.risk >= Risk::High
                && finding.span.start <= span.start
                && span.end <= finding.span.end
        })
    };
    let lacks = |effect: &Effect| {
        let target = effect.target.as_deref();
        needs_target(effect.kind) && target.is_some_and(|path| around.missing.contains(&path))
    };
    let fits = |effect: &&Effect| !covered(effect.span) && !lacks(effect);
    let fitting = analysis.effects.iter().filter(fits).count();
    share(fitting, analysis.effects.len())
}

/// Whether the effect fails when what it is done to is not there.
const fn needs_target(kind: EffectKind) -> bool {
    matches!(
        kind,
        EffectKind::Read | EffectKind::Delete | EffectKind::Metadata
    )
}

/// Paths, as written, that the command needs and that can be looked up from its directory.
///
/// Patterns and what is not known are left out, and so is what the command may make itself.
/// Behind a change of directory only absolute paths are told, and none at all when a part runs
/// elsewhere.
#[must_use]
pub fn paths_to_check(analysis: &Analysis) -> Vec<&str> {
    if analysis
        .programs
        .iter()
        .any(|program| program.via.is_some())
    {
        return Vec::new();
    }
    let moves = analysis.features.contains(&Kind::Cd)
        || analysis
            .programs
            .iter()
            .any(|program| matches!(program.name.as_str(), "cd" | "pushd" | "popd"));
    let made = |path: &str| {
        analysis.effects.iter().any(|effect| {
            effect.kind == EffectKind::Write && effect.target.as_deref() == Some(path)
        })
    };
    let mut paths: Vec<&str> = Vec::new();
    for effect in analysis
        .effects
        .iter()
        .filter(|effect| needs_target(effect.kind))
    {
        let Some(path) = effect.target.as_deref() else {
            continue;
        };
        let plain = !path.contains(['*', '?', '[', '…', '~', '$', '`']);
        let told = plain && (path.starts_with('/') || !moves) && !made(path);
        if told && !paths.contains(&path) && paths.len() < MAX_PATHS {
            paths.push(path);
        }
    }
    paths
}
