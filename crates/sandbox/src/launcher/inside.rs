//! What the first process of a sandbox does before it serves: a root of its own, files, and less
//! and less that it may do.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind, move_mount,
    open_tree, unmount,
};
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid};

use super::init::Door;
use super::lent::{self, Lent};
use super::outside::{passed, prepare};
use super::plan::{Failure, Named as _, Owners, Start, Step};
use super::{borrowed, confine, skeleton};
use crate::local::ground::ROOT;
use crate::sys;

/// Most bytes in `/tmp`, `/dev/shm` and `/run`; they are memory, and counted as the sandbox's.
const TMP_BYTES: u64 = 1 << 30;
const SHM_BYTES: u64 = 256 << 20;
const RUN_BYTES: u64 = 64 << 20;
/// All three together take at most three quarters of a sandbox's memory, in these parts: files
/// there cannot be given back, and a sandbox that is full of them could not even remove one.
const TMP_PART: u64 = 2;
const SHM_PART: u64 = 8;
const RUN_PART: u64 = 8;
/// `/dev` holds a handful of names.
const DEV: &str = "mode=755,size=64k";

/// Devices that hold nothing and control nothing.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Files of `/proc` that tell of the machine or reach into it. Most are closed to a root that is
/// not the machine's anyway.
const MASKED: [&str; 9] = [
    "kcore",
    "kmsg",
    "keys",
    "key-users",
    "timer_list",
    "sched_debug",
    "sysrq-trigger",
    "latency_stats",
    "kallsyms",
];

/// What the child of the launcher's does, from its first moment to its last.
pub(super) fn become_sandbox(
    plan: &Start,
    programs: Vec<Lent>,
    (wait, told): (&OwnedFd, &OwnedFd),
) -> i32 {
    let ready = alone(wait, told, &programs)
        .named(Step::Clone, "descriptors")
        .and_then(|()| set_up(plan, programs));
    let (report, door) = match ready {
        Ok((door, notes)) => (Ok(notes), Some(door)),
        Err(failure) => (Err(failure), None),
    };
    // Nobody who waits for the report: then nobody knows of this sandbox, and there must be none.
    if tell(told, &report).is_err() {
        return 1;
    }
    let Some(door) = door else { return 1 };
    let [first, second, third] = door.descriptors();
    sys::close_all_but(&mut [first, second, third]);
    door.serve()
}

/// Waits until the users are mapped, with nothing of the launcher's but the two pipes and what it
/// lends.
fn alone(wait: &OwnedFd, told: &OwnedFd, programs: &[Lent]) -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        sys::place(&nowhere, number)?;
    }
    let mut kept = vec![wait.as_raw_fd(), told.as_raw_fd()];
    kept.extend(lent::descriptors(programs));
    sys::close_all_but(&mut kept);
    std::mem::forget(nowhere);
    File::from(wait.try_clone()?).read_exact(&mut [0])
}

fn tell(told: &OwnedFd, report: &Result<Vec<String>, Failure>) -> io::Result<()> {
    let text = serde_json::to_vec(report)?;
    File::from(told.try_clone()?).write_all(&text)
}

fn set_up(plan: &Start, mut programs: Vec<Lent>) -> Result<(Door, Vec<String>), Failure> {
    let mut notes = Vec::new();
    become_root(plan.owners).named(Step::Maps, "becoming root inside")?;
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let _was = old;
    if !matches!(plan.owners, Owners::Range { .. }) {
        prepare(plan, &mut notes)?;
        programs = lent::take(&plan.programs, &mut notes);
        rustix::process::chdir(ROOT).named(Step::Mounts, ROOT)?;
    }
    let borrowed = borrowed::read();
    enter_root(plan, programs, &mut notes)?;
    passed(plan, Step::Root)?;
    skeleton::write(plan, &borrowed)?;
    passed(plan, Step::Files)?;
    rustix::system::sethostname(plan.name.as_bytes()).named(Step::Confine, "its name")?;
    sys::loopback_up().named(Step::Confine, "its loopback interface")?;
    let door = Door::open(plan.entry.port).named(Step::Listen, "sshd")?;
    confine(plan).named(Step::Confine, "its rights")?;
    passed(plan, Step::Confine)?;
    passed(plan, Step::Listen)?;
    Ok((door, notes))
}

