//! Where the engine's promises are hard to keep: full houses, and what the record says and leaves
//! out.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod approvals;
mod bounds;
mod record;
mod registry;
#[path = "../support/mod.rs"]
mod support;
