//! The crate against real far sides: an SSH server, and shells and tools of several kinds.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "what a test needs and does not get fails the test; tests are at the edge, where the \
              environment and the clock are read"
)]

mod apart;
mod branch;
mod cut;
mod full;
mod held;
mod hostile;
mod meanwhile;
mod nobody;
mod place;
mod pull;
mod push;
mod resume;
mod round;
mod strange;
mod tools;
mod uncovered;

#[expect(dead_code, reason = "what only the tests of its own crate use")]
#[path = "../../../ssh/tests/real/sshd.rs"]
mod sshd;
