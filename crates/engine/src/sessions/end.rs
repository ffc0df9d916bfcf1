//! The end of a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wharf_store::audit::event;

use super::state::{self, Session};
use crate::engine::Inner;
use crate::error::Error;
use crate::record;

/// How long the end of a session waits for its command to be ended.
const COMMAND_PATIENCE: Duration = Duration::from_secs(10);

/// Ends a session and everything in it. Its history stays.
pub(crate) async fn end(
    inner: &Inner,
    session: &Arc<Session>,
    reason: &'static str,
) -> Result<(), Error> {
    if session.ended.swap(true, Ordering::AcqRel) {
        return Err(Error::not_found("session", session.id.as_str()));
    }
    inner.sessions.remove(session);
    if let Some(run) = session.active() {
        let _too_slow = tokio::time::timeout(COMMAND_PATIENCE, run.cancel()).await;
    }
    // Before its shell, which alone can say how they ended.
    let runs = inner.runs.with_processes(&session.owner, Some(&session.id));
    let mut ends: tokio::task::JoinSet<()> = runs
        .into_iter()
        .map(|run| async move { run.cancel().await })
        .collect();
    let all = async { while ends.join_next().await.is_some() {} };
    let _too_slow = tokio::time::timeout(COMMAND_PATIENCE, all).await;
    stop(inner, session).await;
    let body = event::SessionEnded {
        session: session.id.to_string(),
        caller: session.owner.name().to_owned(),
        reason: reason.to_owned(),
    };
    record::session_ended(inner, &body)?;
    let now = inner.parts.clock.now().millis();
    let ended = inner
        .parts
        .database
        .end_session(&body.caller, &body.session, now, reason)
        .await;
    ended.map(|_| ()).map_err(Error::from_database)
}

/// Ends those that nobody has used for their time.
pub(crate) async fn idle(inner: &Arc<Inner>) {
    for session in inner.sessions.all() {
        if session.is_idle_too_long()
            && let Err(error) = end(inner, &session, "idle").await
        {
            tracing::warn!(target: "system", session = %session.id, %error, "an idle session does not end");
        }
    }
}

/// Ends all shells and keeps the sessions: the next start of the server finds them.
pub(crate) async fn park_all(inner: &Arc<Inner>) {
    let ends = inner.sessions.all().into_iter().map(|session| {
        let inner = Arc::clone(inner);
        tokio::spawn(async move {
            stop(&inner, &session).await;
            if let Err(error) = state::save(&inner, &session).await {
                tracing::warn!(target: "system", session = %session.id, %error, "a session cannot be saved");
            }
        })
    });
    for end in ends.collect::<Vec<_>>() {
        let _panicked = end.await;
    }
}

/// Ends the command that runs and then the shell.
async fn stop(inner: &Inner, session: &Session) {
    if let Some(run) = session.active() {
        let _too_slow = tokio::time::timeout(COMMAND_PATIENCE, run.cancel()).await;
    }
    match tokio::time::timeout(COMMAND_PATIENCE, session.living.lock()).await {
        Ok(mut living) => {
            if let Some(shell) = living.shell.take() {
                shell.end(inner.options.limits.grace).await;
            }
        }
        Err(_) => {
            tracing::warn!(target: "system", session = %session.id, "a session's command does not end");
        }
    }
}
