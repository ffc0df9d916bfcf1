//! Processes that outlive the server: held by a descriptor, known by number and time of start.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::launcher::plan::Init;
use crate::launcher::started;

/// How long a killed process may take to be gone.
pub(crate) const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// A process that cannot become another one under our hands.
#[derive(Debug)]
pub(crate) struct Held {
    fd: OwnedFd,
    pub(crate) init: Init,
}

impl Held {
    /// Takes hold of a process; `None` where it is gone, or another one has its number.
    pub(crate) fn take(init: Init) -> Option<Self> {
        let fd = pidfd_open(Pid::from_raw(init.pid)?, PidfdFlags::empty()).ok()?;
        // In this order: as long as the descriptor is open the number stays the process's.
        let is_same = started(init.pid).is_ok_and(|ticks| ticks == init.started);
        let held = Self { fd, init };
        (is_same && held.is_alive()).then_some(held)
    }

    /// Whether it still runs. One that has ended and was not waited for does not.
    pub(crate) fn is_alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// Ends it and waits for that; with a namespace's first process everything in it ends. Blocks.
    pub(crate) fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(&self.fd, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        if self.ends_within(KILL_PATIENCE) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "process {} was killed and is still held by the system",
                self.init.pid
            ),
        ))
    }

    fn ends_within(&self, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).ok();
        let mut wanted = [PollFd::new(&self.fd, PollFlags::IN)];
        poll(&mut wanted, limit.as_ref()).is_ok_and(|ready| ready > 0)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> (std::process::Child, Init) {
        let child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let init = Init {
            pid,
            started: started(pid).unwrap(),
        };
        (child, init)
    }

    #[test]
    fn a_process_is_ended_and_is_not_found_any_more() {
        let (mut child, init) = sleeper();
        let held = Held::take(init).unwrap();
        assert!(held.is_alive());
        held.kill().unwrap();
        assert!(!held.is_alive());
        // Before anybody has waited for it, too.
        assert!(Held::take(init).is_none());
        child.wait().unwrap();
        held.kill().unwrap();
    }

    #[test]
    fn another_process_with_its_number_is_another_process() {
        let (mut child, init) = sleeper();
        let other = Init {
            started: init.started + 1,
            ..init
        };
        assert!(Held::take(other).is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
