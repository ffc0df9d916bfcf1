//! The crate against real SSH servers, which the tests start on free ports of this machine.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "what a test needs and does not get fails the test; tests are at the edge, where the \
              environment and the clock are read"
)]

mod auth;
mod config;
mod connect;
mod faults;
mod hostkeys;
mod others;
mod pool;
mod proxy;
mod sshd;
