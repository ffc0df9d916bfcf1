//! The calls for starting a program and for what is around it. Each block says why it holds.
#![expect(
    unsafe_code,
    reason = "the one module here that speaks to libc directly"
)]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::ptr;

use rustix::process::Pid;

/// What a started program leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// A process group of its own, in the session of whoever starts it.
    Group,
    /// A session of its own.
    Session,
}

/// Starts `path` with these three descriptors, an empty signal mask and default signal actions. The
/// child shares our memory until it has become the program, so that the cost does not grow with our
/// size.
///
/// # Errors
/// When it cannot be started; then there is no process.
pub fn spawn(
    path: &CString,
    argv: &[CString],
    envp: &[CString],
    stdio: [BorrowedFd<'_>; 3],
    leads: Leads,
) -> io::Result<Pid> {
    let argv = pointers(argv);
    let envp = pointers(envp);
    let mut actions = MaybeUninit::<libc::posix_spawn_file_actions_t>::uninit();
    let mut attributes = MaybeUninit::<libc::posix_spawnattr_t>::uninit();
    let mut pid = 0;
    // SAFETY: both objects are initialised before use and destroyed after it; the strings and
    // arrays outlive the call; the descriptors are open because they are borrowed.
    let result = unsafe {
        code(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
        code(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
        for (number, fd) in (0..).zip(stdio) {
            code(libc::posix_spawn_file_actions_adddup2(
                actions.as_mut_ptr(),
                fd.as_raw_fd(),
                number,
            ))?;
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigfillset(all.as_mut_ptr());
        code(libc::posix_spawnattr_setsigmask(
            attributes.as_mut_ptr(),
            none.as_ptr(),
        ))?;
        code(libc::posix_spawnattr_setsigdefault(
            attributes.as_mut_ptr(),
            all.as_ptr(),
        ))?;
        code(libc::posix_spawnattr_setpgroup(attributes.as_mut_ptr(), 0))?;
        // libc has them in types of different widths.
        let flags = libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        let flags = libc::c_short::try_from(flags).unwrap_or_default();
        let group = libc::c_short::try_from(libc::POSIX_SPAWN_SETPGROUP).unwrap_or_default();
        let flags = flags
            | match leads {
                Leads::Group => group,
                Leads::Session => libc::POSIX_SPAWN_SETSID,
            };
        code(libc::posix_spawnattr_setflags(
            attributes.as_mut_ptr(),
            flags,
        ))?;
        let result = code(libc::posix_spawn(
            &raw mut pid,
            path.as_ptr(),
            actions.as_ptr(),
            attributes.as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
        ));
        libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
        libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
        result
    };
    result?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system returned no process id"))
}

/// The strings as `execve` wants them: their addresses, and a null behind them. They are good as
/// long as the strings are.
#[must_use]
pub fn pointers(strings: &[CString]) -> Vec<*mut libc::c_char> {
    strings
        .iter()
        .map(|s| s.as_ptr().cast_mut())
        .chain([ptr::null_mut()])
        .collect()
}

/// Ends this process at once: no exit handlers, no flushing.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` takes any code and does not return.
    unsafe { libc::_exit(code) }
}

/// Puts `fd` under the descriptor `number`, open across `execve`.
///
/// # Errors
/// When that number cannot be had.
pub fn place(fd: impl AsFd, number: RawFd) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: no memory is involved; numbers that are not open are reported as an error.
    let result = unsafe {
        if fd == number {
            libc::fcntl(fd, libc::F_SETFD, 0)
        } else {
            libc::dup2(fd, number)
        }
    };
    checked(result)
}

/// Blocks `SIGCHLD` and returns a descriptor that turns readable when a child changes.
///
/// # Errors
/// When the system refuses either.
pub fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised before use; the new descriptor is owned by nobody else.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        checked(libc::sigprocmask(
            libc::SIG_BLOCK,
            set.as_ptr(),
            ptr::null_mut(),
        ))?;
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        checked(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn code(code: libc::c_int) -> io::Result<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code))
    }
}
