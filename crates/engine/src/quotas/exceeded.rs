//! What is said when somebody has used as much as they may.

use std::fmt;
use std::time::Duration;

use wharf_model::Timestamp;

/// When to ask again where it is not known when a place will be free.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The same for sessions, which live longer.
pub(super) const ASK_AGAIN_FOR_A_SESSION: Duration = Duration::from_secs(60);

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Commands begun in a minute.
    RunsPerMinute,
    /// Commands that run at once.
    ConcurrentRuns,
    /// Living sessions.
    Sessions,
    /// Bytes written in a day.
    OutputPerDay,
    /// Seconds of running in a day.
    WallPerDay,
}

/// Whose limit it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// A person's, by their address.
    Person(String),
    /// An organization's, by its short name.
    Organization(String),
    /// An agent's, by its caller's name.
    Agent(String),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => f.write_str(name),
            Self::Organization(name) => write!(f, "the organization {name}"),
            Self::Agent(name) => write!(f, "the agent {name}"),
        }
    }
}

/// A limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// Which.
    pub what: What,
    /// How much may be used.
    pub limit: u64,
    /// Whose it is.
    pub whose: Whose,
    /// When it is free again; none where somebody has to end something first.
    pub free: Option<Timestamp>,
    /// How long that takes, or when to ask again.
    pub retry_after: Duration,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, whose, .. } = self;
        match self.what {
            What::RunsPerMinute => write!(f, "{whose} may begin {limit} commands in a minute")?,
            What::ConcurrentRuns => write!(f, "{whose} may run {limit} commands at once")?,
            What::Sessions => write!(f, "{whose} may have {limit} living sessions")?,
            What::OutputPerDay => {
                write!(
                    f,
                    "{whose} may write {limit} bytes of output in a day (UTC)"
                )?;
            }
            What::WallPerDay => {
                write!(
                    f,
                    "{whose} may run commands for {limit} seconds in a day (UTC)"
                )?;
            }
        }
        match (self.free, self.what) {
            (Some(free), _) => write!(f, " and has; there is room again at {free}"),
            (None, What::ConcurrentRuns) => {
                f.write_str(" and does; there is room again when one of them has ended")
            }
            (None, What::Sessions) => {
                f.write_str(" and has; end one, or wait until one has not been used for its time")
            }
            (None, _) => f.write_str(", so that there is never room"),
        }
    }
}
