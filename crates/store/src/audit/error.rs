//! What can go wrong with the log, by the step that failed.

use std::io;
use std::path::PathBuf;

/// An error of the audit log. After any of them the log on disk ends with a whole line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The directory or a file in it could not be opened or made.
    #[error("cannot open the audit log at {}", path.display())]
    Open {
        /// What was being opened.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process (or another handle of this one) writes this log.
    #[error("the audit log at {} is in use by process {}", dir.display(), named(*pid))]
    InUse {
        /// The directory of the log.
        dir: PathBuf,
        /// The holder, as it wrote itself into the lock file.
        pid: Option<u32>,
    },
    /// Complete lines of the log do not verify. Nothing was changed.
    #[error(
        "the audit log was changed after it was written: {} line at byte {offset}: {reason}. \
         Nothing was repaired. Keep the directory as evidence: move it aside, then start again \
         with a new log",
        file.display()
    )]
    Damaged {
        /// The segment file.
        file: PathBuf,
        /// Where the first bad line begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no room for the entry (and for closing it later). Nothing was written; the log
    /// works again as soon as there is room.
    #[error("no space left for the audit log at {}", dir.display())]
    NoSpace {
        /// The directory of the log.
        dir: PathBuf,
    },
    /// The entry could not be written, for another reason than space. Nothing of it remains.
    #[error("cannot write the audit log")]
    Write {
        /// Why it failed.
        source: io::Error,
    },
    /// The entry is written but may not survive a power cut: the disk refused to flush. The log
    /// accepts no durable entry until it is opened again, because a second flush that succeeds
    /// would prove nothing.
    #[error("cannot flush the audit log to disk")]
    Sync {
        /// Why it failed.
        source: io::Error,
    },
    /// The body is not a JSON object that can be a line of this log.
    #[error("an entry of kind {kind} cannot be recorded: {reason}")]
    Body {
        /// Kind of the entry.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the log could not be read.
    #[error("cannot read the audit log at {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn named(pid: Option<u32>) -> String {
    pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string())
}
