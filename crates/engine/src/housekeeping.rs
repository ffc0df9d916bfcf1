//! What happens without anybody asking: the database follows the record, idle sessions end, old
//! output goes.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Inner;
use crate::sessions;

/// How far the database may be behind the record when nobody asks.
const FOLLOW: Duration = Duration::from_secs(1);
/// How often sessions are looked at.
const SESSIONS: Duration = Duration::from_secs(1);
/// How often old output is looked for.
const SWEEP: Duration = Duration::from_secs(600);

pub(crate) fn start(inner: &Arc<Inner>) {
    spawn(inner, FOLLOW, |inner| async move {
        if let Err(error) = inner.follow().await {
            tracing::warn!(target: "system", %error, "the database is behind the record");
        }
    });
    spawn(inner, SESSIONS, |inner| async move {
        sessions::end::idle(&inner).await;
        sessions::state::flush(&inner).await;
    });
    spawn(inner, SWEEP, |inner| async move { inner.sweep().await });
}

/// Does `work` again and again, until the engine stops.
fn spawn<F: Future<Output = ()> + Send>(
    inner: &Arc<Inner>,
    every: Duration,
    work: impl Fn(Arc<Inner>) -> F + Send + 'static,
) {
    let inner = Arc::clone(inner);
    let stopping = inner.stopping.clone();
    let tasks = inner.tasks.clone();
    tasks.spawn(stopping.run_until_cancelled_owned(async move {
        loop {
            tokio::time::sleep(every).await;
            work(Arc::clone(&inner)).await;
        }
    }));
}

impl Inner {
    async fn follow(&self) -> Result<(), crate::Error> {
        let head = self.parts.audit.head().seq;
        if self
            .followed
            .swap(head, std::sync::atomic::Ordering::Relaxed)
            == head
        {
            return Ok(());
        }
        self.catch_up().await
    }

    async fn sweep(self: Arc<Self>) {
        let now = self.parts.clock.now().millis();
        let swept = tokio::task::spawn_blocking(move || {
            self.parts.journal.sweep(now, &|run| self.runs.is_open(run))
        });
        match swept.await {
            Ok(Ok(swept)) if swept.files > 0 => {
                tracing::info!(target: "system", files = swept.files, bytes = swept.bytes, "removed old output");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(target: "system", %error, "old output cannot be removed");
            }
            Err(error) => tracing::error!(target: "system", %error, "removing old output failed"),
        }
    }
}
