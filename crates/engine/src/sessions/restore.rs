//! Sessions of an earlier process: they live on, with a new shell at their next command.

use std::sync::Arc;

use super::state::Session;
use crate::engine::Inner;
use crate::error::Error;

pub(crate) async fn all(inner: &Arc<Inner>) -> Result<(), Error> {
    let rows = inner
        .parts
        .database
        .live_sessions()
        .await
        .map_err(Error::from_database)?;
    let now = inner.parts.clock.now();
    for row in rows {
        let Some(session) = Session::from_row(&row, &inner.options.seal_key, now) else {
            continue;
        };
        if inner
            .sessions
            .insert(
                &Arc::new(session),
                inner.options.limits.sessions,
                |_| Ok(()),
            )
            .is_err()
        {
            tracing::warn!(target: "system", "more sessions are stored than may live; the rest waits");
            break;
        }
    }
    Ok(())
}
