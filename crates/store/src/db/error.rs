//! What can go wrong with the database, by the step that failed.

use std::io;
use std::path::PathBuf;

use crate::audit::{AuditError, Head};

/// An error of the database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The database file could not be made.
    #[error("cannot make the database file {}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The database could not be opened.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: SqlError,
    },
    /// The tables could not be brought up to date.
    #[error("cannot bring the database {} up to date", path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: SqlError,
    },
    /// The database was made by a newer version of this program.
    #[error(
        "the database {} was made by a newer version (its schema has step {step}); use that version, or another data directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// A step of the schema that this version does not know.
        step: i64,
    },
    /// A question was not answered.
    #[error("cannot read {what} from the database")]
    Read {
        /// What was asked for.
        what: &'static str,
        /// Why it failed.
        source: SqlError,
    },
    /// A change was not made.
    #[error("cannot write {what} to the database")]
    Write {
        /// What was to be changed.
        what: &'static str,
        /// Why it failed.
        source: SqlError,
    },
    /// The audit log could not be read for the projection.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The tables were made from a log that is not this one, or that has lost its end: entry
    /// `head.seq` is not there or another. Compare, then
    /// [`forget_projection`](super::Database::forget_projection) and project again.
    #[error("the database knows entry {} of the audit log, which is not in the log", head.seq)]
    NotOfThisLog {
        /// The last entry that was projected.
        head: Head,
    },
    /// The thread that read the log ended early, which only happens when the program is ending.
    #[error("reading the audit log was interrupted")]
    Interrupted,
}

/// What the SQL library said. Opaque, so that nothing above depends on which library it is.
#[derive(Debug)]
pub struct SqlError(Box<dyn std::error::Error + Send + Sync>);

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SqlError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl SqlError {
    pub(super) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Names the question that failed.
pub(super) fn reading(what: &'static str) -> impl FnOnce(sqlx::Error) -> DbError {
    move |error| DbError::Read {
        what,
        source: SqlError::new(error),
    }
}

/// Names the change that failed.
pub(super) fn writing(what: &'static str) -> impl FnOnce(sqlx::Error) -> DbError {
    move |error| DbError::Write {
        what,
        source: SqlError::new(error),
    }
}
