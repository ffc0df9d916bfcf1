//! The zygote's own side: one thread, one loop.

use std::collections::{HashMap, VecDeque};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions};
use wharf_linux::process::{child_signals, place};

use super::cgroup::{Cgroups, Group};
use super::{ZygoteOptions, encode_status, kind, packet_pair};
use crate::frame::{self, Decoder, Encoder};
use crate::{shim, sys, tree};

/// Where a shell reads what to do, and where it reports. High enough not to meet the numbers that
/// scripts use, low enough for small limits on open files.
pub(crate) const INPUT_FD: RawFd = 58;
pub(crate) const CONTROL_FD: RawFd = 59;
/// Where descriptors are moved to before they get the numbers that a shell expects: above the
/// standard streams, and, as a spare has few, below the other two.
const SAFE_FD: RawFd = 10;
/// Spares that wait at once: one for each of two that come together.
const SPARES: usize = 2;
/// From the server's death to the end of what it left: TERM, then this, then KILL.
const ORPHAN_GRACE_MS: i32 = 500;
/// From the death of a shim or shell to killing what it left, which is asked to end at once.
const LEFT_GRACE: Duration = Duration::from_millis(500);
/// How often it is looked whether that has ended, and how often after that it is killed again:
/// what is held by the system then stays until the next such death.
const LEFT_LOOK_MS: i64 = 20;
const MAX_LEFT_KILLS: u32 = 250;

pub(super) fn main(socket: OwnedFd, options: &ZygoteOptions) -> i32 {
    match Zygote::start(socket, options).and_then(|mut zygote| zygote.serve()) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

struct Zygote<'a> {
    socket: OwnedFd,
    signals: OwnedFd,
    options: &'a ZygoteOptions,
    base_env: Vec<CString>,
    cgroups: Cgroups,
    groups: HashMap<Pid, Group>,
    spares: VecDeque<Spare>,
    /// What a dead shim or shell left is being ended.
    left: Option<Left>,
}

/// How far that is.
struct Left {
    asked: bool,
    kill_at: Instant,
    kills: u32,
}

/// A child that is forked and in its control group already, and waits to be told what to become.
/// Entering a group may take the kernel 20 ms, which nobody shall wait for.
struct Spare {
    pid: Pid,
    orders: OwnedFd,
}

impl<'a> Zygote<'a> {
    fn start(socket: OwnedFd, options: &'a ZygoteOptions) -> io::Result<Self> {
        sys::close_from(3, socket.as_raw_fd());
        sys::default_signals();
        // A session of its own: no terminal, so that whatever asks `/dev/tty` for a password is
        // told at once that there is none, and Ctrl-C at the server's terminal stays there.
        let _already_a_leader = rustix::process::setsid();
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let _cosmetic = rustix::thread::set_name(c"wharf-zygote");
        detach_stdio()?;
        let cgroups = Cgroups::find(options.limits);
        if let (false, Some(most)) = (cgroups.limits_processes(), options.limits.processes) {
            sys::limit_user_processes(most);
        }
        Ok(Self {
            signals: child_signals()?,
            base_env: options
                .base_env
                .iter()
                .filter_map(|(k, v)| entry(k, v))
                .collect(),
            cgroups,
            groups: HashMap::new(),
            spares: VecDeque::new(),
            left: None,
            socket,
            options,
        })
    }

    /// Serves until the server is gone, and then ends everything: also when the server's end was
    /// first seen by a message that could not be sent.
    fn serve(&mut self) -> io::Result<()> {
        let served = self.serve_until_gone();
        self.end_all();
        served
    }

    fn serve_until_gone(&mut self) -> io::Result<()> {
        self.fill_spares();
        let (mut buffer, mut fds) = (Vec::new(), Vec::new());
        loop {
            let wait = self.left.as_ref().map_or(-1, |_| LEFT_LOOK_MS);
            let (asked, changed) = wait_for_either(&self.socket, &self.signals, wait)?;
            if changed {
                self.reap()?;
            }
            if self.left.is_some() {
                self.end_left();
            }
            if asked {
                match frame::receive(&self.socket, &mut buffer, &mut fds) {
                    Ok(Some(())) => self.answer(&buffer, &std::mem::take(&mut fds))?,
                    Ok(None) | Err(_) => return Ok(()),
                }
            }
        }
    }

