//! Which processes belong to a shell, and to one of its commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::executor::Tree;
use crate::hold::Hold;
use crate::tree::Processes;
use crate::{sys, tree};

/// How long the programs of a longer text have between TERM and KILL.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// How long one of the system's ticks is.
const TICK: Duration = Duration::from_millis(10);
/// How often it is looked whether they are gone.
const END_PAUSE: Duration = Duration::from_millis(20);

/// The processes that a shell's current command started.
#[derive(Debug)]
pub(super) struct ShellTree {
    shell: Leader,
    since: u64,
    /// The tick at which the command ended; `u64::MAX` while it runs.
    until: AtomicU64,
    /// See [`crate::ShellCommand::single`].
    single: bool,
    hold: Arc<Hold>,
}

/// A shell's process, told from another that got its number later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leader {
    pid: i32,
    started: Option<u64>,
}

impl Leader {
    pub(super) fn new(pid: i32) -> Self {
        Self {
            pid,
            started: tree::started(pid),
        }
    }

    /// All processes below it, or left by it.
    pub(super) fn members(self) -> Vec<i32> {
        // As long as one of its session lives, the kernel gives its number to nobody else.
        let other = tree::started(self.pid).is_some_and(|tick| Some(tick) != self.started);
        if other {
            Vec::new()
        } else {
            tree::session_members(self.pid)
        }
    }

    /// Kills it alone.
    pub(super) fn kill(self) {
        self.signal(libc::SIGKILL);
    }

    fn signal(self, signal: i32) {
        if self.started.is_some() && tree::started(self.pid) == self.started {
            let _gone_already = sys::kill(self.pid, signal);
        }
    }
}

impl Tree for ShellTree {
    fn signal(&self, signal: i32) {
        self.hold
            .while_held(|| tree::signal(&self.current(), signal));
    }

    /// A shell whose program is ended goes on with the text behind it, which nobody wants to run
    /// any more. So it is held still while its programs end, and then ended too, unless nothing is
    /// left in the text.
    fn end(&self) {
        if self.single || !self.is_current() {
            return self.signal(libc::SIGTERM);
        }
        self.hold.while_held(|| {
            self.shell.signal(libc::SIGSTOP);
            tree::signal(&self.current(), libc::SIGTERM);
            let mut left = END_PATIENCE;
            while !left.is_zero() && !self.current().is_empty() {
                std::thread::sleep(END_PAUSE);
                left = left.saturating_sub(END_PAUSE);
            }
            tree::kill_until_gone(|| self.current());
            self.shell.signal(libc::SIGKILL);
        });
    }

    fn kill(&self) {
        self.hold.while_held(|| {
            if self.is_current() {
                self.shell.signal(libc::SIGKILL);
            }
            tree::kill_until_gone(|| self.current());
        });
    }

    fn members_in(&self, all: &Processes) -> Vec<u32> {
        let until = self.until.load(Ordering::Acquire);
        unsigned(all.session_members_between(self.shell.pid, self.since, until))
    }
}

impl ShellTree {
    /// The command has ended: what starts from now on is another's.
    pub(super) fn ends(&self) {
        self.until.store(tree::now() + 1, Ordering::Release);
    }

    /// Waits until what starts is told from what this command has started: the system counts in
    /// ticks, and what is left of a command may be ended while the next one runs.
    pub(super) async fn passed(&self) {
        while tree::now() < self.until.load(Ordering::Acquire) && !self.is_current() {
            tokio::time::sleep(TICK).await;
        }
    }

    /// For a command that begins at this moment.
    pub(super) fn now(shell: Leader, single: bool) -> Arc<Self> {
        Arc::new(Self {
            shell,
            since: tree::now(),
            until: AtomicU64::new(u64::MAX),
            single,
            hold: Hold::new(),
        })
    }

    fn is_current(&self) -> bool {
        self.until.load(Ordering::Acquire) == u64::MAX
    }

    fn current(&self) -> Vec<i32> {
        let until = self.until.load(Ordering::Acquire);
        Processes::now().session_members_between(self.shell.pid, self.since, until)
    }
}

/// Ends a shell and everything below it: TERM, after `grace` KILL.
pub(super) fn end_all(leader: Leader, grace: Duration) {
    let mut left = grace;
    let members = leader.members();
    tree::signal(&members, libc::SIGTERM);
    while !members.is_empty() && !left.is_zero() && !leader.members().is_empty() {
        std::thread::sleep(END_PAUSE);
        left = left.saturating_sub(END_PAUSE);
    }
    tree::kill_until_gone(|| leader.members());
    leader.signal(libc::SIGKILL);
    // What was started while the shell still lived.
    tree::kill_until_gone(|| leader.members());
}

pub(super) fn unsigned(pids: Vec<i32>) -> Vec<u32> {
    pids.into_iter()
        .filter_map(|pid| u32::try_from(pid).ok())
        .collect()
}
