//! Collects what the walk finds, within bounds.

use crate::analysis::{
    Effect, EffectKind, Finding, Kind, Program, Reach, Risk, Span, TimeoutClass,
    UNKNOWN_WITH_PRIVILEGE,
};
use crate::rules::{self, Rule};
use crate::walk::arg::Value;

/// Findings that are kept. Later ones still raise the risk.
pub const MAX_FINDINGS: usize = 100;
/// Effects, reads and writes that are kept, each.
pub const MAX_EFFECTS: usize = 1_000;

#[derive(Default)]
pub(crate) struct Found {
    pub(crate) programs: Vec<Listed>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) reads: Vec<String>,
    pub(crate) writes: Vec<String>,
    pub(crate) risk: Risk,
    shapes: u16,
    pub(crate) privileged: bool,
    /// What is walked runs with another user's rights.
    pub(crate) elevated: bool,
    pub(crate) shell: ShellFlags,
    pub(crate) timeout: TimeoutClass,
    pub(crate) interactive: bool,
    /// Something read from the network stands as a file name in an argument.
    pub(crate) network_process: bool,
    /// What is redirected writes nothing, and reads for nobody.
    pub(crate) probes: bool,
    /// Names that the text itself gave to other repositories.
    pub(crate) remotes: Vec<String>,
    /// Credentials were read, so that sending anything may send them.
    pub(crate) credentials_read: bool,
}

/// A program with its place in the order of the text.
pub(crate) struct Listed {
    /// Where its name stands; for a name that is computed, where what computes it ends.
    pub(crate) at: usize,
    /// Where it stands in computed texts, from the outermost to its own, for those of one place.
    pub(crate) within: Vec<usize>,
    pub(crate) program: Program,
}

pub(crate) struct ShellFlags {
    pub(crate) mutates_state: bool,
    pub(crate) inspects_shell: bool,
    pub(crate) backgrounds: bool,
    pub(crate) pure: bool,
    pub(crate) redirects_shell: bool,
}

impl Default for ShellFlags {
    fn default() -> Self {
        Self {
            mutates_state: false,
            inspects_shell: false,
            backgrounds: false,
            pure: true,
            redirects_shell: false,
        }
    }
}

impl Found {
    /// Reports the rule of this name.
    pub(crate) fn note(&mut self, rule: &str, span: Span) {
        match rules::named(rule) {
            Some(rule) => self.report(rule, span),
            None => self.risk = self.risk.max(Risk::Unknown),
        }
    }

    /// Reports a rule.
    pub(crate) fn report(&mut self, rule: &Rule, span: Span) {
        if rule.risk == Risk::Unknown && self.elevated && rule.name != UNKNOWN_WITH_PRIVILEGE {
            self.note(UNKNOWN_WITH_PRIVILEGE, span);
        }
        self.risk = self.risk.max(rule.risk);
        if let Some(kind) = rule.effect {
            self.effect(kind, None, span);
        }
        let seen = |finding: &Finding| finding.span == span && finding.rule == rule.name;
        let full = self.findings.len() >= MAX_FINDINGS && rule.name != UNKNOWN_WITH_PRIVILEGE;
        if full || self.findings.iter().any(seen) {
            return;
        }
        self.findings.push(Finding {
            rule: rule.name.clone(),
            span,
            message: rule.reason.clone(),
            alternative: rule.alternative.clone(),
            risk: rule.risk,
        });
    }

    pub(crate) fn raise(&mut self, risk: Risk) {
        self.risk = self.risk.max(risk);
    }

    pub(crate) fn effect(&mut self, kind: EffectKind, target: Option<&str>, span: Span) {
        self.effect_at(kind, target, span, None);
    }

