//! What a command can end with other than success: one value that becomes message, hint and exit
//! code.

use std::error::Error as StdError;

use wharf_api::{ApprovalRef, Problem};
use wharf_client::Error as ClientError;

/// The kinds, each with its exit code. They are documented and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It did not work.
    Failed,
    /// It was asked for wrongly.
    Usage,
    /// It needs a login or a token.
    Login,
    /// There is no such thing.
    NotFound,
    /// It does not go together with what is there.
    Conflict,
    /// The policy refuses it.
    Blocked,
    /// It needs a yes that was not given.
    Approval,
    /// It may work later.
    TryLater,
    /// Ctrl-C.
    Interrupted,
    /// Somebody ended us: SIGTERM.
    Terminated,
    /// The terminal is gone: SIGHUP.
    HungUp,
}

impl Kind {
    /// The exit code.
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Login => 4,
            Self::NotFound => 5,
            Self::Conflict => 6,
            Self::Blocked => 7,
            Self::Approval => 8,
            Self::TryLater => 9,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Login => "login_required",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Blocked => "blocked",
            Self::Approval => "approval_required",
            Self::TryLater => "try_later",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::HungUp => "hung_up",
        }
    }

    /// Whether somebody wanted the end, who needs no words about it and no other code.
    pub(crate) const fn is_wanted(self) -> bool {
        matches!(self, Self::Interrupted | Self::Terminated | Self::HungUp)
    }
}

/// Why a command ended.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) kind: Kind,
    /// The short name of the kind, the same as in the API where it comes from there.
    pub(crate) code: String,
    pub(crate) message: String,
    /// What stands behind it, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) hints: Vec<String>,
    /// The decision behind a refusal, for programs.
    pub(crate) decision: Option<Box<serde_json::Value>>,
    /// The approval that it waits for, for programs.
    pub(crate) approval: Option<Box<ApprovalRef>>,
}

impl CommandError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        let (code, message) = (kind.code().to_owned(), message.into());
        Self {
            kind,
            code,
            message,
            causes: Vec::new(),
            hints: Vec::new(),
            decision: None,
            approval: None,
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// With what stands behind it.
    pub(crate) fn because(mut self, error: impl StdError) -> Self {
        let mut next: Option<&dyn StdError> = Some(&error);
        while let Some(error) = next {
            let text = error.to_string();
            // Many libraries repeat the inner message in the outer one.
            if !self
                .causes
                .last()
                .is_some_and(|outer| outer.contains(&text))
            {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// With advice.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// For programs.
    pub(crate) fn to_json(&self, exit_code: u8) -> serde_json::Value {
        let mut error = serde_json::json!({
            "code": self.code,
            "message": self.message,
            "causes": self.causes,
            "hints": self.hints,
            "exit_code": exit_code,
        });
        if let (Some(members), Some(decision)) = (error.as_object_mut(), &self.decision) {
            members.insert("decision".to_owned(), (**decision).clone());
        }
        if let (Some(members), Some(approval)) = (error.as_object_mut(), &self.approval) {
            members.insert("approval".to_owned(), serde_json::json!(approval));
        }
        serde_json::json!({ "error": error })
    }

    /// An error whose causes are the sources of `error` itself.
    fn wrapping(kind: Kind, error: &dyn StdError) -> Self {
        let wrapped = Self::new(kind, error.to_string());
        match error.source() {
            Some(source) => wrapped.because(source),
            None => wrapped,
        }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused {
                problem,
                retry_after,
            } => {
                let refused = Self::refused(problem);
                match retry_after {
                    Some(after) => refused.hint(format!("try again in {} s", after.as_secs())),
                    None => refused,
                }
            }
            ClientError::Address { .. } => {
                Self::wrapping(Kind::Usage, &error).hint("see wharf config get api_url --origin")
            }
            ClientError::Connect { .. } => Self::wrapping(Kind::Failed, &error)
                .hint("is it running? wharf serve starts one, wharf doctor looks closer"),
            _ => Self::wrapping(Kind::Failed, &error),
        }
    }
}

impl CommandError {
    /// The server's words, with our exit code.
    pub(crate) fn refused(problem: &Problem) -> Self {
        let kind = match problem.status {
            401 => Kind::Login,
            403 => Kind::Blocked,
            404 => Kind::NotFound,
            409 => Kind::Conflict,
            422 => Kind::Usage,
            428 => Kind::Approval,
            429 | 503 => Kind::TryLater,
            _ => Kind::Failed,
        };
        let detail = if problem.detail.is_empty() {
            &problem.title
        } else {
            &problem.detail
        };
        let mut error = Self::new(kind, detail.clone());
        if !problem.code.is_empty() {
            error.code.clone_from(&problem.code);
        }
        error.decision = problem.decision.clone().map(Box::new);
        error.approval = problem.approval.clone().map(Box::new);
        for field in problem.errors.iter().flatten() {
            let cause = format!("{}: {}", field.field, field.message);
            // Of one alone, the message is it.
            if cause != error.message {
                error.causes.push(cause);
            }
        }
        match kind {
            Kind::Login => error.hint(
                "the token of a server on this machine is found by itself; for another one: wharf \
                 auth login",
            ),
            Kind::Failed if !problem.correlation_id.is_empty() => {
                let id = &problem.correlation_id;
                error.hint(format!("the server's log has more under {id}"))
            }
            _ => error,
        }
    }
}

impl From<wharf_localstate::Error> for CommandError {
    fn from(error: wharf_localstate::Error) -> Self {
        Self::wrapping(Kind::Failed, &error)
    }
}

impl From<crate::config::ConfigError> for CommandError {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::wrapping(Kind::Usage, &error).hint("wharf config list --origin shows every source")
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        Self::failed("cannot write to standard output").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_exit_code() {
        for (status, code) in [
            (401, 4),
            (403, 7),
            (404, 5),
            (409, 6),
            (422, 2),
            (428, 8),
            (429, 9),
            (503, 9),
            (500, 1),
        ] {
            let problem = Problem {
                status,
                detail: "x".into(),
                ..Problem::default()
            };
            assert_eq!(
                CommandError::refused(&problem).kind.exit_code(),
                code,
                "{status}"
            );
        }
    }

    #[test]
    fn a_cause_is_not_said_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] std::io::Error);
        let error = CommandError::failed("x").because(Outer(std::io::Error::other("inner")));
        assert_eq!(error.causes, ["outer: inner"]);
    }
}
