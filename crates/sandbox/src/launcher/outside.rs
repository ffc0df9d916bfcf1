//! What is done before there is a sandbox: groups, file systems that only root can make, the
//! child in its namespaces.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, Signal};

use super::init::started;
use super::lent::{self, Lent};
use super::plan::{Answer, Base, Failure, Init, Named as _, Owners, Start, Step};
use super::{charge, faults, inside, maps, mounts, sudo};
use crate::local::ground::{LOWER, ROOT, ROOT_WORK, UPPER, USR, USR_WORK, write_init};
use crate::sys::{self, Attributes};

/// The longest report of the child's that is read.
const MAX_REPORT_BYTES: u64 = 64 * 1024;

/// Starts the sandbox and answers with its first process.
pub(super) fn start(plan: &Start) -> Result<Answer, Failure> {
    join(&plan.groups)?;
    faults::outside(plan, Step::Join)?;
    charge::first_in_need();
    rustix::process::chdir(&plan.directory).named(Step::Mounts, "the directory")?;
    let mut notes = Vec::new();
    let mut programs = Vec::new();
    if let Owners::Range { .. } = plan.owners {
        sys::own_mounts().named(Step::Mounts, "mounts of its own")?;
        prepare(plan, &mut notes)?;
        programs = lent::take(&plan.programs, &mut notes);
        // The child's users may not look into the directories around its root.
        rustix::process::chdir(ROOT).named(Step::Mounts, ROOT)?;
    }
    faults::outside(plan, Step::Mounts)?;
    launch(plan, programs, notes)
}

/// Enters control groups.
pub(super) fn join(groups: &[PathBuf]) -> Result<(), Failure> {
    for group in groups {
        let file = group.join("cgroup.procs");
        fs::write(&file, "0").named(Step::Join, &file.display().to_string())?;
    }
    Ok(())
}

/// Makes the file systems below the current directory. The mounts must be our own already.
pub(super) fn prepare(plan: &Start, notes: &mut Vec<String>) -> Result<(), Failure> {
    const STEP: Step = Step::Mounts;
    mounts::make_private().named(STEP, "private mounts")?;
    let owners = match plan.owners {
        Owners::Range { first, count } => Some(owners_of(&maps::line(first, count))?),
        // Only root may say that a file belongs to somebody else.
        _ => None,
    };
    match &plan.base {
        Base::Host => {
            let root = view(Path::new(ROOT), owners.is_none())?;
            let no_devices = Attributes {
                no_devices: true,
                ..Attributes::default()
            };
            sys::change_mount(root.as_fd(), no_devices, None).named(STEP, ROOT)?;
            attach(&root, Path::new(ROOT))?;
            lower(Path::new("/usr"), owners.as_ref())?;
            let usr = Path::new(ROOT).join("usr");
            if owners.is_none() {
                notes.push(
                    "/usr cannot be changed: only root can lay a copy over this machine's"
                        .to_owned(),
                );
                again(&usr)?;
                if plan.owners.has_root()
                    && let Err(error) = sudo::make_usable()
                {
                    notes.push(format!("sudo does not work: {error}"));
                }
            } else if let Err(error) = overlay(&usr, USR, USR_WORK, true) {
                notes.push(format!(
                    "/usr cannot be changed: this file system carries no overlay ({error})"
                ));
                again(&usr)?;
            }
        }
        Base::Image(image) => {
            lower(image, owners.as_ref())?;
            overlay(Path::new(ROOT), UPPER, ROOT_WORK, owners.is_some()).named(
                STEP,
                "an overlay over the image (the state directory must be on a disk's file system)",
            )?;
        }
    }
    Ok(())
}

/// Attaches a read-only view of a tree in which host's root is the sandbox's.
fn lower(tree: &Path, owners: Option<&OwnedFd>) -> Result<(), Failure> {
    let tree = view(tree, owners.is_none())?;
    let attributes = Attributes {
        read_only: true,
        no_devices: true,
        no_setuid: false,
    };
    sys::change_mount(
        tree.as_fd(),
        attributes,
        owners.map(|owners| owners.as_fd()),
    )
    .named(Step::Mounts, "owners of the programs")?;
    attach(&tree, Path::new(LOWER))
}

/// Attaches the lower tree once more, as it is.
fn again(at: &Path) -> Result<(), Failure> {
    attach(&view(Path::new(LOWER), true)?, at)
}

