//! The calls that Rust cannot make safely and that only this crate makes: `fork`, `execve`,
//! descriptor numbers, signal masks. Those that others make as well are in `wharf_linux`.
//!
//! Everything here is either used by the zygote and its shims, which have one thread each, or is
//! free of memory hazards and `unsafe` only because it speaks to libc. Each block says why it holds.
#![expect(unsafe_code, reason = "the one module that speaks to libc directly")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::process::Pid;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use wharf_linux::process::{exit_now, pointers};

/// Makes a child with the memory of this process, runs `child` in it, and ends it there.
///
/// Must be called while this process has one thread: a lock that another thread held would stay
/// held in the child for ever.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: fork itself has no preconditions. The child runs `child` and then `_exit`s, so that
    // it neither unwinds into the caller's frames nor runs the parent's exit handlers.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            exit_now(outcome.unwrap_or(70))
        }
        pid => pid_of(pid),
    }
}

/// Becomes another program. Returns only the reason why that failed.
pub(crate) fn exec(path: &CString, argv: &[CString], envp: &[CString]) -> io::Error {
    let argv = pointers(argv);
    let envp = pointers(envp);
    // SAFETY: path is NUL-terminated, both arrays hold NUL-terminated strings that outlive the
    // call and end in a null pointer.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr().cast(), envp.as_ptr().cast()) };
    io::Error::last_os_error()
}

/// Moves `fd` to a number of at least `least`, closed across `execve`, so that a later `place`
/// on a low number cannot destroy it.
pub(crate) fn move_above(fd: OwnedFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC returns a new descriptor that nobody else owns.
    unsafe {
        let number = libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least);
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}

/// Closes every descriptor from `first` on but `keep`. Only for a child that owns nothing else.
pub(crate) fn close_from(first: RawFd, keep: RawFd) {
    let (first, keep) = (unsigned(first), unsigned(keep));
    // SAFETY: called in a freshly forked child before it opens anything; the values that owned
    // these descriptors in the parent are never touched again in the child.
    unsafe {
        if keep > first {
            libc::close_range(first, keep.saturating_sub(1), 0);
        }
        libc::close_range(
            keep.max(first.saturating_sub(1)).saturating_add(1),
            u32::MAX,
            0,
        );
    }
}

/// Gives every signal its default action and unblocks all, as a new program expects.
pub(crate) fn default_signals() {
    // SAFETY: plain libc calls on an initialised set; SIG_DFL is a legal action. Errors for
    // signals that cannot be changed (KILL, STOP) do not matter.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// Sends any signal number, real-time ones too.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is involved; a pid that is gone is reported as an error.
    if unsafe { libc::kill(pid, signal) } < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A descriptor of the runtime's that turns readable when the process has ended.
pub(crate) fn watch(pid: i32) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
    // SAFETY: an owned descriptor is open, stays the same, and is closed by whoever owns it, which
    // is the registration itself.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Limits the processes of this user, for this process and what it starts.
pub(crate) fn limit_user_processes(most: u64) {
    let limit = libc::rlimit {
        rlim_cur: most,
        rlim_max: most,
    };
    // SAFETY: the pointer is to a live value. Failure leaves the old limit, which is reported by
    // whoever asks what limits hold.
    unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) };
}

fn unsigned(fd: RawFd) -> u32 {
    u32::try_from(fd).unwrap_or(0)
}

fn pid_of(raw: libc::pid_t) -> io::Result<Pid> {
    Pid::from_raw(raw).ok_or_else(|| io::Error::other("the system returned no process id"))
}
