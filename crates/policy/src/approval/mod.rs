//! A person's yes: asked for, given or not, and used once.
//!
//! An [`Approval`] is one question that waits for a person. It is bound to the exact command, its
//! target, directory and caller, ends by itself, and lets one run pass. A yes that is to hold for
//! longer makes a [`Grant`] beside it: for the same command in this session, or for a
//! [`Pattern`](crate::Pattern) in this project.
//!
//! Everything here is a value and a function on it. Who keeps approvals must replace the old
//! value by the new one only if the old is still there, or one yes could be used twice.

mod grant;
mod past;
mod state;

pub use grant::{Grant, Granted, Scope};
pub use past::{MAX_MATCHES, Matched, Past, matched};
pub use state::{Approval, Bound, Fingerprint, Refused, State};

#[cfg(test)]
mod tests;