fn become_root(owners: Owners) -> io::Result<()> {
    if owners.has_root() {
        rustix::thread::set_thread_groups(&[])?;
        rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
        rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    }
    Ok(())
}

/// Makes the current directory the root, with its own `/proc`, `/dev`, `/run` and `/tmp`.
fn enter_root(plan: &Start, programs: Vec<Lent>, notes: &mut Vec<String>) -> Result<(), Failure> {
    const STEP: Step = Step::Root;
    // A copy over itself: the kernel holds fast what came with the namespace, and a root that is
    // held fast cannot be changed into.
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let root = open_tree(CWD, ".", flags).named(STEP, "its root")?;
    move_mount(&root, "", CWD, ".", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .named(STEP, "its root")?;
    rustix::process::fchdir(root.as_fd()).named(STEP, "its root")?;
    for directory in ["proc", "dev", "run", "tmp"] {
        make_directory(directory).named(STEP, directory)?;
    }
    system_files(plan)?;
    lent::place(programs, notes);
    rustix::process::pivot_root(".", ".").named(STEP, "its root")?;
    unmount(".", UnmountFlags::DETACH).named(STEP, "the machine's root")?;
    rustix::process::chdir("/").named(STEP, "its root")
}

fn system_files(plan: &Start) -> Result<(), Failure> {
    const STEP: Step = Step::Root;
    let memory = |mode: &str, most: u64, part: u64| {
        let share = plan.memory.map_or(most, |memory| memory / part);
        format!("mode={mode},size={}", share.min(most))
    };
    let quiet = MountFlags::NOSUID | MountFlags::NODEV;
    let none = quiet | MountFlags::NOEXEC;
    file_system("proc", "proc", none, None)?;
    file_system(
        "tmpfs",
        "run",
        quiet,
        Some(&memory("755", RUN_BYTES, RUN_PART)),
    )?;
    file_system(
        "tmpfs",
        "tmp",
        quiet,
        Some(&memory("1777", TMP_BYTES, TMP_PART)),
    )?;
    file_system(
        "tmpfs",
        "dev",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        Some(DEV),
    )?;
    for device in DEVICES {
        let place = Path::new("dev").join(device);
        File::create(&place).named(STEP, device)?;
        mount_bind(Path::new("/dev").join(device), &place).named(STEP, device)?;
    }
    for (link, to) in [
        ("dev/fd", "/proc/self/fd"),
        ("dev/stdin", "/proc/self/fd/0"),
        ("dev/stdout", "/proc/self/fd/1"),
        ("dev/stderr", "/proc/self/fd/2"),
        ("dev/ptmx", "pts/ptmx"),
    ] {
        std::os::unix::fs::symlink(to, link).named(STEP, link)?;
    }
    for directory in ["dev/pts", "dev/shm"] {
        make_directory(directory).named(STEP, directory)?;
    }
    let group = if plan.owners.has_root() { ",gid=5" } else { "" };
    let terminals = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    file_system(
        "devpts",
        "dev/pts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        Some(&terminals),
    )?;
    file_system(
        "tmpfs",
        "dev/shm",
        quiet,
        Some(&memory("1777", SHM_BYTES, SHM_PART)),
    )?;
    for file in MASKED {
        let place = Path::new("proc").join(file);
        if place.exists() {
            mount_bind("/dev/null", &place).named(STEP, file)?;
        }
    }
    Ok(())
}

fn file_system(
    kind: &str,
    at: &str,
    flags: MountFlags,
    options: Option<&str>,
) -> Result<(), Failure> {
    let options = options.map(std::ffi::CString::new).transpose();
    let options = options.named(Step::Root, at)?;
    mount(kind, at, kind, flags, options.as_deref()).named(Step::Root, at)
}

fn make_directory(path: &str) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn confine(plan: &Start) -> io::Result<()> {
    let limit = |resource: Resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        rustix::process::setrlimit(resource, limit)
    };
    // One byte and not none: only then nothing is handed to a program of the machine's, which may
    // be what collects such files there.
    limit(Resource::Core, 1)?;
    if let Some(most) = plan.processes {
        limit(Resource::Nproc, most)?;
    }
    confine::filter_calls()?;
    confine::drop_rights()?;
    // Where root made it, root inside is another user than whoever owns this process's memory. An
    // ordinary user needs to be let in to find the sandbox's network, and nothing in this memory
    // is more than what the sandbox has.
    if let Owners::Range { .. } = plan.owners {
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}
