//! The answer to a run.

use std::sync::Arc;
use std::time::Duration;

use wharf_exec::journal;
use wharf_model::{SessionId, Target, Timestamp};
use wharf_store::db::RunRow;

use super::start::Found;
use super::{End, Run, read};
use crate::engine::Inner;
use crate::error::Error;
use crate::view::{Captured, Finished};

/// The answer to a run that is known.
pub(crate) async fn of(inner: &Inner, found: &Found, limit: usize) -> Result<Finished, Error> {
    match found {
        Found::Here(run) => when_ready(run, limit).await,
        Found::Stored(row) => from_row(inner, row, limit),
    }
}

/// What can be said of a run now, without its streams.
pub(crate) fn at_once(inner: &Inner, found: &Found) -> Result<Finished, Error> {
    match found {
        Found::Here(run) => Ok(finished(run, run.end().as_deref(), Default::default())),
        Found::Stored(row) => from_row(inner, row, 0),
    }
}

/// Waits until the run can be answered, and answers.
pub(crate) async fn when_ready(run: &Arc<Run>, limit: usize) -> Result<Finished, Error> {
    let end = run.await_answerable().await;
    let capture = |stream| {
        let (head, tail, total) = run
            .output
            .excerpt(stream, limit)
            .map_err(|error| Error::internal("reading the output", error))?;
        Ok::<_, Error>(Captured { head, tail, total })
    };
    let (stdout, stderr) = if end.is_some() {
        (
            capture(journal::Stream::Stdout)?,
            capture(journal::Stream::Stderr)?,
        )
    } else {
        (Captured::default(), Captured::default())
    };
    Ok(finished(run, end.as_deref(), [stdout, stderr]))
}

fn finished(run: &Run, end: Option<&End>, [stdout, stderr]: [Captured; 2]) -> Finished {
    let end = end.cloned().unwrap_or_else(|| End {
        duration: run.since.elapsed(),
        ..End::default()
    });
    Finished {
        run: run.id.clone(),
        target: run.decision.target.clone(),
        command: run.decision.command.as_str().to_owned(),
        exit_code: end.exit_code,
        stdout,
        stderr,
        duration: end.duration,
        session: run.session.clone(),
        cwd_before: run.cwd.clone(),
        cwd: end.cwd.or_else(|| Some(run.cwd.clone().into())),
        pid: run.pid().filter(|_| run.background),
        restored: end.restored,
        replayed: false,
        survivors: end.survivors,
        decision: Some(run.decision.clone()),
        error: end.error,
        started: run.started,
    }
}

/// The answer as the record has it.
fn from_row(inner: &Inner, row: &RunRow, limit: usize) -> Result<Finished, Error> {
    let kept = read::reopen(inner, row)?;
    let total = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
    let capture = |stream, bytes| {
        let total = total(bytes);
        let (head, tail) = kept
            .excerpt(stream, total, limit)
            .map_err(|error| Error::internal("reading the output", error))?;
        Ok::<_, Error>(Captured { head, tail, total })
    };
    Ok(Finished {
        run: read::id_of(row),
        target: Target::parse(&row.target).unwrap_or_default(),
        command: row.command.clone(),
        exit_code: row.exit_code.and_then(|code| i32::try_from(code).ok()),
        stdout: capture(journal::Stream::Stdout, row.stdout_bytes)?,
        stderr: capture(journal::Stream::Stderr, row.stderr_bytes)?,
        duration: Duration::from_millis(total(row.duration_ms.unwrap_or(0))),
        session: row
            .session_id
            .as_deref()
            .and_then(|id| SessionId::parse(id).ok()),
        cwd_before: row.cwd.clone(),
        cwd: row.cwd_after.as_ref().map(Into::into),
        pid: None,
        restored: false,
        replayed: false,
        survivors: Vec::new(),
        decision: None,
        error: read::error_of(row),
        started: Timestamp::from_millis(row.started_ms),
    })
}
