//! What can go wrong, by what it means to whoever asked.

use wharf_store::audit::AuditError;
use wharf_store::db::DbError;

use crate::billing::{GateError, Refusal};

/// An error. Its text is for whoever asked: it says nothing of others and holds no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The organization is none of the caller's.
    #[error("the token is not for this organization")]
    Organization,
    /// Something in the request is not as it has to be.
    #[error("{field} {message}")]
    Invalid {
        /// Its name.
        field: &'static str,
        /// What it has to be: `must have …`.
        message: String,
    },
    /// A session is being made under this key.
    #[error("the request with this Idempotency-Key is being answered; ask again for its answer")]
    InFlight,
    /// Another request had this key.
    #[error("this Idempotency-Key belongs to another request; a new request needs a new key")]
    OtherRequest,
    /// There is no credit for it.
    #[error("{0}")]
    Billing(Refusal),
    /// There is no such thing, or not for whoever asked.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It is there, and what was asked is not for this caller to ask.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The session has ended.
    #[error("the session has ended: {reason}")]
    Ended {
        /// Why.
        reason: String,
    },
    /// A person holds its machine still.
    #[error("{reason}; `wharf session resume {session}` lets it go on")]
    Held {
        /// Who.
        reason: String,
        /// The session.
        session: String,
    },
    /// Something stands in the way.
    #[error("{0}")]
    Conflict(&'static str),
    /// The provider of the machine cannot do it.
    #[error("the provider of this sandbox cannot {0}")]
    Unsupported(&'static str),
    /// There is nobody who could make a machine.
    #[error("no sandbox can be made here: {reason}")]
    NoProvider {
        /// Why, and what to do.
        reason: String,
    },
    /// The machine could not be made or brought up.
    #[error("the sandbox could not be started: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
    /// A bound of ours is reached.
    #[error("there are too many {what}; at most {most}")]
    Full {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: u32,
    },
    /// As many sessions of the account wait for somebody to need them as may.
    #[error(
        "your account has {0} sandbox sessions that nobody has connected to, which is the most it may \
         have; connect to one of them, or end one"
    )]
    Waiting(u32),
    /// As many sessions live here as may.
    #[error("this server has {0} sandbox sessions, which is the most it may have; end one first")]
    Crowded(u32),
    /// It is another server's.
    #[error("the session is another server's, {server}")]
    Elsewhere {
        /// Which one.
        server: String,
    },
    /// It could not be recorded, so it was not done.
    #[error("cannot record what is to be done, so it is not done")]
    Record(#[from] AuditError),
    /// The database did not do its part.
    #[error("the database does not answer")]
    Database(#[from] DbError),
    /// Somebody else was asked who did not answer.
    #[error("{who} does not answer: {reason}")]
    Outside {
        /// Who.
        who: &'static str,
        /// Why.
        reason: String,
    },
    /// The server ends.
    #[error("the server is stopping")]
    Closing,
}

impl Error {
    pub(crate) fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Invalid { field, message }
    }
}

impl From<GateError> for Error {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Refused(refusal) => Self::Billing(refusal),
            GateError::Database(error) => Self::Database(error),
            GateError::Outside(reason) => Self::Outside {
                who: "who keeps the credit",
                reason,
            },
        }
    }
}
