//! The crate against real SSH servers, which the tests start on free ports of this machine.
#![expect(
    clippy::unwrap_used,
    reason = "what a test needs and does not get fails the test"
)]

mod config;
mod connect;
mod pool;
mod sshd;
