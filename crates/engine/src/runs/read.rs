//! Questions about runs and their output.

use std::time::Duration;

use bytes::Bytes;
use wharf_exec::journal::{self, Kept, Totals};
use wharf_model::{Caller, RunId, SessionId, Timestamp};
use wharf_store::db::{Page, RunRow};

use super::start::Found;
use crate::engine::Inner;
use crate::error::Error;
use crate::request::Stream;
use crate::view::{OutputChunk, RunView};

/// The most bytes that are looked through for the last lines.
const TAIL_BYTES: u64 = 1024 * 1024;

/// The caller's latest runs, newest first.
pub(crate) async fn recent(
    inner: &Inner,
    caller: &Caller,
    limit: usize,
) -> Result<Vec<RunView>, Error> {
    let ahead = inner.catch_up_for_reading().await;
    let page = Page {
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        ..Page::default()
    };
    let (name, database) = (caller.name(), &inner.parts.database);
    let scopes = &caller.grants().scopes;
    let mut rows = Vec::new();
    if scopes.confine() {
        for session in scopes.bound_to() {
            let session = session.as_str();
            let its = database.session_runs(name, session, page.clone()).await;
            let its = its.map_err(Error::from_database)?;
            rows.extend(ahead.page(name, Some(session), &page, its));
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.cursor()));
        rows.truncate(limit);
    } else {
        let its = database.recent_runs(name, None, page.clone()).await;
        let its = its.map_err(Error::from_database)?;
        rows = ahead.page(name, None, &page, its);
    }
    Ok(rows.iter().map(|row| live_view(inner, row)).collect())
}

/// A range of a stream.
pub(crate) fn range(
    inner: &Inner,
    run: &Found,
    stream: Stream,
    offset: u64,
    limit: usize,
) -> Result<OutputChunk, Error> {
    let failed = |error| Error::internal("reading the output", error);
    match run {
        Found::Here(run) => {
            let totals = run.output.totals();
            let total = pick(stream, totals.stdout, totals.stderr);
            let bytes = run
                .output
                .read(kept(stream), offset, limit)
                .map_err(failed)?;
            // What is not there although it was written was dropped; what comes later may be.
            let dropped = total.saturating_sub(run.output.kept(kept(stream)));
            Ok(OutputChunk {
                bytes,
                total,
                dropped,
                running: !totals.finished,
            })
        }
        Found::Stored(row) => {
            let source = reopen(inner, row)?;
            let total = pick(stream, row.stdout_bytes, row.stderr_bytes);
            let there = source.len(kept(stream)).map_err(failed)?;
            // Stragglers may have written on after the record was closed.
            let total = u64::try_from(total).unwrap_or(0).max(there);
            let bytes = source.read(kept(stream), offset, limit).map_err(failed)?;
            Ok(OutputChunk {
                bytes,
                total,
                dropped: total - there,
                running: false,
            })
        }
    }
}

/// The last lines of a stream.
pub(crate) fn tail(
    inner: &Inner,
    run: &Found,
    stream: Stream,
    lines: usize,
) -> Result<OutputChunk, Error> {
    let end = range(inner, run, stream, u64::MAX, 0)?;
    let begin = (end.total - end.dropped).saturating_sub(TAIL_BYTES);
    let limit = usize::try_from(TAIL_BYTES).unwrap_or(usize::MAX);
    let mut chunk = range(inner, run, stream, begin, limit)?;
    chunk.bytes = last_lines(&chunk.bytes, lines);
    Ok(chunk)
}

fn last_lines(bytes: &Bytes, lines: usize) -> Bytes {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let begin = memchr::memrchr_iter(b'\n', body)
        .nth(lines.saturating_sub(1))
        .map_or(0, |at| at + 1);
    if lines == 0 {
        Bytes::new()
    } else {
        bytes.slice(begin..)
    }
}

