//! Commands on hosts that go on when the server stops, and how the next one takes them up again.
//!
//! What the record says of such a run is enough: its opening entry, and the entry that holds the
//! words by which its host finds it. The output is fetched anew from its beginning.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_exec::LaunchError;
use wharf_model::{Caller, CommandText, RunId, SessionId, Target, Timestamp};
use wharf_shell::Verdict;
use wharf_store::audit::Reader;
use wharf_store::db::RunRow;

use super::start::as_result;
use super::supervise::{self, Supervised};
use super::{About, Run};
use crate::engine::Inner;
use crate::error::Error;
use crate::request::Access;
use crate::view::Decision;
use crate::{judge, places, record};

/// The kind of entry that says how a run is found again.
const RUN_KEPT: &str = "run.kept";
/// The first and the longest pause before a host that cannot be reached is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Before a host is asked again that does not let us in: nothing but a person changes that.
const REFUSED_PAUSE: Duration = Duration::from_secs(3600);
/// The least that a run is followed.
const LAST_MOMENT: Duration = Duration::from_secs(10);
/// How long a host is asked for. What is kept there is swept after the same time.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    run: String,
    extra: Handle,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handle {
    handle: String,
    /// Its time limit in milliseconds, from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit_ms: Option<u64>,
}

/// Records how a run is found again.
pub(crate) fn note(inner: &Inner, run: &RunId, handle: &str, limit: Option<Duration>) {
    let body = Kept {
        run: run.to_string(),
        extra: Handle {
            handle: handle.to_owned(),
            limit_ms: limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
        },
    };
    let body = serde_json::to_value(body).unwrap_or_default();
    if let Err(error) = record::note(inner, RUN_KEPT, &body) {
        tracing::error!(target: "audit", %run, %error, "a run on a host cannot be taken up again after a restart");
    }
}

/// The handles of runs that an earlier process left open. Reads the record from the first of them.
pub(crate) fn handles(inner: &Inner, open: &[RunRow]) -> HashMap<String, Handle> {
    let remote = |row: &&RunRow| Target::parse(&row.target).is_ok_and(|target| !target.is_local());
    let first = open.iter().filter(remote).map(|row| row.seq_opened).min();
    let Some(first) = first.and_then(|seq| u64::try_from(seq).ok()) else {
        return HashMap::new();
    };
    let read = || {
        let mut found = HashMap::new();
        let mut reader = Reader::from_seq(&inner.parts.audit_directory, first)?;
        while let Some(record) = reader.next_record()? {
            if record.kind() == RUN_KEPT
                && let Ok(kept) = record.body::<Kept>()
            {
                found.insert(kept.run, kept.extra);
            }
        }
        Ok::<_, wharf_store::audit::AuditError>(found)
    };
    read().unwrap_or_else(|error| {
        tracing::error!(target: "audit", %error, "runs that went on on hosts are not taken up again");
        HashMap::new()
    })
}

/// Takes a run up again: it is there at once, and followed as soon as its host can be reached.
pub(crate) fn adopt(inner: &Arc<Inner>, row: &RunRow, kept: Handle) -> Result<(), Error> {
    let bad = |what: &'static str| Error::internal("taking a run up again", what);
    let id = RunId::parse(&row.id).map_err(|_| bad("its id is none"))?;
    let target = Target::parse(&row.target).map_err(|_| bad("its target is none"))?;
    let command = CommandText::parse(&row.command).map_err(|_| bad("its command is none"))?;
    let receipt = record::reopen(inner, &id, u64::try_from(row.seq_opened).unwrap_or(0))?;
    let decision = Decision {
        verdict: Verdict::Allow,
        reasons: Vec::new(),
        analysis: judge::at(inner, &command, (&target, None), &row.cwd),
        command,
        registry: inner.parts.registry.current(),
        target: target.clone(),
        facts: None,
    };
    let caller = Caller::stored(&row.caller);
    let started = Timestamp::from_millis(row.started_ms);
    let charge = inner
        .quotas
        .adopt(&caller, started, inner.parts.clock.now());
    let about = About {
        id: id.clone(),
        caller,
        session: row
            .session_id
            .as_deref()
            .and_then(|id| SessionId::parse(id).ok()),
        decision,
        redacted: row.command.clone(),
        background: true,
        started,
        seq: receipt.seq,
        output: inner.parts.journal.begin(&id, true),
        cwd: row.cwd.clone(),
        cancel: inner.cancelled.child_token(),
    };
    let run = Run::new(about, Some(charge));
    run.keep();
    run.launched();
    inner.runs.insert(&run);
    let watch = Supervised {
        inner: Arc::clone(inner),
        run,
        receipt,
        limit: left_of(inner, row, kept.limit_ms),
    };
    inner.tasks.spawn(see_through(watch, target, kept.handle));
    Ok(())
}