    /// The same for a path, with where it leads.
    pub(crate) fn effect_at(
        &mut self,
        kind: EffectKind,
        target: Option<&str>,
        span: Span,
        reach: Option<Reach>,
    ) {
        let seen = |effect: &Effect| {
            effect.kind == kind && effect.span == span && effect.target.as_deref() == target
        };
        if self.effects.len() < MAX_EFFECTS && !self.effects.iter().rev().take(16).any(seen) {
            self.effects.push(Effect {
                kind,
                target: target.map(readable),
                span,
                reach,
            });
        }
    }

    pub(crate) fn reads(&mut self, path: &str) {
        push_path(&mut self.reads, path);
    }

    pub(crate) fn writes(&mut self, path: &str) {
        push_path(&mut self.writes, path);
    }

    pub(crate) fn shape(&mut self, kind: Kind) {
        self.shapes |= 1 << kind as u16;
    }

    /// The shapes that were seen, in order of precedence.
    pub(crate) fn features(&self) -> Vec<Kind> {
        const ALL: [Kind; 11] = [
            Kind::Invalid,
            Kind::Compound,
            Kind::Heredoc,
            Kind::Background,
            Kind::Chain,
            Kind::Pipeline,
            Kind::Redirect,
            Kind::Cd,
            Kind::Sudo,
            Kind::PackageManager,
            Kind::Docker,
        ];
        let mut features: Vec<Kind> = ALL
            .into_iter()
            .filter(|kind| self.shapes & (1 << *kind as u16) != 0)
            .collect();
        if features.is_empty() {
            features.push(Kind::Simple);
        }
        features
    }

    /// A variable is set that decides which code runs.
    pub(crate) fn variable(&mut self, name: &str, value: &Value, span: Span, lasting: bool) {
        if matches!(
            name,
            "PATH" | "HISTFILE" | "HISTSIZE" | "HISTFILESIZE" | "HISTCONTROL" | "HISTIGNORE"
        ) {
            let empty = value.fields.iter().all(|(text, _)| {
                matches!(text.as_str(), "" | "0" | "/dev/null")
                    || (name == "HISTIGNORE" && text.split(':').any(|part| part == "*"))
            });
            if name == "PATH" && value.fields.iter().any(|(text, _)| shadows(text)) {
                self.note("path-shadow", span);
            }
            if name != "PATH" && empty && lasting {
                self.note("history-off", span);
            }
            return;
        }
        let nothing = |(text, _): &(String, _)| text.is_empty();
        if loads_code(name) && !value.fields.iter().all(nothing) {
            self.note("code-loading-variable", span);
        }
    }
}

/// Whether a search path begins where anybody may put a program.
fn shadows(path: &str) -> bool {
    let first = path.split(':').next().unwrap_or_default();
    path.contains(':')
        && (first.is_empty()
            || first == "."
            || first == "./"
            || first.starts_with("/tmp")
            || first.starts_with("/dev/shm")
            || first.starts_with("/var/tmp"))
}

/// Variables that make other programs load code. Those that name a program or a directory are
/// judged by what they name (`walk/variables.rs`).
fn loads_code(name: &str) -> bool {
    matches!(
        name,
        "LD_PRELOAD"
            | "LD_AUDIT"
            | "BASH_ENV"
            | "ENV"
            | "PROMPT_COMMAND"
            | "SHELLOPTS"
            | "BASHOPTS"
            | "PS0"
            | "BASH_ALIASES"
            | "BASH_CMDS"
            | "PERL5OPT"
            | "RUBYOPT"
            | "PYTHONSTARTUP"
            | "PYTHONINSPECT"
            | "DYLD_INSERT_LIBRARIES"
            | "PERL5DB"
    ) || name.starts_with("BASH_FUNC_")
}

/// A path as written, with `…` for what is not known.
fn readable(text: &str) -> String {
    text.replace('\0', "…")
}

fn push_path(paths: &mut Vec<String>, path: &str) {
    if paths.len() < MAX_EFFECTS && paths.last().is_none_or(|last| last != path) {
        paths.push(readable(path));
    }
}
