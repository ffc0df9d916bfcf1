//! Work on files whose owners are those inside a sandbox: only somebody inside may remove or copy
//! them where an ordinary user has made it, so a process with the same owners does it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::process::{Gid, Signal, Uid, WaitOptions, set_parent_process_death_signal, waitpid};
use wharf_linux::process::exit_now;

use super::copy::{self, Copying};
use super::maps;
use super::plan::{Failure, FilesTask, Owners};
use super::remove::remove;
use crate::sys;

/// Carries the task out, as root of the namespace with these owners, in mounts and among processes
/// of its own. The machine's root may do so with its own users.
pub(super) fn carry_out(owners: Owners, task: &FilesTask) -> Result<(), Failure> {
    let users = match owners {
        Owners::Range { .. } => 0,
        _ => libc::CLONE_NEWUSER,
    };
    // By the machine's `/proc`, in which the child's numbers are others.
    let shift = match task {
        FilesTask::Copy { owners: before, .. } => copy::shift(*before, owners)?,
        FilesTask::Remove(_) => None,
    };
    let pipe = || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(Failure::plain);
    let (wait, go) = pipe()?;
    let (report, told) = pipe()?;
    let child = sys::fork_into(users | libc::CLONE_NEWNS | libc::CLONE_NEWPID, || {
        let done = fs::File::from(wait.try_clone().unwrap_or_else(|_| exit_now(1)))
            .read_exact(&mut [0])
            .and_then(|()| {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                if owners.has_root() {
                    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
                    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
                }
                perform(owners, task, shift.as_ref())
            });
        match done {
            Ok(()) => 0,
            Err(error) => {
                let text = error.to_string();
                let told = told.try_clone().map(fs::File::from);
                let _nobody_reads = told.and_then(|mut told| told.write_all(text.as_bytes()));
                1
            }
        }
    })
    .map_err(Failure::plain)?;
    let mapped = match owners {
        Owners::Range { .. } => Ok(()),
        _ => maps::write(child, owners),
    };
    drop(told);
    if mapped.is_ok() {
        let _it_says_why = fs::File::from(go).write_all(b"g");
    } else {
        let _gone = rustix::process::kill_process(child, Signal::KILL);
    }
    let mut text = String::new();
    let _not_text = fs::File::from(report).read_to_string(&mut text);
    let status = waitpid(Some(child), WaitOptions::empty()).map_err(Failure::plain)?;
    mapped?;
    if status.is_some_and(|(_, status)| status.exit_status() == Some(0)) {
        return Ok(());
    }
    Err(Failure::plain(text))
}

fn perform(owners: Owners, task: &FilesTask, shift: Option<&OwnedFd>) -> io::Result<()> {
    match task {
        FilesTask::Remove(paths) => paths.iter().try_for_each(|path| remove(path)),
        FilesTask::Copy {
            from, to, parts, ..
        } => Copying {
            from,
            to,
            parts,
            is_roots: matches!(owners, Owners::Range { .. }),
            shift,
        }
        .carry_out(),
    }
}
