//! A program that gets this terminal for as long as it runs.
//!
//! It is a job of ours, as those of a shell are: a process group of its own in the foreground, so
//! that what is typed (Ctrl-C, Ctrl-\, Ctrl-Z) and a new size of the window are for it alone. What
//! is sent to us by name goes on to it. When it is stopped we stop as well, with the terminal as it
//! was, and both go on together. However it ends, the terminal is put right and its code is ours.

use std::io;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{SigSet, Signal as NixSignal};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpgrp, kill_process_group, waitpid};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::sandbox::{Ended, raw};

/// What is sent to us and is meant for it.
const PASSED_ON: [Signal; 6] = [
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
];

/// Starts it in the foreground and waits for its end. Signals are passed on by a task of `runtime`,
/// since the thread that calls this does nothing but wait. It has to be the process's first: that is
/// the one which a stop reaches before anything else happens.
///
/// # Errors
/// When it cannot be started, or there is no terminal.
pub(super) fn hand_over(runtime: &Handle, command: &mut Command) -> io::Result<Ended> {
    use std::os::unix::process::CommandExt as _;

    let seat = Seat::take()?;
    let passing = Passing::begin(runtime)?;
    let child = command.process_group(0).spawn()?;
    let group = Pid::from_child(&child);
    passing.to(group);
    seat.give(group);
    let ended = seat.wait(group);
    passing.to_nobody();
    seat.take_back(group);
    seat.put_right(!matches!(ended, Ok(Ended::Code(0))));
    ended
}

/// The terminal as it was, and whose job we are.
struct Seat {
    own: Pid,
    before: Termios,
}

impl Seat {
    fn take() -> io::Result<Self> {
        Ok(Self {
            own: getpgrp(),
            before: tcgetattr(io::stdin())?,
        })
    }

    /// Puts a job into the foreground, if it is ours to give.
    fn give(&self, group: Pid) {
        if self.is_ours() {
            // Where this is no controlling terminal there are no jobs, and nothing to give.
            let _none = tcsetpgrp(io::stdin(), group);
        }
    }

    fn is_ours(&self) -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|front| front == self.own)
    }

    /// Takes the terminal back from a job, unless somebody else has it by now.
    fn take_back(&self, group: Pid) {
        if tcgetpgrp(io::stdin()).is_ok_and(|front| front == group) {
            // Who changes that from the background is stopped for it otherwise.
            let stop = SigSet::from(NixSignal::SIGTTOU);
            let blocked = stop.thread_block();
            let _gone = tcsetpgrp(io::stdin(), self.own);
            if blocked.is_ok() {
                let _same = stop.thread_unblock();
            }
        }
    }

    /// The terminal as it was. What a program left that could not clean up is cleaned.
    fn put_right(&self, was_cut: bool) {
        if !self.is_ours() && tcgetpgrp(io::stdin()).is_ok() {
            return;
        }
        if was_cut {
            raw::clean();
        }
        // What was typed for it is not for whoever reads next.
        let _gone = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }

    fn wait(&self, group: Pid) -> io::Result<Ended> {
        loop {
            match waitpid(Some(group), WaitOptions::UNTRACED) {
                Ok(Some((_, status))) => {
                    if let Some(ended) = end_of(status) {
                        return Ok(ended);
                    }
                    self.stopped(group, status);
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// It was stopped, and we stop with it.
    fn stopped(&self, group: Pid, status: WaitStatus) {
        let by = status.stopping_signal().unwrap_or_default();
        let wants_terminal = by == Signal::TTIN.as_raw() || by == Signal::TTOU.as_raw();
        let front = tcgetpgrp(io::stdin()).ok();
        if wants_terminal && (front == Some(self.own) || front == Some(group)) {
            // It asked for the terminal before it was given.
            self.give(group);
            let _gone = kill_process_group(group, Signal::CONT);
            return;
        }
        let during = tcgetattr(io::stdin()).ok();
        self.take_back(group);
        if self.is_ours() {
            let _gone = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        }
        // All of the job that we are part of, as the terminal would. Where nobody is there to let us
        // go on again, nothing stops us.
        let _sent = kill_process_group(self.own, Signal::TSTP);
        // Somebody lets us go on: `fg`, or `bg`, which leaves the terminal with somebody else.
        if self.is_ours() {
            if let Some(during) = during {
                let _gone = tcsetattr(io::stdin(), OptionalActions::Drain, &during);
            }
            self.give(group);
        }
        let _gone = kill_process_group(group, Signal::CONT);
        let _gone = kill_process_group(group, Signal::WINCH);
    }
}

fn end_of(status: WaitStatus) -> Option<Ended> {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    if let Some(code) = status.exit_status() {
        return Some(Ended::Code(byte(code)));
    }
    let signal = status.terminating_signal()?;
    Some(Ended::Signal(byte(signal)))
}

/// Hands signals on. They are listened for until the process ends, whoever they are for.
struct Passing(Arc<Mutex<Job>>);

/// Whom signals are for.
enum Job {
    /// Nobody yet: what is sent meanwhile waits for them.
    Comes(Vec<Signal>),
    /// This group.
    Runs(Pid),
    /// Nobody any more.
    Gone,
}

impl Passing {
    fn begin(runtime: &Handle) -> io::Result<Self> {
        let _inside = runtime.enter();
        let job = Arc::new(Mutex::new(Job::Comes(Vec::new())));
        for passed in PASSED_ON {
            let mut sent = signal(SignalKind::from_raw(passed.as_raw()))?;
            let job = Arc::clone(&job);
            // It ends with the runtime.
            runtime.spawn(async move {
                while sent.recv().await.is_some() {
                    match &mut *job.lock().unwrap_or_else(PoisonError::into_inner) {
                        Job::Comes(waiting) => waiting.push(passed),
                        Job::Runs(group) => pass(*group, passed),
                        Job::Gone => {}
                    }
                }
            });
        }
        Ok(Self(job))
    }

    /// They are for this group from now on, and so is what has come already.
    fn to(&self, group: Pid) {
        let before = self.set(Job::Runs(group));
        if let Job::Comes(waiting) = before {
            for signal in waiting {
                pass(group, signal);
            }
        }
    }

    fn to_nobody(&self) {
        self.set(Job::Gone);
    }

    fn set(&self, job: Job) -> Job {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, job)
    }
}

fn pass(group: Pid, signal: Signal) {
    let _gone = kill_process_group(group, signal);
    // What is stopped hears of it when it goes on.
    let _gone = kill_process_group(group, Signal::CONT);
}
