//! What can go wrong with a file, by what is wrong and with which path.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why something was not done with a file.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The path is none that can be used.
    #[error("{}: {why}", path.display())]
    Path {
        /// What was asked for.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is nothing, or the directory is missing.
    #[error("{}: no such file or directory", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// The account may not.
    #[error("{}: permission denied", path.display())]
    PermissionDenied {
        /// What was asked for.
        path: PathBuf,
    },
    /// A file was meant.
    #[error("{}: is a directory", path.display())]
    IsDirectory {
        /// What was asked for.
        path: PathBuf,
    },
    /// A directory was meant, or something on the way is none.
    #[error("{}: not a directory", path.display())]
    NotDirectory {
        /// What was asked for.
        path: PathBuf,
    },
    /// A pipe, a socket or a device.
    #[error("{}: not a regular file", path.display())]
    NotRegular {
        /// What was asked for.
        path: PathBuf,
    },
    /// The directory is to be removed and has something in it.
    #[error("{}: the directory is not empty", path.display())]
    NotEmpty {
        /// What was asked for.
        path: PathBuf,
    },
    /// Nothing was expected there.
    #[error("{}: exists already", path.display())]
    Exists {
        /// What was asked for.
        path: PathBuf,
    },
    /// Links that lead on without end.
    #[error("{}: too many symbolic links", path.display())]
    TooManyLinks {
        /// What was asked for.
        path: PathBuf,
    },
    /// The file system takes no changes.
    #[error("{}: the file system is read-only", path.display())]
    ReadOnly {
        /// What was asked for.
        path: PathBuf,
    },
    /// The disk or the quota is full.
    #[error("{}: no space left", path.display())]
    NoSpace {
        /// What was asked for.
        path: PathBuf,
    },
    /// Somebody else has changed it meanwhile, or it is not what was expected.
    #[error("{}: was changed meanwhile", path.display())]
    Changed {
        /// What was asked for.
        path: PathBuf,
    },
    /// What arrived is not what was to be written.
    #[error("{}: the content that arrived has another digest", path.display())]
    Damaged {
        /// What was asked for.
        path: PathBuf,
    },
    /// The partial file is shorter than where it was to be resumed.
    #[error("{}: the partial file has {have} bytes, not the {from} to go on from", path.display())]
    Partial {
        /// What was asked for.
        path: PathBuf,
        /// What it has.
        have: u64,
        /// What was asked for.
        from: u64,
    },
    /// Neither SFTP nor commands can be used, or not for this path.
    #[error("{}: {what}", path.display())]
    NoWay {
        /// What was asked for.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// There is no channel to the host.
    #[error(transparent)]
    Open(#[from] wharf_ssh::Error),
    /// The connection is gone. What was under way may have been done.
    #[error("{}: the connection to the host was lost", path.display())]
    Lost {
        /// What was asked for.
        path: PathBuf,
    },
    /// A step took longer than it may.
    #[error("{}: gave up after {} s: {what}", path.display(), within.as_secs())]
    TooSlow {
        /// What was asked for.
        path: PathBuf,
        /// What was waited for.
        what: &'static str,
        /// For how long.
        within: Duration,
    },
    /// Anything else, in the words of the system or the host.
    #[error("{}: cannot {what}: {said}", path.display())]
    Failed {
        /// What was asked for.
        path: PathBuf,
        /// What was to be done.
        what: &'static str,
        /// What was said.
        said: String,
    },
}

impl FilesError {
    /// What the system says of a path.
    pub(super) fn system(path: &Path, what: &'static str, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            io::ErrorKind::IsADirectory => Self::IsDirectory { path },
            io::ErrorKind::NotADirectory => Self::NotDirectory { path },
            io::ErrorKind::DirectoryNotEmpty => Self::NotEmpty { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path },
            _ if error.raw_os_error() == Some(libc::ELOOP) => Self::TooManyLinks { path },
            _ => Self::failed(&path, what, error),
        }
    }

    pub(super) fn failed(path: &Path, what: &'static str, said: impl ToString) -> Self {
        Self::Failed {
            path: path.to_owned(),
            what,
            said: said.to_string(),
        }
    }

    /// Another kind of the same path than a regular file.
    pub(super) fn unfit(path: &Path, kind: super::Kind) -> Self {
        let path = path.to_owned();
        match kind {
            super::Kind::Directory => Self::IsDirectory { path },
            super::Kind::File | super::Kind::Link | super::Kind::Other => Self::NotRegular { path },
        }
    }

    /// Nothing is there, so that a question about it is answered.
    pub(super) const fn is_absence(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
