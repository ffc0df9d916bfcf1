//! A background job of a session's shell: until its end, and how that came.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wharf_exec::BoxFuture;

use super::state::{Living, Session};
use crate::engine::Inner;
use crate::runs::Run;
use crate::runs::supervise::{self, TIMEOUT_CODE, Why};

/// How long a job that was ended on request waits for its shell to be free to say how it ended.
/// After that the signal tells.
const ASK_PATIENCE: Duration = Duration::from_secs(2);
/// What a signal's number is added to in an exit code.
const BY_SIGNAL: i32 = 128;

/// The job.
pub(super) struct Job {
    pid: u32,
    /// The shell that started it.
    generation: u64,
    /// When it is to be ended.
    deadline: Option<(Instant, Duration)>,
}

/// Its end.
#[derive(Default)]
pub(super) struct JobEnd {
    pub(super) code: Option<i32>,
    pub(super) error: Option<(&'static str, String)>,
}

impl Job {
    pub(super) fn of(pid: u32, living: &Living, limit: Option<Duration>) -> Self {
        Self {
            pid,
            generation: living.generation,
            deadline: limit.map(|limit| (Instant::now() + limit, limit)),
        }
    }

    /// Waits for its end and asks its shell how that was: the shell alone is told by the system.
    /// A shell that is busy answers when its command has ended.
    pub(super) async fn see_through(
        self,
        inner: &Inner,
        session: &Session,
        run: &Arc<Run>,
        rest: Option<BoxFuture<'static, ()>>,
    ) -> JobEnd {
        let (by, why) = self.gone(inner, run, rest).await;
        let asked = self.ask(session);
        let told = match by {
            Some(_) => tokio::time::timeout(ASK_PATIENCE, asked)
                .await
                .ok()
                .flatten(),
            None => tokio::select! {
                told = asked => told,
                () = run.cancellation().cancelled() => None,
            },
        };
        let code = told.or(by.map(|signal| BY_SIGNAL + signal));
        JobEnd {
            code: match why {
                Some(Why::Timeout(_)) => Some(TIMEOUT_CODE),
                _ => code,
            },
            error: why.map(|why| why.explain(false)),
        }
    }

    /// Waits until nothing of it is left; by which signal and why it was ended, if it was.
    async fn gone(
        &self,
        inner: &Inner,
        run: &Arc<Run>,
        rest: Option<BoxFuture<'static, ()>>,
    ) -> (Option<i32>, Option<Why>) {
        let (Some(rest), Some(tree)) = (rest, run.tree()) else {
            return (None, None);
        };
        let mut timed_out = None;
        let ends = supervise::stragglers_end(inner, run, &tree, rest);
        let mut ends = std::pin::pin!(ends);
        let by = loop {
            tokio::select! {
                by = &mut ends => break by,
                limit = self.time_is_up(), if timed_out.is_none() => {
                    timed_out = limit.map(Why::Timeout);
                    run.cancellation().cancel();
                }
            }
        };
        let cancelled = || {
            if inner.cancelled.is_cancelled() {
                Why::Stopping
            } else {
                Why::Cancelled
            }
        };
        (by, by.map(|_| timed_out.unwrap_or_else(cancelled)))
    }

    async fn time_is_up(&self) -> Option<Duration> {
        match self.deadline {
            Some((at, limit)) => {
                tokio::time::sleep_until(at).await;
                Some(limit)
            }
            None => std::future::pending().await,
        }
    }

    async fn ask(&self, session: &Session) -> Option<i32> {
        let mut living = Arc::clone(&session.living).lock_owned().await;
        if living.generation != self.generation {
            return None;
        }
        let status = living.shell.as_mut()?.job_status(self.pid).await?;
        Some(status.code())
    }
}
