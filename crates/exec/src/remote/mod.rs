//! Another machine as a place where commands run, over channels that somebody else opens.
mod durable;
mod durable_words;
mod flow;
mod guard;
mod guard_words;
mod input;
mod lane;
mod line;
mod pair;
mod process;
mod shell;
mod tree;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::Entropy;

pub use durable::{Durable, DurableEnd, DurableError, DurableRun, HOST_CAP};
use wharf_ssh::Opener;

use crate::executor::{BoxFuture, Executor, Launch, LaunchError, Process, Shell, ShellStart};
use crate::pool::{self, Pool};
use lane::Lane;
use process::LaneProcess;
use shell::RemoteShell;

/// Stateless runs at once on one host; more wait. Each takes two channels, and a host gives 48
/// (`wharf_ssh::pool`), some of which are for sessions.
pub const MAX_LANES: usize = 16;
/// How long a run waits for its place among the others.
const PLACE_PATIENCE: Duration = Duration::from_secs(60);
/// How often lanes beyond the need are let go.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// From the end of the work on a host to the end of what it left there.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// Runs commands on one host as one user.
pub struct RemoteExecutor {
    shared: Arc<Shared>,
    stop: CancellationToken,
}

pub(crate) struct Shared {
    opener: Arc<dyn Opener>,
    entropy: Arc<dyn Entropy>,
    tasks: TaskTracker,
    lanes: Pool<Lane>,
    permits: Arc<Semaphore>,
    /// A lane is being opened ahead of need.
    opening: AtomicBool,
}

impl Shared {
    /// Letters and digits that nobody can guess.
    fn random(&self, letters: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
        let mut bytes = vec![0; letters];
        self.entropy.fill(&mut bytes);
        let letter = |byte: u8| {
            let at = usize::from(byte % 32);
            ALPHABET.get(at).copied().unwrap_or(b'a')
        };
        bytes
            .into_iter()
            .map(|byte| char::from(letter(byte)))
            .collect()
    }

    /// A place among the runs at once.
    async fn place(&self) -> Result<OwnedSemaphorePermit, LaunchError> {
        let place = Arc::clone(&self.permits).acquire_owned();
        match tokio::time::timeout(PLACE_PATIENCE, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(line::broken("no more is started on the host")),
            Err(_) => Err(line::broken(
                "as many commands run on the host as may at once; end one, or use a session",
            )),
        }
    }

    /// A lane that is there, or a new one; another is opened for whoever comes next.
    async fn lane(self: &Arc<Self>) -> Result<Lane, LaunchError> {
        while let Some(mut lane) = self.lanes.take() {
            if lane.is_quiet().await {
                if self.lanes.is_empty() {
                    self.open_ahead();
                }
                return Ok(lane);
            }
        }
        let lane = Lane::open(self).await?;
        self.open_ahead();
        Ok(lane)
    }

    fn open_ahead(self: &Arc<Self>) {
        if self.permits.available_permits() == 0 || self.opening.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            // Whoever needs one and finds none opens it and hears why that fails.
            if let Ok(lane) = Lane::open(&shared).await {
                shared.lanes.put(lane);
            }
            shared.opening.store(false, Ordering::Release);
        });
    }
}

impl RemoteExecutor {
    /// For the host to which `opener` opens channels. Nothing is opened before it is needed.
    #[must_use]
    pub fn new(opener: Arc<dyn Opener>, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        let shared = Arc::new(Shared {
            opener,
            entropy,
            tasks: TaskTracker::new(),
            lanes: Pool::new(),
            permits: Arc::new(Semaphore::new(MAX_LANES)),
            opening: AtomicBool::new(false),
        });
        let stop = CancellationToken::new();
        let kept = housekeeping(Arc::downgrade(&shared));
        shared
            .tasks
            .spawn(stop.clone().run_until_cancelled_owned(kept));
        Arc::new(Self { shared, stop })
    }

    /// Ends the idle lanes, and waits until what ended here has also gone on the host.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.shared.lanes.close();
        self.shared.permits.close();
        self.shared.tasks.close();
        let ended = tokio::time::timeout(END_PATIENCE, self.shared.tasks.wait()).await;
        if ended.is_err() {
            tracing::warn!(target: "system", "a host takes too long to end what ran there");
        }
    }
}

impl Drop for RemoteExecutor {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.lanes.close();
    }
}

impl Executor for RemoteExecutor {
    fn launch(&self, launch: Launch) -> BoxFuture<'_, Result<Box<dyn Process>, LaunchError>> {
        Box::pin(async move {
            let process = LaneProcess::launch(&self.shared, launch).await?;
            Ok(Box::new(process) as Box<dyn Process>)
        })
    }

    fn shell(&self, start: ShellStart) -> BoxFuture<'_, Result<Box<dyn Shell>, LaunchError>> {
        Box::pin(async move {
            let shell = RemoteShell::start(&self.shared, &start).await?;
            Ok(Box::new(shell) as Box<dyn Shell>)
        })
    }
}

async fn housekeeping(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(HOUSEKEEPING).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        drop(shared.lanes.trim(pool::IDLE_KEPT));
    }
}
