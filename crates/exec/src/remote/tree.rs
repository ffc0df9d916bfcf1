//! Which processes on the far side belong to one command, asked of the shell's guard.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::time::Duration;

use tokio::sync::Notify;

use super::guard::Guard;
use crate::executor::Tree;
use crate::tree::Processes;

/// How long whoever signals waits for the far side to say that it is done.
const ACT_PATIENCE: Duration = Duration::from_secs(20);
/// Later than anything.
pub(super) const FOREVER: u64 = 999_999_999_999_999;

/// The processes of one command.
#[derive(Debug)]
pub(super) struct RemoteTree {
    guard: Weak<Guard>,
    runtime: tokio::runtime::Handle,
    /// The far side's tick from which on processes are this command's.
    since: u64,
    /// The tick from which on they are another's; [`FOREVER`] while it runs.
    until: AtomicU64,
    /// See [`crate::ShellCommand::single`].
    single: bool,
    /// The shell is a session's, and may have to be ended with its command.
    living: bool,
    acts: Mutex<Acts>,
    idle: Notify,
    seen: Mutex<Vec<u32>>,
}

#[derive(Debug, Default)]
struct Acts {
    /// Requests that the far side has not answered yet.
    going: u32,
    /// The shell itself was ended.
    spoiled: bool,
    /// Something was signalled before the command's end was known.
    signalled: bool,
    /// The command has ended.
    over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Look,
    Signal,
    /// Ends what there is, and a session's shell with it.
    End,
}

impl RemoteTree {
    pub(super) fn new(guard: &Arc<Guard>, since: u64, single: bool, living: bool) -> Arc<Self> {
        Arc::new(Self {
            guard: Arc::downgrade(guard),
            runtime: tokio::runtime::Handle::current(),
            since,
            until: AtomicU64::new(FOREVER),
            single,
            living,
            acts: Mutex::default(),
            idle: Notify::new(),
            seen: Mutex::default(),
        })
    }

    /// Waits until nothing is being done to the processes; from then on what is done spares the
    /// shell and whatever it starts from `until` on. True: the shell was ended meanwhile.
    pub(super) async fn ends(&self, until: u64) -> bool {
        loop {
            let idle = self.idle.notified();
            let mut idle = std::pin::pin!(idle);
            idle.as_mut().enable();
            {
                let mut acts = self.acts();
                if acts.going == 0 || acts.over {
                    acts.over = true;
                    self.until.fetch_min(until, Ordering::AcqRel);
                    return acts.spoiled;
                }
            }
            idle.await;
        }
    }

    fn acts(&self) -> MutexGuard<'_, Acts> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the guard act, and waits for it. Not for a runtime's thread.
    fn act(
        self: &Arc<Self>,
        act: Act,
        line: impl FnOnce(u64, u64, u64, bool) -> String + Send + 'static,
    ) -> Option<String> {
        let guard = self.guard.upgrade()?;
        let current = {
            let mut acts = self.acts();
            if !acts.over {
                acts.going = acts.going.saturating_add(1);
                acts.spoiled |= act == Act::End && self.living;
                acts.signalled |= act != Act::Look;
            }
            !acts.over
        };
        let (since, until) = (self.since, self.until.load(Ordering::Acquire));
        let (sender, receiver) = mpsc::channel();
        let tree = Arc::clone(self);
        self.runtime.spawn(async move {
            let asked = guard.ask(|number| line(number, since, until, current && tree.living));
            let answer = tokio::time::timeout(ACT_PATIENCE, asked)
                .await
                .ok()
                .flatten();
            if current {
                let mut acts = tree.acts();
                acts.going = acts.going.saturating_sub(1);
                drop(acts);
                tree.idle.notify_waiters();
            }
            let _gave_up = sender.send(answer);
        });
        receiver.recv_timeout(ACT_PATIENCE).ok().flatten()
    }

    /// Something was signalled while the command was not known to have ended.
    pub(super) fn was_signalled(&self) -> bool {
        self.acts().signalled
    }

    fn is_current(&self) -> bool {
        !self.acts().over
    }

    /// The processes now.
    pub(super) async fn look(&self) -> Vec<u32> {
        let Some(guard) = self.guard.upgrade() else {
            return Vec::new();
        };
        let (since, until) = (self.since, self.until.load(Ordering::Acquire));
        let said = guard
            .ask(|number| format!("Q {number} {since} {until}"))
            .await;
        self.saw(said.as_deref().unwrap_or_default())
    }

    fn saw(&self, said: &str) -> Vec<u32> {
        let found = numbers(said);
        (*self.seen.lock().unwrap_or_else(PoisonError::into_inner)).clone_from(&found);
        found
    }
}

pub(super) fn numbers(said: &str) -> Vec<u32> {
    said.split_ascii_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// The tree as the engine holds it.
#[derive(Debug)]
pub(super) struct Held(pub(super) Arc<RemoteTree>);

impl Tree for Held {
    fn signal(&self, signal: i32) {
        let act =
            move |number, since, until, _: bool| format!("S {number} {since} {until} {signal}");
        self.0.act(Act::Signal, act);
    }

    fn end(&self) {
        if self.0.single || !self.0.living || !self.0.is_current() {
            return self.signal(libc::SIGTERM);
        }
        self.0.act(Act::End, |number, since, until, current| {
            if current {
                format!("E {number} {since} {until}")
            } else {
                format!("S {number} {since} {until} TERM")
            }
        });
    }

    fn kill(&self) {
        self.0.act(Act::End, |number, since, until, current| {
            format!("K {number} {since} {until} {}", u8::from(current))
        });
    }

    /// The guard is not asked for that.
    fn listens(&self) -> Option<Vec<u16>> {
        None
    }

    /// What was seen last: the processes of this machine say nothing about another's.
    fn members_in(&self, _: &Processes) -> Vec<u32> {
        self.0
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn members(&self) -> Vec<u32> {
        let act = |number, since, until, _: bool| format!("Q {number} {since} {until}");
        let said = self.0.act(Act::Look, act);
        self.0.saw(said.as_deref().unwrap_or_default())
    }
}
