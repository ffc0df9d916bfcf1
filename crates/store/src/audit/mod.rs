//! The audit log: the truth about what was asked, decided, started and how it ended.
//!
//! # Files
//! `<dir>/NNNNNN.log`, one event on one line of JSON, numbered from 1. A file that has reached its
//! size is left and the next one begun; sequence and chain continue across files. `<dir>/lock` is
//! held by the one writer. Files are 0600, the directory 0700.
//!
//! # A line
//! ```text
//! {"seq":7,"time":1767225600000,"kind":"run.opened", …body… ,"prev":"<64 hex>","hash":"<64 hex>"}
//! ```
//! `time` is Unix milliseconds as given by the caller. `prev` is the `hash` of the line before, 64
//! zeros for the first. `hash` is the SHA-256 of the bytes of the line before `,"hash":`. So
//! anybody can check a line with standard tools:
//! ```sh
//! line=$(sed -n 7p 000001.log); printf %s "${line%,\"hash\":*}" | sha256sum
//! ```
//! A chain shows every edit inside. What it cannot show alone is that its end was cut off, or that
//! all of it was written anew: for that, compare with a [`Head`] kept elsewhere ([`verify`]).
//!
//! # Promises
//! - When [`AuditLog::append`] returns, the line is with the kernel: it survives this process.
//!   With [`Durability::Full`], [`AuditLog::append_durable`] waits until it is on the disk.
//! - An entry accepted by [`AuditLog::open_entry`] has its closing entry's room reserved on the
//!   disk: closing does not fail because the disk has filled up meanwhile.
//! - After a failed write the file is cut back to its last whole line, so that a reader never sees
//!   a mix, and the next append works as soon as the cause is gone.
//! - A torn last line, left by a crash in the middle of a write, is cut when the log is opened and
//!   reported in [`Recovery`]. Whole lines that do not verify are an error: never repaired here.

mod disk;
mod entry;
mod error;
pub mod event;
#[cfg(test)]
mod fault_tests;
pub mod limits;
mod lock;
mod log;
mod read;
mod recover;
mod segment;
mod space;
mod sync;
mod verify;
mod writer;

pub use entry::{Entry, Hash, Head, Position};
pub use error::AuditError;
pub use log::{AuditLog, CloseRoom, Durability, Options};
pub use read::{Reader, Record, tail};
pub use recover::Recovery;
pub use verify::{Anchor, Finding, VerifyReport, verify};
