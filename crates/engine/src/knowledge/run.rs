//! What is known of a run of this server.

use std::sync::Arc;

use bytes::Bytes;
use wharf_model::{Caller, CommandText, RunId};
use wharf_shell::Analysis;

use super::result::{self, Material, Side};
use super::{Knowledge, Machine, READ_BYTES, Wanted, circumstances, manual};
use crate::engine::Inner;
use crate::error::Error;
use crate::judge;
use crate::request::Stream;
use crate::runs::answer;
use crate::runs::read;
use crate::runs::start::Found;
use crate::view::Finished;

/// Of a run by its id. One that goes on in the foreground has only what it wrote by now.
pub(crate) async fn of_run(
    inner: &Arc<Inner>,
    caller: &Caller,
    run: &RunId,
    wanted: Wanted,
    machine: &Machine,
) -> Result<Knowledge, Error> {
    if wanted.is_nothing() {
        return Ok(Knowledge::default());
    }
    let found = inner.find_run(caller, run).await?;
    let (view, finished) = (found.view(), answer::at_once(inner, &found)?);
    let about = About {
        running: view.state == "running",
        exit_code: view.exit_code,
    };
    of(inner, caller, &found, &finished, about, wanted, machine).await
}

/// Of a run that has been answered.
pub(crate) async fn of_finished(
    inner: &Arc<Inner>,
    caller: &Caller,
    finished: &Finished,
    wanted: Wanted,
    machine: &Machine,
) -> Result<Knowledge, Error> {
    if wanted.is_nothing() {
        return Ok(Knowledge::default());
    }
    let found = inner.find_run(caller, &finished.run).await?;
    let about = About {
        running: finished.exit_code.is_none() && finished.error.is_none(),
        exit_code: finished.exit_code,
    };
    of(inner, caller, &found, finished, about, wanted, machine).await
}

struct About {
    running: bool,
    exit_code: Option<i32>,
}

async fn of(
    inner: &Arc<Inner>,
    caller: &Caller,
    found: &Found,
    finished: &Finished,
    about: About,
    wanted: Wanted,
    machine: &Machine,
) -> Result<Knowledge, Error> {
    let Some(analysis) = analysis(inner, finished) else {
        return Ok(Knowledge::default());
    };
    let when = circumstances::When::After(&finished.run);
    let decision = match (&finished.decision, wanted.metadata) {
        (Some(decision), Some(_)) => {
            Some(circumstances::here(inner, caller, decision, &finished.cwd_before, when).await)
        }
        _ => None,
    };
    let registry = inner.parts.registry.current();
    let manual = match wanted.metadata {
        Some(_) if finished.target.is_local() => {
            manual::of_unknown(inner, &registry, &analysis).await
        }
        _ => None,
    };
    let id = &finished.run;
    let material = Material {
        command: finished.command.clone(),
        analysis,
        decision,
        machine: machine.of(finished),
        cwd: finished.cwd_before.clone(),
        started: finished.started.to_string(),
        exit_code: about.exit_code,
        running: about.running,
        milliseconds: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
        stdout: side(inner, found, Stream::Stdout)?,
        stderr: side(inner, found, Stream::Stderr)?,
        handle: Some(format!(
            "GET /api/commands/{id}/output?stream={{stream}}&offset={{offset}}&limit={{limit}}"
        )),
        registry,
        manual,
        wanted,
    };
    result::knowledge(inner, material).await
}

/// As it was judged; an answer from the record is judged again by its redacted text.
fn analysis(inner: &Inner, finished: &Finished) -> Option<Arc<Analysis>> {
    match &finished.decision {
        Some(decision) => Some(Arc::clone(&decision.analysis)),
        None => {
            let command = CommandText::parse(&finished.command).ok()?;
            let at = (&finished.target, None);
            Some(judge::at(inner, &command, at, &finished.cwd_before))
        }
    }
}

/// Both ends of a stream, within the bound.
fn side(inner: &Inner, found: &Found, stream: Stream) -> Result<Side, Error> {
    let first = read::range(inner, found, stream, 0, READ_BYTES)?;
    let kept = first.total.saturating_sub(first.dropped);
    let most = u64::try_from(READ_BYTES).unwrap_or(u64::MAX);
    let end: Bytes = if kept > most {
        read::range(inner, found, stream, kept - most, READ_BYTES)?.bytes
    } else {
        first.bytes.clone()
    };
    Ok(Side {
        head: first.bytes,
        end,
        total: first.total,
        dropped: first.dropped,
    })
}
