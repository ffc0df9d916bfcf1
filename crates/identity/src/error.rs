//! What can go wrong, by what it means to whoever asked.

use std::time::Duration;

use wharf_store::audit::AuditError;
use wharf_store::db::DbError;

/// An error. Its text is for whoever asked: it says nothing of others and holds no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something in the request is not as it has to be.
    #[error("{}", first_of(fields))]
    Invalid {
        /// What, each with what it has to be.
        fields: Vec<Field>,
    },
    /// Address and password do not go together; or there is no such account. Nobody is told which.
    #[error("Incorrect email or password")]
    WrongCredentials,
    /// The token that was shown is not good, or not any more.
    #[error("the token is not valid: {reason}")]
    Unauthenticated {
        /// Why.
        reason: &'static str,
    },
    /// A one-time code is not good: unknown, used or too old. Nobody is told which.
    #[error("the code is not valid: it is unknown, was used, or is too old")]
    WrongCode,
    /// Not without a greater role or scope.
    #[error("{needs} is needed for this")]
    Forbidden {
        /// What would be needed.
        needs: &'static str,
        /// The scope that is missing, where it is one.
        scope: Option<&'static str>,
    },
    /// Accounts are made by invitation.
    #[error("registration is closed; ask an administrator for an invitation")]
    Closed,
    /// There is no such thing, or not for whoever asked.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It is there already, or something stands in the way.
    #[error("{0}")]
    Conflict(&'static str),
    /// A bound of ours is reached.
    #[error("there are too many {what}; at most {most}")]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: u32,
    },
    /// Too many tries; nothing was looked at.
    #[error("too many attempts; try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// When the next try is heard.
        retry_after: Duration,
    },
    /// It could not be recorded, so it was not done.
    #[error("cannot record what is to be done, so it is not done")]
    Record(#[from] AuditError),
    /// The database did not do its part.
    #[error("the database does not answer")]
    Database(#[from] DbError),
    /// Something here failed that should not.
    #[error("cannot {step}")]
    Internal {
        /// The step.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: Option<std::io::Error>,
    },
}

/// Why a token is [not good](Error::Unauthenticated) whose time is up: whoever showed it gets
/// another one.
pub const EXPIRED: &str = "it has expired";

/// A member of a request, and what it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it has to be: `must have …`.
    pub message: String,
}

fn first_of(fields: &[Field]) -> String {
    match fields.first() {
        Some(field) => format!("{} {}", field.name, field.message),
        None => "the request is not valid".to_owned(),
    }
}

impl Error {
    pub(crate) fn invalid(name: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Invalid {
            fields: vec![Field { name, message }],
        }
    }

    pub(crate) const fn unauthenticated(reason: &'static str) -> Self {
        Self::Unauthenticated { reason }
    }

    pub(crate) const fn needs_role(needs: &'static str) -> Self {
        Self::Forbidden { needs, scope: None }
    }

    pub(crate) const fn needs_scope(scope: &'static str) -> Self {
        Self::Forbidden {
            needs: "a token with more scope",
            scope: Some(scope),
        }
    }

    pub(crate) const fn internal(step: &'static str) -> Self {
        Self::Internal { step, source: None }
    }
}
