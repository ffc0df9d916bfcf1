//! A yes that holds for longer than one run.

use serde::{Deserialize, Serialize};
use wharf_model::Timestamp;
use wharf_shell::{Risk, env_needs_approval};

use super::{Approval, Fingerprint, Refused};
use crate::answer::Answer;
use crate::header::ApprovalRules;
use crate::pattern::Pattern;
use crate::question::{Question, Who};

/// What a yes is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scope", rename_all = "snake_case")]
pub enum Scope {
    /// This run and no other.
    Once,
    /// This exact command, as often as it is asked in this session.
    Session,
    /// Commands like this, in this project.
    Pattern {
        /// As [`Pattern`] reads it.
        pattern: String,
        /// The project's root, absolute.
        project: String,
    },
}

/// A standing yes. It covers only what would otherwise be asked: a refusal stays one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The approval that it comes from.
    pub approval: String,
    /// Who said yes.
    pub by: String,
    /// The caller that it is for.
    pub caller: String,
    /// The target that it is for.
    pub target: String,
    /// Dangers that were agreed to. A command with another one is asked about.
    pub rules: Vec<String>,
    /// When it ends.
    pub until: Timestamp,
    /// Taken back.
    pub revoked: bool,
    /// What it is for.
    pub what: Granted,
}

/// What a standing yes is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub enum Granted {
    /// An exact command in a session.
    Session {
        /// The session.
        session: String,
        /// The exact text, as a hash.
        text: Fingerprint,
        /// The directory that it starts in.
        cwd: String,
    },
    /// Commands like this in a project.
    Pattern {
        /// As [`Pattern`] reads it.
        pattern: String,
        /// The project's root.
        project: String,
    },
}

impl Grant {
    pub(super) fn new(
        approval: &Approval,
        by: &Who<'_>,
        scope: Scope,
        now: Timestamp,
        policy: &ApprovalRules,
    ) -> Result<Option<Self>, Refused> {
        let what = match scope {
            Scope::Once => return Ok(None),
            Scope::Session => Granted::Session {
                session: approval.session.clone().ok_or(Refused::NoGrant(
                    "there is no session that this yes could hold for",
                ))?,
                text: approval.text,
                cwd: approval.cwd.clone(),
            },
            Scope::Pattern { pattern, project } => {
                if Pattern::parse(&pattern).is_err() {
                    return Err(Refused::NoGrant("this is no pattern"));
                }
                if !project.starts_with('/') || project.trim_end_matches('/').is_empty() {
                    return Err(Refused::NoGrant(
                        "a project is an absolute path below the root",
                    ));
                }
                Granted::Pattern { pattern, project }
            }
        };
        Ok(Some(Self {
            approval: approval.id.clone(),
            by: by.user.to_owned(),
            caller: approval.caller.clone(),
            target: approval.target.clone(),
            rules: approval.rules.clone(),
            until: now.plus_seconds(policy.grant_seconds),
            revoked: false,
            what,
        }))
    }

    /// The grant, taken back.
    #[must_use]
    pub fn revoke(self) -> Self {
        Self {
            revoked: true,
            ..self
        }
    }

    /// Whether the question that `answer` wants asked has been answered by this grant.
    ///
    /// `caller` is the name in the record and `command` the exact text. With input on its standard
    /// input (`stdin`), or a variable that runs code, a command is another one than the one that
    /// was agreed to.
    #[must_use]
    pub fn covers(
        &self,
        question: &Question<'_>,
        answer: &Answer,
        caller: &str,
        command: &str,
        stdin: bool,
        now: Timestamp,
    ) -> bool {
        let analysis = question.analysis;
        let agreed = |rule: &String| self.rules.contains(rule);
        let plain = !stdin
            && !question.background
            && question
                .env
                .iter()
                .all(|name| env_needs_approval(name).is_none());
        !self.revoked
            && now < self.until
            && answer.verdict == wharf_shell::Verdict::Confirm
            && analysis.risk < Risk::Critical
            && plain
            && caller == self.caller
            && question.target == self.target
            && answer.reasons.iter().map(|reason| &reason.rule).all(agreed)
            && self.what.covers(question, command)
    }
}

impl Granted {
    fn covers(&self, question: &Question<'_>, command: &str) -> bool {
        match self {
            Self::Session { session, text, cwd } => {
                question.session == Some(session)
                    && Fingerprint::of_text(command) == *text
                    && question.cwd == Some(cwd)
            }
            Self::Pattern { pattern, project } => {
                let inside = question.cwd.is_some_and(|cwd| is_inside(cwd, project));
                inside
                    && Pattern::parse(pattern)
                        .is_ok_and(|pattern| pattern.matches(question.analysis, project))
            }
        }
    }
}

/// Whether a directory is the project's root or below it.
pub(super) fn is_inside(cwd: &str, project: &str) -> bool {
    let project = project.trim_end_matches('/');
    let Some(rest) = cwd.strip_prefix(project) else {
        return false;
    };
    !project.is_empty()
        && (rest.is_empty() || rest.starts_with('/'))
        && !cwd.split('/').any(|part| part == "..")
}
