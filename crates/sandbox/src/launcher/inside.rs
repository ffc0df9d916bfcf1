//! What the first process of a sandbox does before it serves: a root of its own, files, and less
//! and less that it may do.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind};
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid};
use wharf_linux::process::{exit_now, place};

use super::faults::inside as passed;
use super::init::Door;
use super::lent::{self, Lent};
use super::outside::prepare;
use super::plan::{Failure, Named as _, Owners, Start, Step};
use super::{anew, borrowed, charge, confine, mounts, skeleton};
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
/// Most terminals; all sandboxes together share what the machine has beside its own.
const MAX_TERMINALS: u32 = 256;
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
    let begun = alone(wait, told, &programs)
        .named(Step::Clone, "descriptors")
        .and_then(|()| become_root(plan.owners).named(Step::Maps, "becoming root inside"));
    let failure = match begun {
        // Its root is who this program's file may belong to.
        Ok(()) if matches!(plan.owners, Owners::Subordinate { .. }) => {
            match anew::start(plan, told) {
                Err(failure) => failure,
            }
        }
        Ok(()) => return go_on(plan, programs, told),
        Err(failure) => failure,
    };
    let _nobody_listens = tell(told, &Err(failure));
    1
}

/// The same from where this program was started anew.
pub(super) fn go_on_anew(plan: &Start) -> Result<(), Failure> {
    let told = io::stdout().as_fd().try_clone_to_owned();
    let told = told.named(Step::Clone, "descriptors")?;
    stand_alone().named(Step::Clone, "descriptors")?;
    exit_now(go_on(plan, Vec::new(), &told))
}

fn go_on(plan: &Start, programs: Vec<Lent>, told: &OwnedFd) -> i32 {
    // Until somebody knows of it, it ends with its launcher, however that ends.
    let with_launcher = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let ready = with_launcher
        .named(Step::Clone, "its launcher")
        .and_then(|()| set_up(plan, programs));
    let (report, door) = match ready {
        Ok((door, notes)) => (Ok(notes), Some(door)),
        Err(failure) => (Err(failure), None),
    };
    let _works_alone = rustix::process::set_parent_process_death_signal(None);
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
/// lends: not its terminal either.
fn alone(wait: &OwnedFd, told: &OwnedFd, programs: &[Lent]) -> io::Result<()> {
    rustix::process::setsid()?;
    stand_alone()?;
    let mut kept = vec![wait.as_raw_fd(), told.as_raw_fd()];
    kept.extend(lent::descriptors(programs));
    sys::close_all_but(&mut kept);
    File::from(wait.try_clone()?).read_exact(&mut [0])
}

/// Lets go of what was read and written so far.
fn stand_alone() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    for number in 0..3 {
        place(&nowhere, number)?;
    }
    Ok(())
}

fn tell(told: &OwnedFd, report: &Result<Vec<String>, Failure>) -> io::Result<()> {
    let text = serde_json::to_vec(report)?;
    File::from(told.try_clone()?).write_all(&text)
}

fn set_up(plan: &Start, mut programs: Vec<Lent>) -> Result<(Door, Vec<String>), Failure> {
    let mut notes = Vec::new();
    let _before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
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
    let root = mounts::view(Path::new("."), true).named(STEP, "its root")?;
    mounts::attach(&root, Path::new(".")).named(STEP, "its root")?;
    rustix::process::fchdir(root.as_fd()).named(STEP, "its root")?;
    for directory in ["proc", "dev", "run", "tmp"] {
        make_place(directory).named(STEP, directory)?;
    }
    system_files(plan)?;
    lent::place(programs, notes);
    mounts::change_root().named(STEP, "its root")
}

/// A directory for a mount. Somebody who was root here before may have put a link in its place,
/// and it is still the machine's root from which that would lead on.
fn make_place(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir(path)
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
        fs::create_dir(directory).named(STEP, directory)?;
    }
    let group = if plan.owners.has_root() { ",gid=5" } else { "" };
    let terminals = format!("newinstance,ptmxmode=0666,mode=0620,max={MAX_TERMINALS}{group}");
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
    if !matches!(plan.owners, Owners::Range { .. }) {
        charge::leave_some();
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