    /// Hands the order to a spare and forks the next one.
    fn answer(&mut self, packet: &[u8], fds: &[OwnedFd]) -> io::Result<()> {
        let Some((packet_kind, mut fields)) = Decoder::new(packet) else {
            return Ok(());
        };
        let token = fields.number().unwrap_or_default();
        let created = match packet_kind {
            kind::NEW_SHIM | kind::NEW_SHELL => self.use_spare(packet, fds),
            _ => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        let mut reply = Encoder::new(kind::CREATED);
        let (pid, error) = match created {
            Ok(pid) => (pid.as_raw_nonzero().get(), 0),
            Err(error) => (0, error.raw_os_error().unwrap_or(libc::EIO)),
        };
        reply.number(token);
        reply.number(u32::try_from(pid).unwrap_or(0));
        reply.number(u32::try_from(error).unwrap_or(0));
        frame::send(&self.socket, reply.as_slice(), &[])?;
        self.fill_spares();
        Ok(())
    }

    fn use_spare(&mut self, packet: &[u8], fds: &[OwnedFd]) -> io::Result<Pid> {
        let spare = match self.spares.pop_front() {
            Some(spare) => spare,
            None => self.fork_spare()?,
        };
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(OwnedFd::as_fd).collect();
        frame::send(&spare.orders, packet, &fds)?;
        Ok(spare.pid)
    }

    /// Without a spare the next order waits for one to be forked, so that failing here is no
    /// error yet.
    fn fill_spares(&mut self) {
        while self.spares.len() < SPARES {
            match self.fork_spare() {
                Ok(spare) => self.spares.push_back(spare),
                Err(_) => break,
            }
        }
    }

    fn fork_spare(&mut self) -> io::Result<Spare> {
        let (ours, theirs) = packet_pair()?;
        let group = self.cgroups.make();
        let forked = sys::fork(|| {
            sys::close_from(3, theirs.as_raw_fd());
            group.join();
            serve_order(theirs, &self.base_env, self.options)
        });
        match forked {
            Ok(pid) => {
                self.groups.insert(pid, group);
                Ok(Spare { pid, orders: ours })
            }
            Err(error) => {
                self.cgroups.remove(group);
                Err(error)
            }
        }
    }

    fn reap(&mut self) -> io::Result<()> {
        drain(&self.signals);
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            // Orphans that were left to us are reaped and forgotten.
            let Some(group) = self.groups.remove(&pid) else {
                continue;
            };
            self.spares.retain(|spare| spare.pid != pid);
            self.cgroups.remove(group);
            // It may have been killed from outside, and what was below it is ours now.
            self.left.get_or_insert_with(|| Left {
                asked: false,
                kill_at: Instant::now() + LEFT_GRACE,
                kills: 0,
            });
            let mut event = Encoder::new(kind::EXITED);
            event.number(u32::try_from(pid.as_raw_nonzero().get()).unwrap_or(0));
            event.number(encode_status(status));
            frame::send(&self.socket, event.as_slice(), &[])?;
        }
        Ok(())
    }

    /// Ends what dead shims and shells have left: they are the reapers of their trees and we are
    /// theirs, so that every child that we did not fork is such a remainder.
    fn end_left(&mut self) {
        let children = tree::children(rustix::process::getpid().as_raw_nonzero().get());
        let ours =
            |pid: &i32| Pid::from_raw(*pid).is_some_and(|pid| self.groups.contains_key(&pid));
        let roots: Vec<i32> = children.into_iter().filter(|pid| !ours(pid)).collect();
        let found = tree::with_descendants(&roots);
        let Some(left) = self.left.as_mut() else {
            return;
        };
        if found.is_empty() || left.kills >= MAX_LEFT_KILLS {
            self.left = None;
        } else if Instant::now() >= left.kill_at {
            left.kills += 1;
            tree::signal(&found, libc::SIGKILL);
        } else if !std::mem::replace(&mut left.asked, true) {
            tree::signal(&found, libc::SIGTERM);
        }
    }

    /// The server is gone: what it started ends too.
    fn end_all(&mut self) {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        tree::signal(&tree::descendants(own), libc::SIGTERM);
        let mut left = ORPHAN_GRACE_MS;
        while left > 0 && self.reap_quietly() {
            let step = 20;
            let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
            let timeout = rustix::event::Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(step) * 1_000_000,
            };
            let _either_way = poll(&mut fds, Some(&timeout));
            drain(&self.signals);
            left -= step;
        }
        tree::kill_until_gone(|| {
            self.reap_quietly();
            tree::descendants(own)
        });
        for (_, group) in self.groups.drain() {
            self.cgroups.remove(group);
        }
        self.cgroups.remove_all();
    }

    /// Reaps whatever has ended; true while there are children.
    fn reap_quietly(&self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_no_children) => return false,
            }
        }
    }
}

