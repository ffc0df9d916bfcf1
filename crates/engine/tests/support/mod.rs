//! Short words for the tests of the engine.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use wharf_engine::{Engine, Finished, NewSession, RunRequest};
use wharf_model::{Caller, CommandText, SessionId};

pub(crate) fn me() -> Caller {
    Caller::local()
}

pub(crate) fn command(text: &str) -> RunRequest {
    RunRequest::new(CommandText::parse(text).unwrap())
}

pub(crate) fn within(text: &str, session: &SessionId) -> RunRequest {
    RunRequest {
        session: Some(session.clone()),
        ..command(text)
    }
}

pub(crate) async fn run(engine: &Engine, text: &str) -> Finished {
    engine.run(&me(), command(text)).await.unwrap()
}

pub(crate) async fn say(engine: &Engine, session: &SessionId, text: &str) -> Finished {
    engine.run(&me(), within(text, session)).await.unwrap()
}

pub(crate) async fn session(engine: &Engine) -> SessionId {
    engine
        .create_session(&me(), NewSession::default())
        .await
        .unwrap()
        .0
}

pub(crate) fn stdout(finished: &Finished) -> String {
    String::from_utf8([&finished.stdout.head[..], &finished.stdout.tail].concat()).unwrap()
}

pub(crate) fn stderr(finished: &Finished) -> String {
    String::from_utf8([&finished.stderr.head[..], &finished.stderr.tail].concat()).unwrap()
}

/// Waits for a condition that must come true; fails after a generous while.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..1000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(condition().await, "never came true: {what}");
}

pub(crate) fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit_once(')')
            .unwrap()
            .1
            .trim_start()
            .starts_with('Z')
    })
}