fn view(tree: &Path, whole: bool) -> Result<OwnedFd, Failure> {
    mounts::view(tree, whole).named(Step::Mounts, &tree.display().to_string())
}

fn attach(view: &OwnedFd, to: &Path) -> Result<(), Failure> {
    mounts::attach(view, to).named(Step::Mounts, &to.display().to_string())
}

/// The paths are relative, since those of an overlay cannot hold every character.
fn overlay(at: &Path, upper: &str, work: &str, is_root: bool) -> std::io::Result<()> {
    // What an overlay notes about a file is in attributes that only root may write, or in others.
    let attributes = if is_root { "" } else { ",userxattr" };
    let options = format!("lowerdir={LOWER},upperdir={upper},workdir={work}{attributes}");
    let options = std::ffi::CString::new(options)?;
    mount(
        "overlay",
        at,
        "overlay",
        MountFlags::NODEV,
        Some(options.as_c_str()),
    )?;
    Ok(())
}

/// A user namespace with these owners, for mounts. The sandbox's own is not there yet; the kernel
/// takes of this one only who is who.
pub(super) fn owners_of(map: &str) -> Result<OwnedFd, Failure> {
    const STEP: Step = Step::Maps;
    let child = sys::fork_into(libc::CLONE_NEWUSER, || {
        let with_us = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
        if with_us.is_ok() {
            rustix::event::pause();
        }
        0
    })
    .named(STEP, "a user namespace")?;
    let namespace = maps::write_both(child, map).and_then(|()| {
        let path = format!("/proc/{}/ns/user", child.as_raw_nonzero());
        File::open(path).named(STEP, "a user namespace")
    });
    let _gone_already = rustix::process::kill_process(child, Signal::KILL);
    reap(child);
    namespace.map(OwnedFd::from)
}

fn launch(plan: &Start, programs: Vec<Lent>, mut notes: Vec<String>) -> Result<Answer, Failure> {
    let pipe =
        || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).named(Step::Clone, "a pipe");
    let (wait, go) = pipe()?;
    let (report, told) = pipe()?;
    let child = charge::to_its_own(plan, || {
        sys::fork_into(sys::NAMESPACES, || {
            inside::become_sandbox(plan, programs, (&wait, &told))
        })
    })
    .named(Step::Clone, &why_not(plan.owners))?;
    drop((wait, told));
    let outcome = bring_up(plan, child, File::from(go), File::from(report));
    match outcome {
        Ok((init, more)) => {
            notes.extend(more);
            Ok(Answer::Started { init, notes })
        }
        Err(failure) => {
            let _gone_already = rustix::process::kill_process(child, Signal::KILL);
            reap(child);
            Err(failure)
        }
    }
}

fn why_not(owners: Owners) -> String {
    match owners {
        Owners::Range { .. } => "namespaces".to_owned(),
        _ => "namespaces of an ordinary user, which this system may not allow (sysctl \
              user.max_user_namespaces, kernel.unprivileged_userns_clone, \
              kernel.apparmor_restrict_unprivileged_userns)"
            .to_owned(),
    }
}

fn bring_up(
    plan: &Start,
    child: Pid,
    mut go: File,
    report: File,
) -> Result<(Init, Vec<String>), Failure> {
    let pid = child.as_raw_nonzero().get();
    let init = Init {
        pid,
        started: started(pid).named(Step::Clone, "the first process")?,
    };
    // Whoever asked may be gone by the time of the answer; this is how the sweep finds it.
    write_init(&plan.directory, Some(init)).named(Step::Clone, "its record")?;
    faults::outside(plan, Step::Clone)?;
    maps::write(child, plan.owners)?;
    faults::outside(plan, Step::Maps)?;
    go.write_all(b"g").named(Step::Maps, "the first process")?;
    drop(go);
    let mut text = Vec::new();
    report
        .take(MAX_REPORT_BYTES)
        .read_to_end(&mut text)
        .named(Step::Root, "the first process")?;
    let report: Result<Vec<String>, Failure> = serde_json::from_slice(&text)
        .map_err(|_| Failure::at(Step::Root, "the first process ended without a word"))?;
    report.map(|notes| (init, notes))
}

fn reap(child: Pid) {
    let _not_ours = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
}
