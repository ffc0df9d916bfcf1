//! What is kept: the audit log and the database.
//!
//! - [`audit`] is the truth: an append-only, hash-chained log in plain files. It is also the
//!   write-ahead record of every run: what cannot be appended does not run.
//! - [`db`] is what is made from it for quick questions (runs, sessions), plus the little that is
//!   not in the log (sealed environments, positions). It can be thrown away and projected again.
//!
//! What this crate may not do: decide anything, know the engine's types, read the clock (times come
//! in as Unix milliseconds), or let the SQL library's name out: nothing above sees it.
//!
//! Start reading at [`audit::AuditLog`] for the log, [`db::Database`] and [`db::Projector`] for the
//! tables. Limits are the constants in [`audit::limits`] and [`db::limits`].

pub mod audit;
pub mod db;
