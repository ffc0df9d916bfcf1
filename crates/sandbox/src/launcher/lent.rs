//! Programs of this machine's that every sandbox has, read-only: too large to copy into each, and
//! in memory once however many use them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use super::mounts;
use crate::sys::{self, Attributes};

/// Where they are inside, which is in memory and new at each start: nothing that was left there
/// can lead what is mounted elsewhere.
pub(crate) const PLACE: &str = "/run/programs";

/// A view of a program that is mounted nowhere yet.
pub(super) struct Lent {
    name: String,
    tree: OwnedFd,
}

/// Takes views. Where root makes the sandbox this is before there is one: whoever is root inside
/// may not look into the directories that the programs are in. What cannot be had is a note.
pub(super) fn take(programs: &BTreeMap<String, PathBuf>, notes: &mut Vec<String>) -> Vec<Lent> {
    let lend = |(name, file): (&String, &PathBuf)| match view(file) {
        Ok(tree) => Some(Lent {
            name: name.clone(),
            tree,
        }),
        Err(error) => {
            notes.push(missing(name, &error));
            None
        }
    };
    programs.iter().filter_map(lend).collect()
}

/// The descriptors, for whoever closes all others.
pub(super) fn descriptors(lent: &[Lent]) -> impl Iterator<Item = RawFd> {
    lent.iter().map(|lent| lent.tree.as_raw_fd())
}

/// Mounts them below the current directory, which becomes the root.
pub(super) fn place(lent: Vec<Lent>, notes: &mut Vec<String>) {
    for Lent { name, tree } in lent {
        let place = Path::new(PLACE.trim_start_matches('/'));
        let mounted = fs::create_dir_all(place).and_then(|()| {
            let file = place.join(&name);
            File::create(&file)?;
            mounts::attach(&tree, &file)
        });
        if let Err(error) = mounted {
            notes.push(missing(&name, &error));
        }
    }
}

fn view(file: &Path) -> io::Result<OwnedFd> {
    let file = file.canonicalize()?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let tree = mounts::view(&file, false)?;
    let attributes = Attributes {
        read_only: true,
        no_devices: true,
        no_setuid: true,
    };
    sys::change_mount(tree.as_fd(), attributes, None)?;
    Ok(tree)
}

fn missing(program: &str, error: &io::Error) -> String {
    format!("{program} of this machine is not in it: {error}")
}
