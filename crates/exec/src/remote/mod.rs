//! Another machine as a place where commands run, over channels that `wharf_ssh` opens.
//!
//! Nothing is installed there. A channel's command is `words::ENTRY`, which means the same to sh,
//! bash, zsh, fish and csh; the program proper is the first line on its input. What a login shell
//! prints before that runs is dropped up to a random mark.
//!
//! # A shell and its guard
//!
//! Each shell, a session's (`shell`) or one for stateless runs (`lane`), has two channels:
//!
//! - **The shell's.** Its input brings commands; its standard output and error are the commands'.
//! - **The guard's** (`guard`). Its output brings reports, which the shell writes into a FIFO; on
//!   its input go requests: signals, lists of processes, the watch for a job. When its input ends,
//!   for whatever reason, it kills all that is left of the shell and removes the state directory.
//!
//! A command is one message and one answer, so that it takes one round trip: the text, its number
//! and a random mark go out together. After the command the shell reads the mark, which the command
//! never saw, writes it to both outputs, and reports. A bash reports behind the mark in its standard
//! output where that is one write, which nobody's bytes can get into: that takes the far side one
//! process and one packet less. Else the mark is followed by a word that says so, and the report
//! goes through the FIFO. The output is whole when report and both marks are there. What decides
//! the code is the report alone; a mark only says where output ends.
//! The program of a session in bash is that of this machine (`shell/script.rs`) with other
//! surroundings, and what is said there about its words holds here.
//!
//! Descriptors of ours (54 to 59 in bash, 6 to 9 in another shell) are closed while a command runs,
//! but for the **leash**, 55: whoever inherits it may still write, which the shell sees by looking at
//! its other end. Then the outputs are left to those who still write to them, and the shell moves to
//! a pair of FIFOs with a channel of their own (`pair`), before the next command needs it.
//!
//! The state directory is `wharf/ID@NODE` below the user's cache, else below `XDG_RUNTIME_DIR`, else
//! a new one below `TMPDIR`; it has mode 0700 and holds FIFOs, a command's input while it runs, and
//! the number of its owner. What was killed together with its guard is swept at the next start.
//!
//! # Which processes are a command's
//!
//! Those below the shell, in its session, or with its tag in their environment (`words::TAG`), and
//! what descends from them, that started between the end of the last command and the end of this
//! one. Where there is no `/proc`, `ps` tells only who is below the shell, and all of those count.
//!
//! # What a command could do
//!
//! By accident, nothing: it finds no descriptor of ours, and no mark before it has ended. On purpose
//! it can do what its account can: find the FIFO and write a report (of another number: dropped; of
//! no sense: the shell is given up; of its own number: it has lied about its own code), kill the
//! shell or the guard (told as a fault, and a new shell takes over), or start a process that has
//! left the session, lost its parent and emptied its environment, all three, which nobody finds.
//! It cannot make us run a text twice, wait for ever, or take a later command's output.
//!
//! # What shells other than bash cannot do
//!
//! The same holds in dash and busybox's ash, but: `PIPESTATUS` and traps other than of signals are
//! not theirs; what the user opens as 6 to 9 is closed after the command; `return` at the top ends
//! the shell (which is restored), and in a stateless run `break` outside of a loop ends the text;
//! `set -x` shows our `eval` as well; only a job of the shell itself is told from its command's
//! output, not what a program leaves running by itself; a job is known as long as `wait` knows it.
//!
//! # Runs that outlive the connection
//!
//! `durable` has a holder in plain sh, a session of its own, and files that are read by offset.
//!
//! # Limits
//!
//! A link that is lost ends what ran over it, save for durable runs, and nothing is run again.
//! [`Tree::members_in`](crate::Tree::members_in) knows what was seen last. LVM's tools complain
//! about the leash.

mod askpass;
mod durable;
mod durable_words;
mod facts;
mod flow;
mod guard;
mod guard_words;
mod hosts;
mod input;
mod kept;
mod lane;
mod line;
mod pair;
mod process;
mod shell;
mod test;
mod tree;
mod words;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::{Entropy, Secret};

pub(crate) use flow::Flow;
pub(crate) use line::past_noise;
pub(crate) use words::ENTRY;

pub use durable::{Durable, DurableEnd, DurableError, DurableRun, HOST_CAP};
pub use hosts::{MAX_PLACES, SshHosts};
use wharf_ssh::Opener;
pub use wharf_ssh::{
    Credentials as Access, HostKey, HostKeyRefusal, SessionState as HostState, Standing, Step,
    TrustError, Trusted,
};

use crate::askpass::Askpass;
use crate::executor::{BoxFuture, Executor, Launch, LaunchError, Process, Shell, ShellStart};
use crate::journal::RunOutput;
use crate::pool::{self, Pool};
use kept::KeptProcess;
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

