//! What can fail, named for the step.

use std::io;
use std::path::{Path, PathBuf};

use wharf_ssh::RemoteExit;

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A directory that is not taken anywhere.
    #[error("{} is not taken to a sandbox: {why}", path.display())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// A file or directory of this side that cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or directory of this side that cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than is taken.
    #[error("there are more than {most} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are taken.
        most: usize,
    },
    /// The command on the far side was not started, or the connection broke.
    #[error("the sandbox cannot be reached")]
    Open(#[source] wharf_ssh::Error),
    /// The connection broke during the work.
    #[error("the connection to the sandbox was cut")]
    Cut(#[source] io::Error),
    /// The command there failed.
    #[error("{step} failed in the sandbox ({exit:?}): {said}")]
    Far {
        /// What was being done.
        step: &'static str,
        /// How it ended.
        exit: RemoteExit,
        /// The last of what it complained about.
        said: String,
    },
    /// The far side says what it never says.
    #[error("the sandbox's answer is not understood: {what}")]
    Answer {
        /// What is wrong with it.
        what: String,
    },
    /// The far side is changed by somebody else meanwhile.
    #[error("another sync into the same directory is at work")]
    Busy,
    /// What is moved from one file system to another is there by halves for a while.
    #[error("in the sandbox, the workspace is on another file system than the directory above it")]
    Apart,
    /// Git, as a program, failed.
    #[error("git {step} failed: {said}")]
    Git {
        /// Its command.
        step: &'static str,
        /// What it said.
        said: String,
    },
    /// The branch is there already.
    #[error("the branch {name} is there already")]
    BranchExists {
        /// Its name.
        name: String,
    },
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }

    pub(crate) fn answer(what: impl Into<String>) -> Self {
        Self::Answer { what: what.into() }
    }
}
