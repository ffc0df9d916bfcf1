//! The database: what the log says, ready for questions, and the little that is not in the log.
//!
//! [`Projector`] applies the entries of the audit log to the tables, exactly once: rows and the
//! position in the log change in one transaction. The other methods of [`Database`] are grouped by
//! topic, a file each: runs, sessions, hosts, consents, meta,
//! care.
//!
//! SQLite today. The statements and migrations are written so that PostgreSQL takes them as they
//! are (`$1`, `ON CONFLICT`, four types), and go through the library's runtime driver; the suite in
//! `tests/conformance/` takes any [`Database`]. What differs between the two (connection
//! settings, integrity check, file sizes) is in `open.rs` and `care.rs` only.
//!
//! One connection writes, a few read. With WAL neither waits for the other. A crash of the process
//! loses nothing that was committed; a power cut may lose the last commits, never consistency, and
//! what is lost is projected again.

mod ahead;
mod care;
mod consents;
mod error;
mod hosts;
pub mod limits;
mod meta;
mod open;
mod project;
mod run_writes;
mod runs;
mod sessions;

pub use ahead::Ahead;
pub use care::{Sizes, Sweep};
pub use consents::ConsentRow;
pub use error::{DbError, SqlError};
pub use hosts::HostRow;
pub use open::Database;
pub use project::{CaughtUp, Projector};
pub use runs::{Page, RunEnd, RunRow, state};
pub use sessions::{SessionRow, SessionUpdate};
