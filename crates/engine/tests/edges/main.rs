//! Where the engine's promises are hard to keep: full houses, other machines, and what the record
//! says and leaves out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod approvals;
mod bounds;
mod hosts;
mod named_hosts;
mod permissions;
mod quotas;
mod record;
mod registry;
mod sandboxes;
#[path = "../support/mod.rs"]
mod support;
