//! sudo's password and the locks of the package tools, here and on a host.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod locks;
mod sudo;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test file uses its part")]
mod support;

use wharf_engine::{Engine, Error, Finished, RunRequest};

/// Runs it, and says yes where that is asked for.
async fn sure(engine: &Engine, request: &RunRequest) -> Finished {
    let token = match engine.run(&support::me(), request.clone()).await {
        Err(Error::NeedsConfirmation { token, .. }) => token,
        other => return other.unwrap(),
    };
    let request = RunRequest {
        confirmation: token,
        ..request.clone()
    };
    engine.run(&support::me(), request).await.unwrap()
}

/// The kind of a run's error.
fn kind(finished: &Finished) -> Option<&'static str> {
    finished.error.as_ref().map(|(kind, _)| *kind)
}
