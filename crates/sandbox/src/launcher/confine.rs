//! What the processes of a sandbox may not do, though some of them are root there.
//!
//! Four things hold them, and each would do alone against most of it: the user namespace (root is
//! nobody outside), the capabilities that root has ([`KEPT`]), the mounts that the kernel holds
//! fast, and the filter of system calls ([`program`]). `no_new_privs` is not among them, because
//! sudo would not work.
//!
//! The filter is a list of what is refused. A list of what is allowed ages with every release of
//! the programs inside, and what it has to allow for a developer's tools is nearly everything.
//! What is newer than this list is refused, too ([`NEWEST`]), as if the kernel were older.

use std::io;

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W,
    c_long, sock_filter,
};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::sys;

/// What root may do inside. Nothing of it reaches anything that is not the sandbox's own.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SETFCAP);

/// The last system call that this list knows (`listns`, Linux 6.19).
const NEWEST: u32 = 470;

/// `open_tree_attr`, which libc does not name yet.
const OPEN_TREE_ATTR: c_long = 467;

/// Answered with "not permitted".
const REFUSED: &[c_long] = &[
    // Other views of files, users and networks.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Parts of the kernel with a history.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_kcmp,
    // Only on this architecture.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
];

/// Answered with "there is no such call", for which programs have another way.
const ABSENT: &[c_long] = &[
    // Its flags are in memory, where a filter cannot look; libc goes on with `clone`.
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// What the kernel speaks of with whoever asks: routes, sockets, the audit, devices, others by name.
const NETLINKS: [libc::c_int; 5] = [
    libc::NETLINK_ROUTE,
    libc::NETLINK_SOCK_DIAG,
    libc::NETLINK_AUDIT,
    libc::NETLINK_KOBJECT_UEVENT,
    libc::NETLINK_GENERIC,
];

/// Protocols of the Internet; 0 is the usual one of the kind of socket.
const PROTOCOLS: [libc::c_int; 5] = [
    0,
    libc::IPPROTO_ICMP,
    libc::IPPROTO_TCP,
    libc::IPPROTO_UDP,
    libc::IPPROTO_ICMPV6,
];

/// Kinds of sockets of the Internet above this one are other protocols under another name.
const LAST_KIND: u32 = libc::SOCK_RAW.cast_unsigned();
/// The part of the second argument that is the kind.
const KIND: u32 = 0xf;

/// Flags of `clone` that make namespaces.
const NAMESPACE_FLAGS: u32 = sys::NAMESPACES.cast_unsigned();

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xC000_00B7;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NOT_PERMITTED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
/// Answered as if it were done.
const AS_IF_DONE: u32 = libc::SECCOMP_RET_ERRNO;
const NO_SUCH_FAMILY: u32 = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT.cast_unsigned();
const NO_SUCH_PROTOCOL: u32 = libc::SECCOMP_RET_ERRNO | libc::EPROTONOSUPPORT.cast_unsigned();
const NO_SUCH_CALL: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The lower half of the first argument; both architectures are little endian.
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;
const THIRD_ARGUMENT: u32 = 32;
const THIRD_ARGUMENT_UPPER: u32 = 36;

/// Loads the filter. Has to come before [`drop_rights`], which takes away what it needs.
pub(super) fn filter_calls() -> io::Result<()> {
    sys::filter_calls(&program())
}

/// Cuts down what this process and all that it starts may do.
pub(super) fn drop_rights() -> io::Result<()> {
    let all = CapabilitySet::from_bits_retain(u64::MAX);
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if all.difference(KEPT).contains(one) && bit <= last_capability() {
            rustix::thread::remove_capability_from_bounding_set(one)?;
        }
    }
    let kept = CapabilitySets {
        effective: KEPT,
        permitted: KEPT,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, kept)?;
    Ok(())
}

/// The highest capability that this kernel knows.
fn last_capability() -> u32 {
    std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(40)
}

/// The filter. Each answer stands behind its question, so that jumps are short.
fn program() -> Vec<sock_filter> {
    let mut program = vec![
        load(ARCH),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0),
        // Another architecture's numbers mean other calls.
        answer(NOT_PERMITTED),
        load(NUMBER),
        // Also what is above: x86's other numbering has bit 30 set.
        jump(BPF_JGE, NEWEST + 1, 0, 1),
        answer(NO_SUCH_CALL),
    ];
    let lists = [(REFUSED, NOT_PERMITTED), (ABSENT, NO_SUCH_CALL)];
    for (calls, reply) in lists {
        for call in calls {
            program.push(jump(BPF_JEQ, number(*call), 0, 1));
            program.push(answer(reply));
        }
    }
    program.extend([
        jump(BPF_JEQ, number(libc::SYS_clone), 0, 4),
        load(FIRST_ARGUMENT),
        jump(BPF_JSET, NAMESPACE_FLAGS, 0, 1),
        answer(NOT_PERMITTED),
        answer(ALLOW),
    ]);
    program.extend(core_limit());
    let sockets = sockets();
    let past_them = short(sockets.len());
    program.extend([
        jump(BPF_JEQ, number(libc::SYS_socket), 1, 0),
        jump(BPF_JEQ, number(libc::SYS_socketpair), 0, past_them),
    ]);
    program.extend(sockets);
    program.push(answer(ALLOW));
    program
}

