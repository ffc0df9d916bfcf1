//! The calls that Rust cannot make safely and that rustix does not wrap: `clone3` as a fork,
//! attributes of mounts, a filter of system calls. Those that others make as well are in
//! `wharf_linux`.
//!
//! All of it is used by the launcher and by what it becomes, which have one thread each; the one
//! exception is [`enter_network`], which is about the calling thread alone. Each block says why
//! it holds.
#![expect(unsafe_code, reason = "the one module that speaks to libc directly")]

use std::ffi::CString;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

use rustix::process::Pid;
use wharf_linux::process::{exit_now, pointers};

/// The namespaces of a sandbox.
pub(crate) const NAMESPACES: libc::c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWCGROUP;

/// As `struct clone_args` of the kernel, first version.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// As `struct mount_attr` of the kernel.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Makes a child in new namespaces with the memory of this process, runs `child` in it, and ends
/// it there.
///
/// Must be called while this process has one thread: a lock that another thread held would stay
/// held in the child for ever.
pub(crate) fn fork_into(namespaces: libc::c_int, child: impl FnOnce() -> i32) -> io::Result<Pid> {
    let args = CloneArgs {
        flags: u64::from(namespaces.cast_unsigned()),
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        ..CloneArgs::default()
    };
    // SAFETY: without CLONE_VM and without a stack this is `fork`: the child has a copy of the
    // memory. The structure outlives the call. The child runs `child` and then `_exit`s, so that
    // it neither unwinds into the caller's frames nor runs the parent's exit handlers.
    match unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
            exit_now(outcome.unwrap_or(70))
        }
        pid => i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the system returned no process id")),
    }
}

/// Becomes the program that a descriptor holds, with nothing in its environment. Returns only the
/// reason why that failed.
pub(crate) fn become_program(program: BorrowedFd<'_>, argv: &[CString]) -> io::Error {
    let argv = pointers(argv);
    let envp = pointers(&[]);
    // SAFETY: the path is a literal with its NUL; both arrays hold NUL-terminated strings that
    // outlive the call and end in a null pointer.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// Gives this process mounts of its own.
pub(crate) fn own_mounts() -> io::Result<()> {
    // SAFETY: descriptors stay shared with nobody: the process has one thread, and CLONE_NEWNS
    // alone changes neither the descriptor table nor memory.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }?;
    Ok(())
}

/// What a mount is to be, for [`change_mount`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) read_only: bool,
    pub(crate) no_devices: bool,
    pub(crate) no_setuid: bool,
}

/// Sets attributes of a mount that a descriptor holds, and of what is mounted below; with `owners` its files belong to whom that
/// user namespace says.
pub(crate) fn change_mount(
    mount: BorrowedFd<'_>,
    attributes: Attributes,
    owners: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let bit = |wanted: bool, bit: u64| if wanted { bit } else { 0 };
    let mut attr = MountAttr {
        attr_set: bit(attributes.read_only, libc::MOUNT_ATTR_RDONLY)
            | bit(attributes.no_devices, libc::MOUNT_ATTR_NODEV)
            | bit(attributes.no_setuid, libc::MOUNT_ATTR_NOSUID),
        ..MountAttr::default()
    };
    if let Some(owners) = owners {
        attr.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attr.userns_fd = u64::from(owners.as_raw_fd().cast_unsigned());
    }
    // SAFETY: the path is a literal with its NUL, the structure outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    };
    checked(result).map(|_| ())
}

/// Lets this process and all that it starts make only the system calls that the program lets
/// through. Asks for `CAP_SYS_ADMIN` in the process's own namespace, since the way without it
/// (`no_new_privs`) would end sudo.
pub(crate) fn filter_calls(program: &[libc::sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which outlives the call and is as long as said.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    };
    checked(result).map(|_| ())
}

/// Switches the loopback interface of this network namespace on.
pub(crate) fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    // SAFETY: all zeroes is a valid `ifreq`; name and flags are within it; the structure outlives
    // both calls.
    unsafe {
        let mut request = MaybeUninit::<libc::ifreq>::zeroed().assume_init();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = libc::c_char::from_ne_bytes([*from]);
        }
        let flags = libc::IFF_UP | libc::IFF_RUNNING;
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).unwrap_or_default();
        checked(libc::c_long::from(libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS,
            &raw const request,
        )))
        .map(|_| ())
    }
}

/// Moves the calling thread into the network namespace that a descriptor holds: a process's, or
/// the namespace itself.
pub(crate) fn enter_network(of: BorrowedFd<'_>) -> io::Result<()> {
    rustix::thread::move_into_thread_name_spaces(of, rustix::thread::ThreadNameSpaceType::NETWORK)?;
    Ok(())
}

/// Moves this process, which has one thread, into the user namespace of another process and into
/// its network.
pub(crate) fn enter_user_and_network(of: BorrowedFd<'_>) -> io::Result<()> {
    let both = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
    // SAFETY: no memory is involved.
    let result = unsafe { libc::setns(of.as_raw_fd(), both) };
    checked(libc::c_long::from(result)).map(|_| ())
}

/// Closes every descriptor from 3 on but these. Only for a process that uses no other any more.
pub(crate) fn close_all_but(kept: &mut [RawFd]) {
    kept.sort_unstable();
    let mut first = 3_u32;
    for fd in kept.iter().copied().map(RawFd::cast_unsigned) {
        if fd > first {
            close_range(first, fd.saturating_sub(1));
        }
        first = first.max(fd.saturating_add(1));
    }
    close_range(first, u32::MAX);
}

fn close_range(first: u32, last: u32) {
    // SAFETY: called in a process that was forked to become something else; the values that owned
    // these descriptors are never touched again in it.
    unsafe { libc::close_range(first, last, 0) };
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
