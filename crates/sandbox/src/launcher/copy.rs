//! Copying the files of a sandbox. Its processes may go on meanwhile where nothing can hold them
//! still, and put a link in the place of a directory under our hands. So it is done in a root with
//! nothing in it but the programs, what is copied, and where to: a link leads nowhere else.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, mount};

use super::plan::{Failure, Owners};
use super::remove::remove;
use super::{mounts, outside, skeleton};
use crate::sys::{self, Attributes};

/// Where a program finds its libraries, if not in the places that all look at.
const LIBRARIES: &str = "/etc/ld.so.cache";
/// Room for the root itself: some names and the list of libraries.
const ROOM: &std::ffi::CStr = c"mode=755,size=8m";

/// What is copied.
pub(super) struct Copying<'a> {
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
    pub(super) parts: &'a [PathBuf],
    /// Whether root does it, for a sandbox of its own.
    pub(super) is_roots: bool,
    /// Where the copies are another sandbox's, the owners that its users have.
    pub(super) shift: Option<&'a OwnedFd>,
}

/// What the owners become, where the files are of one sandbox and the copies another's.
pub(super) fn shift(before: Owners, after: Owners) -> Result<Option<OwnedFd>, Failure> {
    match (before, after) {
        (before, after) if before == after => Ok(None),
        (
            Owners::Range { first: before, .. },
            Owners::Range {
                first: after,
                count,
            },
        ) => {
            // What an overlay notes of itself is the machine's root's.
            let map = format!("0 0 1\n{before} {after} {count}\n");
            outside::owners_of(&map).map(Some)
        }
        _ => Err(Failure::plain("the owners cannot be changed into these")),
    }
}

impl Copying<'_> {
    /// Copies. This process's mounts must be its own already; afterwards it sees nothing else.
    pub(super) fn carry_out(&self) -> io::Result<()> {
        for part in self.parts {
            remove(&self.to.join(part))?;
        }
        self.close_off()?;
        for part in self.parts {
            copy(&Path::new("/from").join(part), Path::new("/to"))?;
        }
        Ok(())
    }

    fn close_off(&self) -> io::Result<()> {
        mounts::make_private()?;
        let whole = !self.is_roots;
        let closed = Attributes {
            read_only: true,
            ..Attributes::default()
        };
        let usr = mounts::view(Path::new("/usr"), whole)?;
        sys::change_mount(usr.as_fd(), closed, None)?;
        let libraries = fs::read(LIBRARIES);
        let to = mounts::view(self.to, whole)?;
        let shift = self.shift.map(|owners| owners.as_fd());
        let mut views = Vec::new();
        for part in self.parts {
            let view = mounts::view(&self.from.join(part), whole)?;
            sys::change_mount(view.as_fd(), closed, shift).map_err(|error| match shift {
                Some(_) => io::Error::other(format!(
                    "this file system cannot show files as somebody else's: {error}"
                )),
                None => error,
            })?;
            views.push((Path::new("from").join(part), view));
        }
        let quiet = MountFlags::NOSUID | MountFlags::NODEV;
        mount("tmpfs", self.to, "tmpfs", quiet, Some(ROOM))?;
        rustix::process::chdir(self.to)?;
        let places = views.iter().map(|(place, view)| (place.as_path(), view));
        let others = [(Path::new("usr"), &usr), (Path::new("to"), &to)];
        for (place, view) in others.into_iter().chain(places) {
            fs::create_dir_all(place)?;
            mounts::attach(view, place)?;
        }
        // Its own processes and no others: some calls of the system's library lead over there.
        fs::create_dir("proc")?;
        mount("proc", "proc", "proc", quiet | MountFlags::NOEXEC, None)?;
        mounts::change_root()?;
        skeleton::lead_to_programs()?;
        if let Ok(list) = libraries {
            fs::create_dir("/etc")?;
            fs::write(LIBRARIES, list)?;
        }
        Ok(())
    }
}

/// By `cp`, which knows holes, links, attributes and file systems that share blocks.
fn copy(from: &Path, into: &Path) -> io::Result<()> {
    let output = Command::new("/bin/cp")
        .args(["-a", "--reflink=auto", "--sparse=auto", "--"])
        .args([from, into])
        // Nothing to read: the plan was that, to its end.
        .stdin(Stdio::inherit())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or("cp failed").to_owned();
    Err(io::Error::other(first))
}
