//! Why there is no answer, or no good one.

use std::error::Error as StdError;
use std::time::Duration;

use wharf_api::Problem;

/// A call that failed. A command that ran and failed is an answer, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("{url:?} is no server address: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token cannot be sent as a header.
    #[error("the token has characters that cannot be sent")]
    Token,
    /// The version cannot be sent as a condition, and without one the call would change whatever is
    /// there. Nothing was sent.
    #[error("the version {version:?} cannot be sent as a condition")]
    Version {
        /// The version.
        version: String,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] reqwest::Error),
    /// Nobody answers there. Nothing was sent.
    #[error("no server answers at {url}")]
    Connect {
        /// The address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The connection broke after the request had been sent; whether it was carried out is unknown.
    #[error("the connection to {url} broke")]
    Broken {
        /// The address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// A stream ended early and could not be taken up again.
    #[error("the stream from {url} ended before the command did")]
    Ended {
        /// The address.
        url: String,
    },
    /// The server refused, and says why.
    #[error("{}", problem.detail)]
    Refused {
        /// Its words.
        problem: Box<Problem>,
        /// When to try again, if it says so.
        retry_after: Option<Duration>,
    },
    /// The answer is not what this version of the server's protocol says.
    #[error("the answer of {url} (HTTP {status}) cannot be understood: {reason}")]
    Answer {
        /// The address.
        url: String,
        /// Its status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The server's own words, if it was the server that refused.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Whether nothing of the request reached a server.
    #[must_use]
    pub fn nothing_sent(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Version { .. })
    }
}

/// The innermost reason, which is the one that says something.
pub(crate) fn innermost(error: &dyn StdError) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}
