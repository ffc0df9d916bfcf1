//! Where the files of a local sandbox are, and making them.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::id::{SandboxId, SnapshotId};
use crate::launcher::plan::{Base, Owners};

/// The root of a sandbox, or where an image and its changes are laid together.
pub(crate) const ROOT: &str = "root";
/// What was changed of an image.
pub(crate) const UPPER: &str = "upper";
/// What was changed of this machine's `/usr`.
pub(crate) const USR: &str = "usr";
/// Room that an overlay needs beside its changes.
pub(crate) const ROOT_WORK: &str = "upper-work";
/// The same for `/usr`.
pub(crate) const USR_WORK: &str = "usr-work";
/// Where the programs are attached, with the sandbox's owners.
pub(crate) const LOWER: &str = "lower";
/// The first process, as its launcher has written it down.
pub(crate) const INIT: &str = "init";
/// The record.
pub(crate) const RECORD: &str = "record.json";

/// What of a sandbox a snapshot has.
pub(crate) const KEPT: [&str; 3] = [ROOT, UPPER, USR];

const PRIVATE: u32 = 0o700;

/// The provider's own directory.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    state: PathBuf,
}

impl Ground {
    /// Makes the directories that are missing.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let ground = Self {
            state: state.to_owned(),
        };
        for directory in [state, &ground.sandboxes(), &ground.snapshots()] {
            DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE)
                .create(directory)?;
            fs::set_permissions(directory, Permissions::from_mode(PRIVATE))?;
        }
        Ok(ground)
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn sandboxes(&self) -> PathBuf {
        self.state.join("sandboxes")
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.state.join("snapshots")
    }

    pub(crate) fn of(&self, id: &SandboxId) -> PathBuf {
        self.sandboxes().join(id.as_str())
    }

    pub(crate) fn kept(&self, id: &SnapshotId) -> PathBuf {
        self.snapshots().join(id.as_str())
    }
}

/// Makes the directory of a sandbox, private.
pub(crate) fn make_home(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(PRIVATE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes what is in it. What is there already, a copy of a snapshot, stays.
pub(crate) fn make_inside(directory: &Path, base: &Base, owners: Owners) -> io::Result<()> {
    let (theirs, ours): (&[&str], &[&str]) = match base {
        Base::Host => (&[ROOT, USR], &[LOWER, USR_WORK]),
        Base::Image(_) => (&[ROOT, UPPER], &[LOWER, ROOT_WORK]),
    };
    let outside = match owners {
        Owners::Range { first, .. } => Some(first),
        _ => None,
    };
    for name in theirs.iter().chain(ours) {
        let path = directory.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other?,
        }
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        if theirs.contains(name) {
            chown(&path, outside, outside)?;
        }
    }
    if let Base::Host = base {
        // A place for `/usr` before the root is written.
        let usr = directory.join(ROOT).join("usr");
        match fs::create_dir(&usr) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => {
                other?;
                chown(&usr, outside, outside)?;
            }
        }
    }
    Ok(())
}

/// Replaces a private file in one step.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    // The new name must not be on the disk before what it names.
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