/// Waits for more output, the end, or the time; true when no more will come.
pub(crate) async fn changed(run: &Found, stdout: u64, stderr: u64, at_most: Duration) -> bool {
    let Found::Here(run) = run else { return true };
    let seen = Totals {
        stdout,
        stderr,
        finished: false,
    };
    let news = async {
        tokio::select! {
            () = run.output.changed(seen) => {}
            // Stragglers of a run in the foreground may be quiet for long.
            _ = run.await_end(), if !run.background => {}
        }
    };
    let _nothing_new = tokio::time::timeout(at_most, news).await;
    let ended = run.end().is_some();
    // For a run in the foreground the answer ends the stream, whatever stragglers still write.
    if run.background {
        run.output.totals().finished
    } else {
        ended
    }
}

/// What the journal keeps of a stored run.
pub(crate) fn reopen(inner: &Inner, row: &RunRow) -> Result<Kept, Error> {
    let place = row.output_location.as_deref().unwrap_or_default();
    match inner.parts.journal.reopen(&id_of(row), place) {
        Ok(kept) => Ok(kept),
        // It was swept away: the counts remain, the bytes do not.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Kept::default()),
        Err(error) => Err(Error::internal("reading the output", error)),
    }
}

/// A row's view, fresher where the run is still here.
pub(crate) fn live_view(inner: &Inner, row: &RunRow) -> RunView {
    match inner.runs.get(&id_of(row)) {
        Some(run) => run.view(),
        None => view_of(row),
    }
}

pub(crate) fn view_of(row: &RunRow) -> RunView {
    RunView {
        run: id_of(row),
        state: match row.state.as_str() {
            "running" => "running",
            "lost" => "lost",
            "refused" => "refused",
            _ => "done",
        },
        command: row.command.clone(),
        session: row
            .session_id
            .as_deref()
            .and_then(|id| SessionId::parse(id).ok()),
        exit_code: row.exit_code.and_then(|code| i32::try_from(code).ok()),
        pid: None,
        started: Timestamp::from_millis(row.started_ms),
        ended: row.ended_ms.map(Timestamp::from_millis),
        stdout_bytes: u64::try_from(row.stdout_bytes).unwrap_or(0),
        stderr_bytes: u64::try_from(row.stderr_bytes).unwrap_or(0),
        risk: Some(row.risk.clone()),
        verdict: Some(row.verdict.clone()),
        audit_seq: u64::try_from(row.seq_opened).ok(),
        error: error_of(row).map(|(kind, text)| (kind.to_owned(), text)),
    }
}

/// A stored error's kind, with its sentence.
pub(crate) fn error_of(row: &RunRow) -> Option<(&'static str, String)> {
    let (kind, text) = match row.error_kind.as_deref()? {
        "timeout" => ("timeout", "ended at its time limit"),
        "needs_input" => ("needs_input", "it wanted a terminal, and there is none"),
        "background_full" => (
            "background_full",
            "what it left running was ended: too many background commands ran",
        ),
        "killed" => ("killed", "ended on request"),
        "not_found" => ("not_found", "the program was not found"),
        "not_executable" => ("not_executable", "the program could not be executed"),
        "lost" => (
            "lost",
            "the server ended while it ran, and it with the server",
        ),
        _ => ("failed", "it could not be run"),
    };
    Some((kind, text.to_owned()))
}

/// The row's own id. The database holds only ids that this server made.
pub(crate) fn id_of(row: &RunRow) -> RunId {
    RunId::parse(&row.id).unwrap_or_else(|_| RunId::none())
}

const fn kept(stream: Stream) -> journal::Stream {
    match stream {
        Stream::Stdout => journal::Stream::Stdout,
        Stream::Stderr => journal::Stream::Stderr,
    }
}

fn pick<T>(stream: Stream, stdout: T, stderr: T) -> T {
    match stream {
        Stream::Stdout => stdout,
        Stream::Stderr => stderr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_text() {
        let text = Bytes::from_static(b"one\ntwo\nthree\n");
        assert_eq!(last_lines(&text, 2), "two\nthree\n");
        assert_eq!(last_lines(&text, 9), "one\ntwo\nthree\n");
        assert_eq!(last_lines(&text, 0), "");
        assert_eq!(last_lines(&Bytes::from_static(b"one\ntwo"), 1), "two");
    }
}
