//! What is answered: a verdict, and why.

use serde::Serialize;
use wharf_shell::{Span, Verdict};

/// Reasons that are kept for one answer.
pub const MAX_REASONS: usize = 100;

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether it may run.
    pub verdict: Verdict,
    /// Ids of the policies that asked or refused; empty when it may run.
    pub policies: Vec<String>,
    /// Why it may not run unasked, with the parts of the command.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The policy that it comes from.
    pub policy: String,
    /// What matched: a rule of the analysis, or the policy itself.
    pub rule: String,
    /// The part of the command, or an empty span where it is about the whole.
    pub span: Span,
    /// Why it matters.
    pub message: String,
    /// What to do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alternative: Option<String>,
}

impl From<Reason> for wharf_shell::Reason {
    fn from(reason: Reason) -> Self {
        Self {
            rule: reason.rule,
            span: reason.span,
            message: reason.message,
        }
    }
}
