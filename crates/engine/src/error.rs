//! What a use case can refuse, in about ten kinds.

use std::time::Duration;

use wharf_store::audit::AuditError;

use crate::view::Decision;

/// A member of the request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The member's path.
    pub name: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// Why a request was not carried out. A command that ran and failed is a result, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is malformed.
    #[error("{}", fields.first().map_or("the request is malformed", |f| f.message.as_str()))]
    Invalid {
        /// Everything that is wrong with it.
        fields: Vec<Field>,
    },
    /// There is no such thing, or it is somebody else's.
    #[error("there is no {what} {id:?}")]
    NotFound {
        /// `session`, `command`, `process`.
        what: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// The policy refuses it.
    #[error("the policy refuses this command")]
    Denied {
        /// With its reasons.
        decision: Box<Decision>,
    },
    /// It is another server's that shares the database with this one.
    #[error("the {what} {id:?} is of another server: {server}")]
    Elsewhere {
        /// `session`, `command`.
        what: &'static str,
        /// Its id.
        id: String,
        /// The server.
        server: crate::view::ServerView,
    },
    /// It needs a yes.
    #[error("this command needs a confirmation")]
    NeedsConfirmation {
        /// With its reasons.
        decision: Box<Decision>,
        /// Send it back to say yes; valid for five minutes, once. None where the policy wants
        /// somebody else to say yes.
        token: Option<String>,
        /// The approval that a person can give.
        approval: String,
        /// When the question ends.
        until: wharf_model::Timestamp,
        /// What the command would delete, move or change, where it does and that can be counted.
        measured: Option<Box<crate::measure::Measured>>,
    },
    /// The idempotency key was used with another body.
    #[error("this idempotency key was used within 24 hours with another request")]
    IdempotencyMismatch,
    /// It cannot be done to this any more, or not by this caller.
    #[error("{0}")]
    Conflict(String),
    /// The token is not for this.
    #[error("this token is not for this: it would need the scope {needs}")]
    Scope {
        /// The scope that it would need.
        needs: &'static str,
    },
    /// Somebody has used as much as they may.
    #[error("{0}")]
    Quota(crate::quotas::Exceeded),
    /// A queue or a limit is full.
    #[error("{what} is full ({limit}); try again")]
    Busy {
        /// Which queue or limit.
        what: &'static str,
        /// Its bound.
        limit: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The record cannot be written, so nothing runs.
    #[error(
        "no space is left for the record of this run, so it was not started; free some space in the data directory and try again"
    )]
    NoSpace,
    /// The record cannot be written, so nothing runs.
    #[error("the record of this run cannot be written, so it was not started")]
    NotRecordable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The host cannot be reached.
    #[error("{why}")]
    Unreachable {
        /// The step that failed, and what to do.
        why: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(wharf_exec::files::FilesError),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// It is not built yet or not possible here.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Our own failure.
    #[error("{context}")]
    Internal {
        /// What was being done.
        context: &'static str,
        /// Why it failed; for the log, not for the answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// One wrong member.
    #[must_use]
    pub fn invalid(name: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            fields: vec![Field {
                name: name.to_owned(),
                message: message.into(),
            }],
        }
    }

    pub(crate) fn from_database(error: wharf_store::db::DbError) -> Self {
        Self::internal("asking the database", error)
    }

    pub(crate) fn from_audit(error: AuditError) -> Self {
        match error {
            AuditError::NoSpace { .. } => Self::NoSpace,
            other => Self::NotRecordable(Box::new(other)),
        }
    }

    pub(crate) fn not_found(what: &'static str, id: impl Into<String>) -> Self {
        Self::NotFound {
            what,
            id: id.into(),
        }
    }

    pub(crate) fn internal(
        context: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Internal {
            context,
            source: source.into(),
        }
    }
}
