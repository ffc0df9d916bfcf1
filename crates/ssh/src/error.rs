//! What can go wrong on the way to a command, by the step at which it did.
//!
//! The texts are for people. No secret is in any of them: a password, a passphrase or a key is
//! never given to this module.

use std::path::PathBuf;
use std::time::Duration;

/// The steps from a name to a running command, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Reading the configuration.
    Config,
    /// Finding the address of a name.
    Resolve,
    /// Reaching the address, or starting the proxy.
    Connect,
    /// Waiting for the first line that a server sends.
    Banner,
    /// Agreeing on keys.
    KeyExchange,
    /// Checking who the server is.
    HostKey,
    /// Showing who we are.
    Authentication,
    /// Opening a channel and handing over the command.
    Channel,
    /// Afterwards.
    Established,
}

impl Step {
    /// The failure in a word, for programs.
    #[must_use]
    pub const fn failure(self) -> &'static str {
        match self {
            Self::HostKey => "host_key",
            Self::Authentication => "authentication_failed",
            _ => "connection_failed",
        }
    }

    /// The step as a phrase that follows "while".
    #[must_use]
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Config => "reading the configuration",
            Self::Resolve => "looking up the name",
            Self::Connect => "connecting",
            Self::Banner => "waiting for the server's first line",
            Self::KeyExchange => "exchanging keys",
            Self::HostKey => "checking the host key",
            Self::Authentication => "authenticating",
            Self::Channel => "opening a channel",
            Self::Established => "waiting for an answer",
        }
    }
}

/// Why a connection or a channel did not come about, or went.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be read or means nothing.
    #[error("{}{}: {what}", file.display(), line.map(|n| format!(":{n}")).unwrap_or_default())]
    Config {
        /// The file.
        file: PathBuf,
        /// Its line, from 1.
        line: Option<usize>,
        /// What is wrong, and with what.
        what: String,
    },
    /// The name has no address.
    #[error("{host}: the name cannot be resolved: {what}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system says.
        what: String,
    },
    /// Nobody answers there.
    #[error("{host}: cannot connect to {address}: {what}")]
    Connect {
        /// What was asked for.
        host: String,
        /// Where it led.
        address: String,
        /// What the system says.
        what: String,
    },
    /// What answers is no SSH server, or went before it said so.
    #[error("{host}: no SSH server answers: {what}")]
    Banner {
        /// What was asked for.
        host: String,
        /// What came instead.
        what: String,
    },
    /// No common way to exchange keys, or it broke off.
    #[error("{host}: the key exchange failed: {what}")]
    KeyExchange {
        /// What was asked for.
        host: String,
        /// What went wrong.
        what: String,
    },
    /// The server's key is not one to be trusted. Nothing of ours was sent.
    #[error("{host}: {refusal}")]
    HostKey {
        /// What was asked for.
        host: String,
        /// Why.
        refusal: Box<crate::HostKeyRefusal>,
    },
    /// The server did not let us in.
    #[error("{host}: {refusal}")]
    Authentication {
        /// What was asked for.
        host: String,
        /// What was tried.
        refusal: Box<crate::AuthRefusal>,
    },
    /// The server does not open a channel or does not take the command.
    #[error("{host}: {what}")]
    Channel {
        /// What was asked for.
        host: String,
        /// What it said.
        what: String,
    },
    /// The connection is gone. What ran on it may have ended or go on.
    #[error("{host}: connection lost: {what}")]
    Lost {
        /// What was asked for.
        host: String,
        /// How.
        what: String,
    },
    /// A step took longer than it may.
    #[error("{host}: gave up after {} while {}", seconds(*within), step.doing())]
    TooSlow {
        /// What was asked for.
        host: String,
        /// The step.
        step: Step,
        /// How long it may take.
        within: Duration,
    },
    /// We hold as many connections or channels as we may.
    #[error("{host}: {what}")]
    Full {
        /// What was asked for.
        host: String,
        /// Which bound, and what to do.
        what: String,
    },
    /// The connections are being closed.
    #[error("{host}: the connection was closed on request")]
    Closed {
        /// What was asked for.
        host: String,
    },
}

impl Error {
    /// The step at which it happened.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Config { .. } => Step::Config,
            Self::Resolve { .. } => Step::Resolve,
            Self::Connect { .. } => Step::Connect,
            Self::Banner { .. } => Step::Banner,
            Self::KeyExchange { .. } => Step::KeyExchange,
            Self::HostKey { .. } => Step::HostKey,
            Self::Authentication { .. } => Step::Authentication,
            Self::Channel { .. } | Self::Full { .. } => Step::Channel,
            Self::Lost { .. } | Self::Closed { .. } => Step::Established,
            Self::TooSlow { step, .. } => *step,
        }
    }

    /// Another try may go better without anything being changed: the network or the server's load
    /// is the reason.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Banner { .. }
            | Self::Lost { .. }
            | Self::TooSlow { .. }
            | Self::Full { .. } => true,
            Self::Config { .. }
            | Self::KeyExchange { .. }
            | Self::HostKey { .. }
            | Self::Authentication { .. }
            | Self::Channel { .. }
            | Self::Closed { .. } => false,
        }
    }
}

/// A span of time for people: whole seconds, or milliseconds below two of them.
pub(crate) fn seconds(span: Duration) -> String {
    if span.as_millis().is_multiple_of(1000) {
        format!("{} s", span.as_secs())
    } else {
        format!("{} ms", span.as_millis())
    }
}
