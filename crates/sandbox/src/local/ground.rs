//! Where the files of a local sandbox are, and making them.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::id::{SandboxId, SnapshotId};
use crate::launcher::plan::{Base, Init, Owners};

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
/// Files that are written over have a multiple of this, and this much more than they need at first.
const ROOM_BYTES: usize = 4096;
/// The length of the file of the first process.
const INIT_BYTES: usize = 128;

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

/// Makes the directory of a sandbox, private. Its group, which has no right to it, is the first id
/// of the sandbox's users: by that a range is taken from the first moment on.
pub(crate) fn make_home(directory: &Path, owners: Owners) -> io::Result<()> {
    match DirBuilder::new().mode(PRIVATE).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    match owners {
        Owners::Range { first, .. } => chown(directory, None, Some(first)),
        _ => Ok(()),
    }
}

/// The first ids of the ranges that sandboxes have, also of those that cannot be read.
pub(crate) fn ranges(sandboxes: &Path) -> io::Result<BTreeSet<u32>> {
    let mut ranges = BTreeSet::new();
    for entry in fs::read_dir(sandboxes)? {
        let path = entry?.path();
        let group = fs::symlink_metadata(&path).map(|found| found.gid());
        let owner = fs::symlink_metadata(path.join(ROOT)).map(|found| found.uid());
        ranges.extend(group.into_iter().chain(owner).filter(|id| *id != 0));
    }
    Ok(ranges)
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
    // The new name must not be on the disk before what it names.
    make_private(&beside, bytes)?.sync_all()?;
    fs::rename(&beside, path)?;
    sync_names(path)
}

/// The same for a text of JSON that is written often, and that must be written on a full disk as
/// well. There are two files, each with room; one is written over, and they change places.
pub(crate) fn rewrite_private(path: &Path, json: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let roomy = padded(json, json.len().next_multiple_of(ROOM_BYTES) + ROOM_BYTES);
    let over = write_over(&beside, json)?;
    let had_room = over.is_some();
    let written = match over {
        Some(written) => written,
        None => make_private(&beside, &roomy)?,
    };
    written.sync_all()?;
    match renameat_with(CWD, &beside, CWD, path, RenameFlags::EXCHANGE) {
        Ok(()) => {}
        // The first time, and where a file system cannot do it.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::INVAL) => fs::rename(&beside, path)?,
        Err(error) => return Err(error.into()),
    }
    if !had_room {
        make_private(&beside, &roomy)?;
    }
    sync_names(path)
}

/// Writes down the first process, or that there is none, over what stands there.
pub(crate) fn write_init(directory: &Path, init: Option<Init>) -> io::Result<()> {
    let path = directory.join(INIT);
    let json = init.map(|init| serde_json::to_vec(&init)).transpose()?;
    let json = padded(&json.unwrap_or_default(), INIT_BYTES);
    if write_over(&path, &json)?.is_none() {
        make_private(&path, &json)?;
    }
    Ok(())
}

/// JSON may have spaces behind it.
fn padded(json: &[u8], length: usize) -> Vec<u8> {
    let mut padded = json.to_vec();
    padded.resize(length.max(json.len()), b' ');
    padded
}

/// Writes over a file that is there and long enough; none where there is none.
fn write_over(path: &Path, json: &[u8]) -> io::Result<Option<File>> {
    let mut file = match File::options().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
    if length < json.len() {
        return Ok(None);
    }
    file.write_all(&padded(json, length))?;
    Ok(Some(file))
}

fn make_private(path: &Path, bytes: &[u8]) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

fn sync_names(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_often_keeps_its_room() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("record.json");
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        let lengths = || {
            let length = |name: &str| fs::metadata(place.path().join(name)).unwrap().len();
            [length("record.json"), length("record.new")]
        };
        for length in [10, 4000, 20, 8192] {
            rewrite_private(&path, text(length).as_bytes()).unwrap();
            let written = fs::read_to_string(&path).unwrap();
            assert_eq!(written.trim_end(), text(length), "{length}");
            assert_eq!(lengths(), [8192; 2], "{length}");
        }
        rewrite_private(&path, text(8193).as_bytes()).unwrap();
        assert_eq!(lengths(), [16384; 2]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