/// Sockets that there are: of this machine, of the Internet, and for asking the kernel. The others
/// reach past the namespaces (the hypervisor), have the kernel load what nobody needs, or both.
fn sockets() -> Vec<sock_filter> {
    let netlink = one_of(&NETLINKS);
    let mut internet = vec![
        load(SECOND_ARGUMENT),
        instruction(BPF_ALU | BPF_AND | BPF_K, KIND, 0, 0),
        jump(BPF_JGE, LAST_KIND + 1, 0, 1),
        answer(NO_SUCH_PROTOCOL),
    ];
    internet.extend(one_of(&PROTOCOLS));
    let family = |family: libc::c_int, then: u8, other: u8| {
        jump(BPF_JEQ, family.cast_unsigned(), then, other)
    };
    let mut program = vec![
        load(FIRST_ARGUMENT),
        family(libc::AF_UNIX, 0, 1),
        answer(ALLOW),
        family(libc::AF_NETLINK, 0, short(netlink.len())),
    ];
    program.extend(netlink);
    program.extend([
        family(libc::AF_INET, 1, 0),
        family(libc::AF_INET6, 0, short(internet.len())),
    ]);
    program.extend(internet);
    program.push(answer(NO_SUCH_FAMILY));
    program
}

/// Lets through what has one of these as its third argument.
fn one_of(protocols: &[libc::c_int]) -> Vec<sock_filter> {
    let mut program = vec![load(THIRD_ARGUMENT)];
    for protocol in protocols {
        program.push(jump(BPF_JEQ, protocol.cast_unsigned(), 0, 1));
        program.push(answer(ALLOW));
    }
    program.push(answer(NO_SUCH_PROTOCOL));
    program
}

/// How far a jump over that many goes; none of them is long.
fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or_default()
}

/// The limit of core files stays as the sandbox was started with it: with none at all the machine
/// would hand them to a program of its own. Programs that close it (sshd, sudo) are content; it may
/// be read.
fn core_limit() -> [sock_filter; 14] {
    [
        jump(BPF_JEQ, number(libc::SYS_setrlimit), 0, 4),
        load(FIRST_ARGUMENT),
        jump(BPF_JEQ, libc::RLIMIT_CORE, 0, 1),
        answer(AS_IF_DONE),
        answer(ALLOW),
        jump(BPF_JEQ, number(libc::SYS_prlimit64), 0, 8),
        load(SECOND_ARGUMENT),
        jump(BPF_JEQ, libc::RLIMIT_CORE, 0, 5),
        // Without a new limit it is a question.
        load(THIRD_ARGUMENT),
        jump(BPF_JEQ, 0, 0, 2),
        load(THIRD_ARGUMENT_UPPER),
        jump(BPF_JEQ, 0, 1, 0),
        answer(AS_IF_DONE),
        answer(ALLOW),
    ]
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).unwrap_or(u32::MAX)
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

fn jump(test: u32, value: u32, then: u8, other: u8) -> sock_filter {
    instruction(BPF_JMP | test | BPF_K, value, then, other)
}

fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, value, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers to a call, by the rules of the kernel's interpreter.
    fn ask(architecture: u32, number: u32, first: u32) -> u32 {
        ask_with(architecture, number, [first, 0, 0, 0])
    }

    fn ask_with(architecture: u32, number: u32, arguments: [u32; 4]) -> u32 {
        let [first, second, third, third_upper] = arguments;
        let program = program();
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        loop {
            let step = program[at];
            at += 1;
            let code = u32::from(step.code);
            if code == BPF_RET | BPF_K {
                return step.k;
            }
            if code == BPF_LD | BPF_W | BPF_ABS {
                accumulator = match step.k {
                    NUMBER => number,
                    ARCH => architecture,
                    FIRST_ARGUMENT => first,
                    SECOND_ARGUMENT => second,
                    THIRD_ARGUMENT => third,
                    THIRD_ARGUMENT_UPPER => third_upper,
                    other => panic!("offset {other}"),
                };
                continue;
            }
            if code == BPF_ALU | BPF_AND | BPF_K {
                accumulator &= step.k;
                continue;
            }
            let holds = match code & 0xf0 {
                BPF_JEQ => accumulator == step.k,
                BPF_JGE => accumulator >= step.k,
                BPF_JSET => accumulator & step.k != 0,
                other => panic!("test {other}"),
            };
            at += usize::from(if holds { step.jt } else { step.jf });
        }
    }

    #[test]
    fn what_is_on_the_lists_is_refused_and_the_rest_is_not() {
        let native = |call: c_long| ask(ARCHITECTURE, number(call), 0);
        for call in REFUSED {
            assert_eq!(native(*call), NOT_PERMITTED, "{call}");
        }
        for call in ABSENT {
            assert_eq!(native(*call), NO_SUCH_CALL, "{call}");
        }
        for call in [
            libc::SYS_read,
            libc::SYS_execve,
            libc::SYS_ptrace,
            libc::SYS_chroot,
            libc::SYS_openat2,
        ] {
            assert_eq!(native(call), ALLOW, "{call}");
        }
    }

    #[test]
    fn namespaces_are_refused_by_whichever_flag() {
        let clone =
            |flags: libc::c_int| ask(ARCHITECTURE, number(libc::SYS_clone), flags.cast_unsigned());
        assert_eq!(clone(libc::SIGCHLD), ALLOW);
        assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD), ALLOW);
        for flag in [
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWCGROUP,
        ] {
            assert_eq!(clone(flag | libc::SIGCHLD), NOT_PERMITTED, "{flag:x}");
        }
    }

    #[test]
    fn the_limit_of_core_files_is_read_and_not_changed() {
        let set = |resource| ask(ARCHITECTURE, number(libc::SYS_setrlimit), resource);
        assert_eq!(set(libc::RLIMIT_CORE), AS_IF_DONE);
        assert_eq!(set(libc::RLIMIT_NOFILE), ALLOW);
        let ask = |resource, lower, upper| {
            let call = number(libc::SYS_prlimit64);
            ask_with(ARCHITECTURE, call, [0, resource, lower, upper])
        };
        assert_eq!(ask(libc::RLIMIT_CORE, 0, 0), ALLOW);
        assert_eq!(ask(libc::RLIMIT_CORE, 8, 0), AS_IF_DONE);
        assert_eq!(ask(libc::RLIMIT_CORE, 0, 8), AS_IF_DONE);
        assert_eq!(ask(libc::RLIMIT_NOFILE, 8, 8), ALLOW);
    }

    #[test]
    fn only_ordinary_sockets_are_made() {
        for call in [libc::SYS_socket, libc::SYS_socketpair] {
            let ask = |family: libc::c_int, kind: libc::c_int, protocol: libc::c_int| {
                let arguments = [family, kind, protocol, 0].map(libc::c_int::cast_unsigned);
                ask_with(ARCHITECTURE, number(call), arguments)
            };
            let stream = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            assert_eq!(ask(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0), ALLOW);
            for family in [libc::AF_INET, libc::AF_INET6] {
                for protocol in PROTOCOLS {
                    assert_eq!(ask(family, stream, protocol), ALLOW, "{protocol}");
                }
                for protocol in [libc::IPPROTO_SCTP, libc::IPPROTO_DCCP, 115, 262, -1] {
                    let refused = ask(family, stream, protocol);
                    assert_eq!(refused, NO_SUCH_PROTOCOL, "{protocol}");
                }
                assert_eq!(ask(family, libc::SOCK_RAW, 0), ALLOW);
                for kind in [libc::SOCK_RDM, libc::SOCK_SEQPACKET, libc::SOCK_DCCP, 10] {
                    assert_eq!(ask(family, kind, 0), NO_SUCH_PROTOCOL, "{kind}");
                }
            }
            for protocol in NETLINKS {
                let allowed = ask(libc::AF_NETLINK, libc::SOCK_RAW, protocol);
                assert_eq!(allowed, ALLOW, "{protocol}");
            }
            for protocol in [
                libc::NETLINK_XFRM,
                libc::NETLINK_NETFILTER,
                libc::NETLINK_CRYPTO,
            ] {
                let refused = ask(libc::AF_NETLINK, libc::SOCK_RAW, protocol);
                assert_eq!(refused, NO_SUCH_PROTOCOL, "{protocol}");
            }
            for family in [
                libc::AF_VSOCK,
                libc::AF_ALG,
                libc::AF_PACKET,
                libc::AF_KEY,
                -1,
            ] {
                assert_eq!(ask(family, stream, 0), NO_SUCH_FAMILY, "{family}");
            }
        }
        // What comes after is let through by its number alone.
        assert_eq!(ask(ARCHITECTURE, number(libc::SYS_connect), 40), ALLOW);
    }

    #[test]
    fn the_newest_call_is_the_last_one_let_through() {
        assert_eq!(ask(ARCHITECTURE, NEWEST, 0), ALLOW);
        assert_eq!(ask(ARCHITECTURE, NEWEST + 1, 0), NO_SUCH_CALL);
        assert_eq!(ask(ARCHITECTURE, 0x4000_0000, 0), NO_SUCH_CALL);
        assert_eq!(ask(0x4000_0003, number(libc::SYS_read), 0), NOT_PERMITTED);
    }
}