const NO_MORE: &str = "no more is started on the host";

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
    /// One for each lane that there is: runs that take each other's open no more than are needed.
    rooms: Arc<Semaphore>,
    /// A lane has come back.
    back: Notify,
    /// A lane is being opened ahead of need.
    opening: AtomicBool,
    /// One shell gets its channels at a time: of several that have one of their two each, none
    /// would get the other where a host gives few.
    channels: Mutex<()>,
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
            Ok(Err(_)) => Err(line::broken(NO_MORE)),
            Err(_) => Err(line::broken(
                "as many commands run on the host as may at once; end one, or use a session",
            )),
        }
    }

    /// A lane that is there or comes back, or a new one, whichever is first; another is opened for
    /// whoever comes next.
    async fn lane(self: &Arc<Self>) -> Result<Lane, LaunchError> {
        let mut opening = None;
        loop {
            let back = self.back.notified();
            while let Some(mut lane) = self.lanes.take() {
                if lane.is_quiet().await {
                    if self.lanes.is_empty() {
                        self.open_ahead();
                    }
                    return Ok(lane);
                }
            }
            let told = match &mut opening {
                Some(told) => tokio::select! {
                    () = back => continue,
                    told = told => told,
                },
                None => tokio::select! {
                    () = back => continue,
                    room = Arc::clone(&self.rooms).acquire_owned() => {
                        let room = room.map_err(|_| line::broken(NO_MORE))?;
                        opening = Some(self.open_another(room));
                        continue;
                    }
                },
            };
            // Where it was opened and another run was quicker to take it, another is opened.
            opening = None;
            let Ok(error) = told else { continue };
            // Where a host gives no more channels, another run's lane will do.
            let others = MAX_LANES.saturating_sub(self.permits.available_permits());
            if others <= 1 {
                return Err(error);
            }
            let back = tokio::time::timeout(PLACE_PATIENCE, self.back.notified());
            if back.await.is_err() {
                return Err(error);
            }
        }
    }

    /// Opens a lane that goes to whoever takes it first; why not, where that fails.
    fn open_another(
        self: &Arc<Self>,
        room: OwnedSemaphorePermit,
    ) -> oneshot::Receiver<LaunchError> {
        let (failed, told) = oneshot::channel();
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            match Lane::open(&shared, room).await {
                Ok(lane) => shared.put(lane),
                Err(error) => {
                    let _gone_away = failed.send(error);
                }
            }
        });
        told
    }

    /// Gives a lane to whoever needs one.
    fn put(&self, lane: Lane) {
        self.lanes.put(lane);
        self.back.notify_one();
    }

    fn open_ahead(self: &Arc<Self>) {
        if self.permits.available_permits() == 0 || self.opening.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            // Whoever needs one and finds none opens it and hears why that fails.
            if let Ok(room) = Arc::clone(&shared.rooms).try_acquire_owned()
                && let Ok(lane) = Lane::open(&shared, room).await
            {
                shared.put(lane);
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
            rooms: Arc::new(Semaphore::new(MAX_LANES)),
            back: Notify::new(),
            opening: AtomicBool::new(false),
            channels: Mutex::new(()),
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
        self.shared.rooms.close();
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
            if launch.keep {
                let process = KeptProcess::launch(&self.shared, launch).await?;
                return Ok(Box::new(process) as Box<dyn Process>);
            }
            let process = LaneProcess::launch(&self.shared, launch).await?;
            Ok(Box::new(process) as Box<dyn Process>)
        })
    }

    fn adopt(
        &self,
        handle: &str,
        output: Arc<RunOutput>,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, LaunchError>> {
        let adopted = KeptProcess::adopt(&self.shared, handle, output);
        Box::pin(std::future::ready(
            adopted.map(|process| Box::new(process) as Box<dyn Process>),
        ))
    }

    fn shell(&self, start: ShellStart) -> BoxFuture<'_, Result<Box<dyn Shell>, LaunchError>> {
        Box::pin(async move {
            let shell = match RemoteShell::start(&self.shared, &start).await {
                Err(error) if !matches!(error, LaunchError::Cwd { .. }) => {
                    // Idle lanes may have taken the channels that it needs.
                    let idle: Vec<Lane> = std::iter::from_fn(|| self.shared.lanes.take()).collect();
                    if idle.is_empty() {
                        return Err(error);
                    }
                    drop(idle);
                    RemoteShell::start(&self.shared, &start).await?
                }
                started => started?,
            };
            Ok(Box::new(shell) as Box<dyn Shell>)
        })
    }

    fn askpass(&self, password: Secret) -> BoxFuture<'_, Result<Askpass, LaunchError>> {
        Box::pin(askpass::start(&self.shared, password))
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
