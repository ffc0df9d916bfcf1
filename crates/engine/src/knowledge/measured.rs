//! What a command would delete, move or change, counted before it does.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wharf_model::{CommandText, Target};
use wharf_shell::measure::{MeasurePlan, measure_plan};

use crate::engine::Inner;
use crate::error::Error;
use crate::measure::{Measured, measure};
use crate::places;

/// How long counting may take when it is asked for.
pub const WITHIN: Duration = Duration::from_secs(2);

/// How long counting may hold up the question whether a command may run.
const BEFORE_A_QUESTION: Duration = Duration::from_secs(1);

/// Measurements, and readings of long outputs, at once.
pub(crate) const AT_ONCE: usize = 4;

/// Counts what the command would touch; none when it deletes, moves and changes nothing.
pub(crate) async fn measured(
    inner: &Inner,
    command: &CommandText,
    cwd: &str,
) -> Result<Option<Measured>, Error> {
    let plan = plan(inner, command, cwd);
    if plan.is_empty() {
        return Ok(None);
    }
    let full = || Error::Busy {
        what: "measuring",
        limit: AT_ONCE,
        retry_after: WITHIN,
    };
    let place = Arc::clone(&inner.heavy).acquire_owned();
    let place = tokio::time::timeout(WITHIN, place).await;
    let place = place.map_err(|_| full())?.map_err(|_| Error::Stopping)?;
    let counting = tokio::task::spawn_blocking(move || {
        let _place = place;
        measure(&plan, WITHIN)
    });
    let counted = counting.await;
    counted
        .map(Some)
        .map_err(|error| Error::internal("counting what a command would touch", error))
}

/// The same for a question, which does not wait for a place.
pub(crate) async fn before_a_yes(
    inner: &Inner,
    command: &CommandText,
    cwd: &str,
) -> Option<Measured> {
    let plan = plan(inner, command, cwd);
    if plan.is_empty() {
        return None;
    }
    let place = Arc::clone(&inner.heavy).try_acquire_owned().ok()?;
    let counting = tokio::task::spawn_blocking(move || {
        let _place = place;
        measure(&plan, BEFORE_A_QUESTION)
    });
    counting.await.ok()
}

fn plan(inner: &Inner, command: &CommandText, cwd: &str) -> MeasurePlan {
    if !Path::new(cwd).is_absolute() {
        return MeasurePlan::default();
    }
    let context = places::context(inner, &Target::Local, None, cwd);
    measure_plan(command.as_str(), &context)
}
