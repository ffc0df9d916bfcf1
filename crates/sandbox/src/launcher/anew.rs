//! The first process of a sandbox is this program, and root inside reaches the file of any program
//! that runs there, by `/proc/1/exe`. Where an ordinary user has made the sandbox that root is the
//! user, whose file it may be. So this program is started anew, from a view of its file that
//! nobody can change anything through.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};
use wharf_linux::process::place;

use super::mounts;
use super::plan::{Failure, Named as _, Plan, Start, Step};
use crate::sys::{self, Attributes};

const STEP: Step = Step::Mounts;

/// Becomes this program anew, with the rest of the plan as its standard input and the pipe of the
/// report as its standard output. Returns only when that fails.
pub(super) fn start(plan: &Start, told: &OwnedFd) -> Result<Infallible, Failure> {
    let plan =
        hand_over(&Plan::Inside(Box::new(plan.clone()))).named(STEP, "the rest of the plan")?;
    let program = unwritable().named(
        STEP,
        "a view of this program (after it was replaced the server has to be started again)",
    )?;
    let words = std::env::args_os()
        .map(OsString::into_vec)
        .map(CString::new);
    let words: Vec<CString> = words.collect::<Result<_, _>>().named(STEP, "its words")?;
    place(&plan, 0).named(STEP, "the rest of the plan")?;
    place(told, 1).named(STEP, "the report")?;
    Err(Failure::at(
        STEP,
        sys::become_program(program.as_fd(), &words),
    ))
}

fn hand_over(plan: &Plan) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("plan", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(plan)?)?;
    file.rewind()?;
    Ok(file.into())
}

/// By its name: what the kernel knows as our program belongs to the mounts of another namespace.
fn unwritable() -> io::Result<OwnedFd> {
    let view = mounts::view(&fs::read_link(Path::new("/proc/self/exe"))?, false)?;
    let attributes = Attributes {
        read_only: true,
        ..Attributes::default()
    };
    sys::change_mount(view.as_fd(), attributes, None)?;
    Ok(view)
}
