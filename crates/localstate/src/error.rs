//! What can go wrong with a file of ours.

use std::io;
use std::path::{Path, PathBuf};

/// A step with a file that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a home directory nor a folder of Wharf's own is known.
    #[error("no home directory is known, so there is no place for Wharf's files")]
    NoHome,
    /// A folder is given by a relative path, which would be another one in every directory.
    #[error("{variable} must be an absolute path, not {}", path.display())]
    Relative {
        /// The environment variable.
        variable: &'static str,
        /// What it says.
        path: PathBuf,
    },
    /// A directory could not be made.
    #[error("cannot make the directory {}", path.display())]
    MakeDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its mode or owner could not be looked at or set.
    #[error("cannot make {} private", path.display())]
    Protect {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It belongs to somebody else, who could read or change it at any time.
    #[error("{} belongs to user {owner}, not to you", path.display())]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// It is something else than a plain file or directory, such as a symbolic link.
    #[error("{} is not a plain {wanted}", path.display())]
    NotPlain {
        /// The path.
        path: PathBuf,
        /// `file` or `directory`.
        wanted: &'static str,
    },
    /// It could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than anything that Wharf writes there.
    #[error("{} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        limit: u64,
    },
    /// It could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The lock could not be taken for another reason than that somebody has it.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    pub(crate) fn protect(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Protect { path, source }
    }
}