/// What is left of its time; a moment at least, so that its end is seen where it has ended.
fn left_of(inner: &Inner, row: &RunRow, limit_ms: Option<u64>) -> Option<Duration> {
    let gone = inner
        .parts
        .clock
        .now()
        .millis()
        .saturating_sub(row.started_ms);
    let gone = Duration::from_millis(u64::try_from(gone).unwrap_or(0));
    let limit = Duration::from_millis(limit_ms?);
    Some(limit.saturating_sub(gone).max(LAST_MOMENT))
}

async fn see_through(watch: Supervised, target: Target, handle: String) {
    let (inner, run) = (Arc::clone(&watch.inner), Arc::clone(&watch.run));
    let began = tokio::time::Instant::now();
    let mut pause = PAUSES.0;
    let process = loop {
        let spot = places::spot(&inner, &target, &Access::default()).await;
        let mut refused = false;
        let error = match spot.map(|spot| spot.reached) {
            Ok(Ok(executor)) => match executor.adopt(&handle, Arc::clone(&run.output)).await {
                Ok(process) => break process,
                Err(error) => error.to_string(),
            },
            Ok(Err(error)) => {
                refused = lets_nobody_in(&error);
                error.to_string()
            }
            Err(error) => error.to_string(),
        };
        tracing::warn!(target: "command", run = %run.id, %error, "a run on a host is not taken up again yet");
        if began.elapsed() > PATIENCE {
            let text = format!("the host could not be reached for a week: {error}");
            return supervise::never_ran(watch, UNKNOWN_CODE, "lost", text).await;
        }
        let wait = if refused { REFUSED_PAUSE } else { pause };
        tokio::select! {
            biased;
            // A stop of the server cancels every run as well: then this one is left where it is.
            () = inner.cancelled.cancelled() => return supervise::left(watch),
            () = run.cancellation().cancelled() => {
                let text = format!("its host could not be told to end it: {error}");
                return supervise::never_ran(watch, UNKNOWN_CODE, "lost", text).await;
            }
            () = tokio::time::sleep(wait) => pause = (pause * 2).min(PAUSES.1),
        }
    };
    run.attach(process.tree(), process.pid());
    let place = tokio::select! {
        place = Arc::clone(&inner.background).acquire_owned() => place.ok(),
        () = run.cancellation().cancelled() => None,
    };
    // One that is to end needs no place for that.
    let place = match place {
        Some(place) => place,
        None if inner.cancelled.is_cancelled() => return supervise::left(watch),
        None => {
            run.tree().iter().for_each(supervise::kill_apart);
            let text = "ended on request before it was followed again".to_owned();
            return supervise::never_ran(watch, UNKNOWN_CODE, "killed", text).await;
        }
    };
    supervise::process(watch, process, place).await;
}

/// Whether trying again soon would only fill a log there.
fn lets_nobody_in(error: &LaunchError) -> bool {
    matches!(as_result(error).1, "host_key" | "authentication_failed")
}

/// The code of a run of which it is not known how it ended.
const UNKNOWN_CODE: i32 = 255;
