//! Why a provider did not do what it was asked.

use std::time::Duration;

use crate::launcher::plan::Step;
use crate::provider::Capability;

/// Named for what failed. The message says it in words for a person; the source is kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such sandbox.
    #[error("there is no such sandbox")]
    NotFound,
    /// There is no such snapshot.
    #[error("there is no such snapshot")]
    NoSnapshot,
    /// It was asked for something that this provider cannot do.
    #[error("{provider} cannot {what}{hint}")]
    Unsupported {
        /// Which provider.
        provider: &'static str,
        /// What it cannot do.
        what: Capability,
        /// Why, and what to do about it; empty or starting with a colon.
        hint: String,
    },
    /// What was asked for is not possible anywhere.
    #[error("{0}")]
    Invalid(String),
    /// There are as many sandboxes as this provider makes.
    #[error("there are {0} sandboxes already; end one first")]
    Full(usize),
    /// Making it failed. What was made before that is gone again.
    #[error("the sandbox could not be started ({}): {what}", .step.doing())]
    Start {
        /// What was being done.
        step: Step,
        /// What failed, in words.
        what: String,
    },
    /// The process that makes sandboxes could not be started or did not answer as it should.
    #[error("the launcher of sandboxes failed: {0}")]
    Launcher(String),
    /// It took too long.
    #[error("{what} took longer than {} s", .limit.as_secs())]
    Late {
        /// What took so long.
        what: &'static str,
        /// How long it may take.
        limit: Duration,
    },
    /// The sandbox is not running.
    #[error("the sandbox is not running; connecting starts it again")]
    NotRunning,
    /// Nobody listens at that port inside.
    #[error("nothing listens at port {0} in the sandbox")]
    Refused(u16),
    /// A file of the provider's could not be read or written.
    #[error("{what} of the sandbox: {source}")]
    Files {
        /// Which one.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The system refused something else.
    #[error("{what}: {source}")]
    System {
        /// What was asked of it.
        what: &'static str,
        /// Its answer.
        source: std::io::Error,
    },
    /// The host could not be reached, or did not do as it was asked.
    #[error("{0}")]
    Host(String),
}

impl Error {
    /// Whether the same request may work a moment later, with nothing changed.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Late { .. } | Self::Full(_) | Self::Host(_))
    }
}
