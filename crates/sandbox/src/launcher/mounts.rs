//! Views of directories and files, and where they are attached.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_change, move_mount,
    open_tree, unmount,
};

/// Nothing of what is mounted from here on is seen by others.
pub(super) fn make_private() -> io::Result<()> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    Ok(mount_change("/", flags)?)
}

/// A view of a tree that is attached nowhere yet, `whole` with what is mounted below it: root
/// leaves that out, and an ordinary user may not look under it.
pub(super) fn view(tree: &Path, whole: bool) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    flags.set(OpenTreeFlags::AT_RECURSIVE, whole);
    Ok(open_tree(CWD, tree, flags)?)
}

/// Attaches a view.
pub(super) fn attach(view: &OwnedFd, to: &Path) -> io::Result<()> {
    Ok(move_mount(
        view,
        "",
        CWD,
        to,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?)
}

/// Makes the current directory, where something is mounted, the root, and leaves the old one.
pub(super) fn change_root() -> io::Result<()> {
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}
