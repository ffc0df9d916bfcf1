//! What one set of policies says to one action, and how opinions become an answer.

use wharf_shell::{Span, Verdict};

use crate::answer::{Answer, MAX_REASONS, Reason};
use crate::attribute::Attribute;
use crate::facts::{Facts, Item};

/// The two actions. `run` asks whether it may run at all, once a person says yes; `run_unasked`
/// whether it may run without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Run,
    RunUnasked,
}

impl Action {
    pub(crate) const BOTH: [Self; 2] = [Self::Run, Self::RunUnasked];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::RunUnasked => "run_unasked",
        }
    }
}

/// What a set of policies says. As in Cedar, one `forbid` outweighs every `permit`, so opinions of
/// sets can be put together in any order.
#[derive(Default)]
pub(crate) struct Opinion<'p> {
    pub(crate) permits: bool,
    pub(crate) forbids: Vec<&'p Grounds>,
    /// A policy could not be evaluated. What it would have forbidden is not known.
    pub(crate) failed: Option<String>,
}

/// What is needed to explain a policy that forbids.
#[derive(Clone, Debug)]
pub(crate) struct Grounds {
    pub(crate) id: String,
    pub(crate) reason: Option<String>,
    pub(crate) alternative: Option<String>,
    pub(crate) mentions: Vec<Mention>,
    /// Place in the order of reasons: built-in ones first, then as in the files.
    pub(crate) order: usize,
}

/// An attribute that a policy looks at, and what it compares it with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) attribute: Attribute,
    /// Empty: whether it is true.
    pub(crate) names: Vec<String>,
    /// It must not be so.
    pub(crate) inverted: bool,
}

impl<'p> Opinion<'p> {
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.permits |= other.permits;
        self.forbids.extend(other.forbids);
        self.failed = self.failed.or(other.failed);
        self
    }

    fn is_yes(&self) -> bool {
        self.permits && self.forbids.is_empty() && self.failed.is_none()
    }
}

/// Asks for both actions and makes the answer.
pub(crate) fn answer<'p>(facts: &Facts<'_>, opinion: impl Fn(Action) -> Opinion<'p>) -> Answer {
    let run = opinion(Action::Run);
    let (verdict, opinion) = if run.is_yes() {
        let unasked = opinion(Action::RunUnasked);
        if unasked.is_yes() {
            return Answer {
                verdict: Verdict::Allow,
                policies: Vec::new(),
                reasons: Vec::new(),
            };
        }
        (Verdict::Confirm, unasked)
    } else {
        (Verdict::Deny, run)
    };
    let verdict = if facts.question.allow_dangerous {
        verdict.min(Verdict::Confirm)
    } else {
        verdict
    };
    explain(facts, verdict, opinion)
}

fn explain(facts: &Facts<'_>, verdict: Verdict, opinion: Opinion<'_>) -> Answer {
    let mut forbids = opinion.forbids;
    forbids.sort_by_key(|grounds| grounds.order);
    forbids.dedup_by_key(|grounds| grounds.order);
    let mut answer = Answer {
        verdict,
        policies: forbids.iter().map(|grounds| grounds.id.clone()).collect(),
        reasons: Vec::new(),
    };
    for grounds in forbids {
        for reason in grounds.reasons(facts) {
            if answer.reasons.len() < MAX_REASONS && !answer.reasons.contains(&reason) {
                answer.reasons.push(reason);
            }
        }
    }
    if let Some(error) = opinion.failed {
        answer.push_own(
            POLICY_ERROR,
            format!("a policy could not be evaluated: {error}"),
        );
    } else if !opinion.permits && answer.policies.is_empty() {
        let message = "no policy permits this to the caller's roles".to_owned();
        answer.push_own(NOT_PERMITTED, message);
    }
    answer
}

/// The rule under which a policy that fails is reported. Nothing runs until it is mended.
pub(crate) const POLICY_ERROR: &str = "policy-error";
/// The rule under which it is reported that nothing permits a command.
pub(crate) const NOT_PERMITTED: &str = "not-permitted";

impl Answer {
    fn push_own(&mut self, rule: &str, message: String) {
        self.policies.push(rule.to_owned());
        self.reasons.push(Reason {
            policy: rule.to_owned(),
            rule: rule.to_owned(),
            span: Span::default(),
            message,
            alternative: None,
        });
    }
}

impl Grounds {
    /// One reason for each part of the command that the policy looked at and found.
    fn reasons(&self, facts: &Facts<'_>) -> Vec<Reason> {
        let mut reasons: Vec<Reason> = Vec::new();
        for mention in &self.mentions {
            for item in facts.items(mention.attribute) {
                if !mention.holds(&item) {
                    continue;
                }
                let reason = self.reason_for(&item);
                let known = |known: &Reason| known.span == reason.span && known.rule == reason.rule;
                if reasons.len() < MAX_REASONS && !reasons.iter().any(known) {
                    reasons.push(reason);
                }
            }
        }
        if reasons.is_empty() {
            reasons.push(self.reason(Span::default()));
        }
        reasons
    }

    fn reason_for(&self, item: &Item<'_>) -> Reason {
        let mut reason = self.reason(item.span);
        if let Some(said) = &item.said {
            reason.rule = said.rule.to_owned();
            if self.reason.is_none() || self.order < crate::builtin::IDS.len() {
                reason.message = said.message.to_string();
            }
            if reason.alternative.is_none() {
                reason.alternative = said.alternative.map(str::to_owned);
            }
        }
        reason
    }

    fn reason(&self, span: Span) -> Reason {
        let otherwise = || format!("the policy `{}` does not let this run unasked", self.id);
        Reason {
            policy: self.id.clone(),
            rule: self.id.clone(),
            span,
            message: self.reason.clone().unwrap_or_else(otherwise),
            alternative: self.alternative.clone(),
        }
    }
}

impl Mention {
    /// Whether the item is among what the policy looked for.
    fn holds(&self, item: &Item<'_>) -> bool {
        if self.names.is_empty() {
            return true;
        }
        self.names.iter().any(|name| *name == item.name) != self.inverted
    }
}
