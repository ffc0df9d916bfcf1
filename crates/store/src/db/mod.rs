//! The database: what the log says, ready for questions, and the little that is not in the log.
//!
//! [`Projector`] applies the entries of the audit log to the tables, exactly once: rows and the
//! position in the log change in one transaction. The other methods of [`Database`] are grouped by
//! topic, a file each: runs, sessions, hosts, consents, catalog, meta,
//! care.
//!
//! SQLite or PostgreSQL. Both take the same statements and the same migrations (`$1`,
//! `ON CONFLICT`, four types), through the library's runtime driver; the suite in
//! `tests/conformance/` is run over both. What differs (addresses, connection settings, two words
//! of the schema) is in `sqlite.rs` and `postgres.rs`; integrity check and sizes are in `care.rs`.
//!
//! One connection writes, a few read, and neither waits for the other. A crash of the process
//! loses nothing that was committed; with SQLite a power cut may lose the last commits, never
//! consistency, and what is lost is projected again.
//!
//! A PostgreSQL database belongs to one server of ours, as a file does: how far the log is
//! projected is kept there once, and there is a log for each server.

mod ahead;
mod care;
mod catalog;
mod consents;
mod copy;
mod error;
mod hosts;
pub mod limits;
mod meta;
mod open;
mod postgres;
mod project;
mod run_writes;
mod runs;
mod sessions;
mod sqlite;
mod text;

pub use ahead::Ahead;
pub use care::{Sizes, Sweep};
pub use catalog::{
    CATALOG_ITEMS_MAX, CATALOG_OWNERS_MAX, CATALOG_WORDS_MAX, CatalogAsk, CatalogChange, CatalogRow,
};
pub use consents::ConsentRow;
pub use copy::Copied;
pub use error::{DbError, SqlError};
pub use hosts::HostRow;
pub use open::Database;
pub use project::{CaughtUp, Projector};
pub use runs::{Page, RunEnd, RunRow, state};
pub use sessions::{SessionRow, SessionUpdate};
