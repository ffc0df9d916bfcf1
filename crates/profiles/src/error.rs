//! What can go wrong, named for the step.

use std::fmt;
use std::io;

use crate::limits::PROBLEMS_MAX;
use crate::tree::Sha256;
use crate::upstream::UpstreamError;

/// Why something was not done. Nothing has changed then, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The owner's id is not one.
    #[error("{0:?} is no id of a profile: 1 to 64 letters, digits, '-' and '_'")]
    InvalidId(String),
    /// The profile has moved on since the version that the change was made from.
    #[error("the configuration has changed in the meantime; its version is now {}", shown(.current))]
    Stale {
        /// The version now; empty where nothing was ever saved.
        current: String,
    },
    /// Larger than it may be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What it is.
        what: String,
        /// How large it may be, in bytes.
        limit: usize,
    },
    /// More than there may be.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// All versions together would be more than a repository may have.
    #[error(
        "all versions of this configuration would be more than {limit} bytes; nothing more is saved"
    )]
    Full {
        /// How large they may be together, in bytes.
        limit: u64,
    },
    /// There is no such version in this profile.
    #[error("this configuration has no version {0:?}")]
    NoSuchVersion(String),
    /// The content is not UTF-8.
    #[error("the content is not UTF-8, from byte {0} on")]
    NotUtf8(usize),
    /// Files that may not be in a profile.
    #[error("{}", listed(.0))]
    Refused(Vec<Problem>),
    /// Contents that were named, but neither sent nor here already.
    #[error("{} contents are missing; send them along", .0.len())]
    Missing(Vec<Sha256>),
    /// Contents that were asked for and are not here, or no longer.
    #[error("{} of the contents are not here, or no longer; get the list of files again", .0.len())]
    Absent(Vec<Sha256>),
    /// What arrived is not what was announced.
    #[error("a content arrived damaged: it was announced as {announced}, but is {found}")]
    Mismatch {
        /// The hash that was announced.
        announced: Sha256,
        /// The hash that it has.
        found: Sha256,
    },
    /// A stream that ends early or is no stream of contents.
    #[error("this is no stream of contents: {0}")]
    BadStream(&'static str),
    /// Too many wait already, or another process holds the profile.
    #[error("the configuration is being changed by many at once; try again")]
    Busy,
    /// A view of nobody cannot be changed.
    #[error("there is nobody whose configuration this would be")]
    Nobody,
    /// The upstream.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// A step with files.
    #[error("cannot {step}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A step with git's objects. The repository is damaged, or was written by others.
    #[error("cannot {step}")]
    Git {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The work was given up, since the process ends.
    #[error("the server is stopping")]
    Stopping,
}

/// One file that may not be in a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its path as it was given, cut to what can be shown.
    pub path: String,
    /// The line that is meant, counted from 1.
    pub line: Option<usize>,
    /// Why it is refused.
    pub reason: &'static str,
}

impl Problem {
    /// A problem with the file at `path`.
    #[must_use]
    pub fn new(path: &str, reason: &'static str) -> Self {
        let path: String = path.chars().take(120).collect();
        Self {
            path: path.escape_debug().to_string(),
            line: None,
            reason,
        }
    }

    /// The same, with the line that is meant.
    #[must_use]
    pub fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.reason),
            None => write!(f, "{}: {}", self.path, self.reason),
        }
    }
}

/// Problems as they are found; keeps [`PROBLEMS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.0.len() < PROBLEMS_MAX {
            self.0.push(problem);
        }
    }

    /// What was found, if anything was.
    pub(crate) fn take(self) -> Option<Vec<Problem>> {
        (!self.0.is_empty()).then_some(self.0)
    }

    pub(crate) fn refuse(self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Refused(self.0))
        }
    }
}

pub(crate) fn io(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { step, source }
}

pub(crate) fn git<E>(step: &'static str) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| Error::Git {
        step,
        source: source.into(),
    }
}

fn shown(version: &str) -> &str {
    if version.is_empty() {
        "none: nothing was saved"
    } else {
        version
    }
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("; ")
}
