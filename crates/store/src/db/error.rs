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
    /// The URL does not say where the database is, or not in a way that is safe.
    #[error("the database's URL is of no use: {problem}")]
    Address {
        /// What is wrong with it; never the URL, which may hold a password.
        problem: &'static str,
    },
    /// The database could not be opened.
    #[error("cannot open the database {database}")]
    Open {
        /// The file, or the URL without a password.
        database: String,
        /// Why it failed.
        source: SqlError,
    },
    /// The database cannot keep every text.
    #[error(
        "the database {database} keeps its texts as {encoding} and has to keep them as UTF8; \
         make it anew with ENCODING 'UTF8'"
    )]
    Encoding {
        /// The URL without a password.
        database: String,
        /// What it says of itself.
        encoding: String,
    },
    /// The tables could not be brought up to date.
    #[error("cannot bring the database {database} up to date")]
    Migrate {
        /// The file, or the URL without a password.
        database: String,
        /// Why it failed.
        source: SqlError,
    },
    /// The database was made by a newer version of this program.
    #[error(
        "the database {database} was made by a newer version (its schema has step {step}); use \
         that version, or another database"
    )]
    Newer {
        /// The file, or the URL without a password.
        database: String,
        /// A step of the schema that this version does not know.
        step: i64,
    },
    /// What was to be copied into holds something already.
    #[error("cannot copy into a database whose table {table} is not empty")]
    NotEmpty {
        /// The table.
        table: &'static str,
    },
    /// After a copy the two databases did not hold the same.
    #[error("of {wanted} rows of {table}, {found} arrived; nothing was copied")]
    Miscounted {
        /// The table.
        table: &'static str,
        /// Rows to be copied.
        wanted: i64,
        /// Rows that are in the copy.
        found: i64,
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