/// A spare's life: it waits for its order and becomes what that says.
fn serve_order(socket: OwnedFd, base_env: &[CString], options: &ZygoteOptions) -> i32 {
    let (mut buffer, mut fds) = (Vec::new(), Vec::new());
    match frame::receive(&socket, &mut buffer, &mut fds) {
        Ok(Some(())) => {}
        Ok(None) | Err(_) => return 0,
    }
    drop(socket);
    let Some((packet_kind, mut fields)) = Decoder::new(&buffer) else {
        return 1;
    };
    let _token = fields.number();
    match (packet_kind, fds.pop()) {
        (kind::NEW_SHIM, Some(socket)) => shim::child::main(socket, base_env, &options.default_cwd),
        (kind::NEW_SHELL, Some(last)) => {
            fds.push(last);
            become_shell(&mut fields, fds, options).unwrap_or(126)
        }
        _ => 1,
    }
}

/// Becomes a shell; returns only when that fails.
fn become_shell(
    fields: &mut Decoder<'_>,
    fds: Vec<OwnedFd>,
    options: &ZygoteOptions,
) -> io::Result<i32> {
    let malformed = || io::Error::from_raw_os_error(libc::EINVAL);
    let path = fields.bytes().ok_or_else(malformed)?;
    let path = CString::new(path).map_err(|_| malformed())?;
    let argv = strings(fields.list().ok_or_else(malformed)?)?;
    let env = strings(fields.list().ok_or_else(malformed)?)?;
    let cwd = fields.bytes().ok_or_else(malformed)?;
    let fds: [OwnedFd; 5] = fds.try_into().map_err(|_| missing_descriptor())?;
    sys::default_signals();
    let _already_a_leader = rustix::process::setsid();
    // Kept across exec: the shell is the reaper of everything that starts below it.
    let _best_effort = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    if rustix::process::chdir(cwd).is_err() {
        let _stays = rustix::process::chdir(&options.default_cwd);
    }
    arrange(fds)?;
    let error = sys::exec(&path, &argv, &env);
    Ok(if error.kind() == io::ErrorKind::NotFound {
        127
    } else {
        126
    })
}

/// Puts the five descriptors where a shell expects them.
fn arrange(fds: [OwnedFd; 5]) -> io::Result<()> {
    let numbers = [0, 1, 2, INPUT_FD, CONTROL_FD];
    let mut moved = Vec::with_capacity(fds.len());
    for fd in fds {
        moved.push(sys::move_above(fd, SAFE_FD)?);
    }
    for (fd, number) in moved.iter().zip(numbers) {
        place(fd, number)?;
    }
    Ok(())
}

fn detach_stdio() -> io::Result<()> {
    use rustix::fs::{Mode, OFlags};
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    (0..3).try_for_each(|number| place(&null, number))
}

/// Waits until one of the two is readable; true where it is, or its other end is gone.
pub(crate) fn wait_for_either(
    a: &OwnedFd,
    b: &OwnedFd,
    timeout_ms: i64,
) -> io::Result<(bool, bool)> {
    let mut fds = [PollFd::new(a, PollFlags::IN), PollFd::new(b, PollFlags::IN)];
    let timeout = rustix::event::Timespec {
        tv_sec: timeout_ms / 1000,
        tv_nsec: (timeout_ms % 1000) * 1_000_000,
    };
    loop {
        match poll(&mut fds, (timeout_ms >= 0).then_some(&timeout)) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [a, b] = &fds;
    Ok((!a.revents().is_empty(), !b.revents().is_empty()))
}

/// Empties a signal descriptor; what happened is asked of `wait`.
pub(crate) fn drain(signals: &OwnedFd) {
    // One kind of signal, which does not queue: one read of one record empties it.
    let mut record = [0_u8; 128];
    let _nothing_there = rustix::io::read(signals, &mut record);
}

pub(crate) fn entry(name: &str, value: &str) -> Option<CString> {
    CString::new(format!("{name}={value}")).ok()
}

fn strings(list: Vec<&[u8]>) -> io::Result<Vec<CString>> {
    list.into_iter()
        .map(|bytes| CString::new(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL)))
        .collect()
}

fn missing_descriptor() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}
