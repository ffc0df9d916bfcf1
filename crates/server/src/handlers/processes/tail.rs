//! The last lines of a process, for the two routes that answer with them.

use std::ops::RangeInclusive;

use wharf_api::LogLines;
use wharf_engine::{OutputChunk, ProcessView, Stream};

use crate::convert::text::decode;
use crate::convert::view;
use crate::error::Failure;
use crate::extract::query::size;
use crate::middleware::gate::Context;
use crate::state::App;

/// How many lines may be asked for.
pub(crate) const LINES: RangeInclusive<u64> = 1..=10_000;
/// How many there are unless the request says otherwise.
pub(crate) const DEFAULT_LINES: u64 = 50;

pub(crate) async fn lines(
    app: &App,
    context: &Context,
    process: &ProcessView,
    lines: u64,
) -> Result<LogLines, Failure> {
    let run = &process.run.run;
    let (caller, lines) = (&context.caller, size(lines));
    let stdout = app.engine.tail(caller, run, Stream::Stdout, lines).await?;
    let stderr = app.engine.tail(caller, run, Stream::Stderr, lines).await?;
    Ok(LogLines {
        pid: process.pid,
        command_id: run.to_string(),
        stdout: decode(&stdout.bytes).0.into_owned(),
        stderr: decode(&stderr.bytes).0.into_owned(),
        stdout_bytes: stdout.total,
        stderr_bytes: stderr.total,
        running: view::is_running(process),
    })
}

/// Where a stream's last `lines` begin.
pub(crate) fn begins(chunk: &OutputChunk) -> u64 {
    let kept = chunk.total.saturating_sub(chunk.dropped);
    kept.saturating_sub(u64::try_from(chunk.bytes.len()).unwrap_or(u64::MAX))
}
