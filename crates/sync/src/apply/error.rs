//! What can go wrong with an apply, by the step that failed.

use std::io;
use std::path::{Path, PathBuf};

use crate::profile::ProfilePath;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds the lock.
    #[error("another sync is at work here")]
    Busy,
    /// Files are not what the plan saw. Nothing was written.
    #[error("changed since it was looked at: {}", names(.0))]
    Changed(Vec<ProfilePath>),
    /// A link leads out of the directories that it may lead into.
    #[error("`{path}` leads to {}, outside of what is synced", .real.display())]
    Outside {
        /// Which path.
        path: ProfilePath,
        /// Where it leads.
        real: PathBuf,
    },
    /// A directory, a device, a pipe or a link in a circle, where a file has to be.
    #[error("`{path}`: {} is not a file", .real.display())]
    NotAFile {
        /// Which path.
        path: ProfilePath,
        /// Where it leads.
        real: PathBuf,
    },
    /// The JSON file that holds a member cannot be read as JSON.
    #[error("{}: {source}", .file.display())]
    Member {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        source: crate::json::InvalidJson,
    },
    /// What is to be a member's content is not.
    #[error("`{path}` is to hold one member `{member}` and holds something else")]
    MemberContent {
        /// Which path.
        path: ProfilePath,
        /// The member.
        member: String,
    },
    /// No operation has this number, or it was forgotten.
    #[error("there is no operation {0} to undo")]
    NoOperation(u64),
    /// A file of the state is not what we write.
    #[error("{}: {what}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Neither end was reached. Each file is old or new, and the next start goes on.
    #[error("the operation is not complete: {source}; the next start completes it")]
    Unfinished {
        /// What failed.
        source: Box<Error>,
    },
    /// A step failed.
    #[error("{doing} {}: {source}", .path.display())]
    Io {
        /// What was done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The state directory or the lock cannot be used.
    #[error(transparent)]
    State(#[from] wharf_localstate::Error),
}

impl Error {
    /// For `map_err`: this step with this file.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn damaged(path: &Path, what: impl ToString) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }
}

/// The most names in a message.
const NAMES: usize = 5;

fn names(paths: &[ProfilePath]) -> String {
    let shown: Vec<&str> = paths.iter().take(NAMES).map(ProfilePath::as_str).collect();
    let more = paths.len().saturating_sub(NAMES);
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    shown.join(", ") + &tail
}
