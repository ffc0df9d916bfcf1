//! What happens without anybody asking: the database follows the record, idle sessions end, old
//! output goes.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::engine::Inner;
use crate::{approvals, record, runs, sessions};

/// How far the database may be behind the record when nobody asks.
const FOLLOW: Duration = Duration::from_secs(1);
/// Entries since the last look above which the database waits for a quieter moment, and how many
/// looks it waits at the most.
const BUSY: u64 = 500;
const MAX_PUT_OFF: u32 = 10;
/// [`FOLLOW`] and [`MAX_PUT_OFF`] where other servers ask the database about what runs here.
const FOLLOW_SHARED: Duration = Duration::from_millis(250);
const MAX_PUT_OFF_SHARED: u32 = 2;
/// How often it is looked whether an end is to be recorded late.
const LATE: Duration = Duration::from_secs(1);
/// How often sessions are looked at.
const SESSIONS: Duration = Duration::from_secs(1);
/// How often old output and old keys are looked for.
const SWEEP: Duration = Duration::from_secs(600);

/// How far the database has followed the record.
#[derive(Default)]
pub(crate) struct Followed {
    seen: u64,
    done: u64,
    put_off: u32,
}

pub(crate) fn start(inner: &Arc<Inner>) {
    let follow = match inner.parts.database.is_shared() {
        true => FOLLOW_SHARED,
        false => FOLLOW,
    };
    spawn(inner, follow, |inner| async move {
        if let Err(error) = inner.follow().await {
            tracing::warn!(target: "system", %error, "the database is behind the record");
        }
    });
    spawn(inner, LATE, |inner| async move {
        let tried = tokio::task::spawn_blocking(move || record::close_late(&inner, false));
        if let Err(error) = tried.await {
            tracing::error!(target: "audit", %error, "recording late ends failed");
        }
    });
    spawn(inner, SESSIONS, |inner| async move {
        inner.runs.count_written();
        sessions::end::idle(&inner).await;
        approvals::expire(&inner).await;
        sessions::state::flush(&inner).await;
    });
    spawn(inner, SWEEP, |inner| async move {
        if let Err(error) = runs::idempotency::forget_old(&inner).await {
            tracing::warn!(target: "system", %error, "old keys are not forgotten");
        }
        inner.sweep().await;
    });
}

/// Does `work` again and again, until the engine stops.
pub(crate) fn spawn<F: Future<Output = ()> + Send>(
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
        if self.shall_follow(head) {
            self.catch_up().await
        } else {
            Ok(())
        }
    }

    /// Whether there is something new and this is a moment for it.
    fn shall_follow(&self, head: u64) -> bool {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let new = head.saturating_sub(std::mem::replace(&mut followed.seen, head));
        let most = match self.parts.database.is_shared() {
            true => MAX_PUT_OFF_SHARED,
            false => MAX_PUT_OFF,
        };
        if new > BUSY && followed.put_off < most {
            followed.put_off += 1;
            return false;
        }
        followed.put_off = 0;
        std::mem::replace(&mut followed.done, head) != head
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
