//! What an upstream has sent, in a folder of its own until it was looked at.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use gix_object::Kind;
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::command::{self, Bounds};
use super::{GitProgram, Upstream, UpstreamError, folder};
use crate::error::{self, Error, Problem, Problems};
use crate::git::commits::Commit;
use crate::git::objects::{Reader, stored_bytes};
use crate::git::trees::{self, LeafKind};
use crate::git::{BRANCH, Locked, ObjectId, Repository, files, lay_out, make_directory, refs};
use crate::limits::{FILE_MAX, TREE_MAX, UPSTREAM_BYTES, UPSTREAM_TIME};
use crate::path::ProfilePath;
use crate::profiles::{Entry, check, check_content, fits};
use crate::tree::CONTENT_PATH;
use crate::upload::check_text;

/// Beside the layers, whose names are others.
const FOLDER: &str = "incoming";
/// The branch of the upstream, in the folder.
const THEIRS: &str = "refs/wharf/upstream";

/// A repository that sees the profile's objects, and has the upstream's beside them.
pub(super) struct Incoming {
    folder: TempDir,
    /// Held while the folder is in use: what a crash has left is told from it by that.
    _in_use: File,
    /// The newest version there.
    pub(super) theirs: ObjectId,
}

impl Incoming {
    /// Fetches the branch of the upstream. `ours` is what it need not send.
    pub(super) fn fetch(
        git: &GitProgram,
        upstream: &Upstream,
        root: &Path,
        repository: &Repository,
        ours: Option<ObjectId>,
    ) -> Result<Self, Error> {
        folder::check(&upstream.address, root)?;
        let step = || error::io("make a folder for what an upstream sends");
        let place = root.join(FOLDER);
        make_directory(&place)?;
        sweep(&place).map_err(step())?;
        let folder = tempfile::Builder::new().tempdir_in(&place);
        let folder = folder.map_err(step())?;
        let in_use = File::open(folder.path()).map_err(step())?;
        let held = flock(&in_use, FlockOperation::NonBlockingLockExclusive);
        held.map_err(|errno| step()(errno.into()))?;
        lay_out(folder.path())?;
        if let Some(ours) = ours {
            let objects = fs::canonicalize(repository.objects()).map_err(step())?;
            let mut line = std::os::unix::ffi::OsStringExt::into_vec(objects.into_os_string());
            line.push(b'\n');
            let alternates = folder.path().join("objects/info/alternates");
            files::write_new(&alternates, &line).map_err(step())?;
            refs::compare_and_swap(folder.path(), BRANCH, None, ours)?;
        }
        let from = format!("+refs/heads/{}:{THEIRS}", upstream.branch);
        let words = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--",
            upstream.address.as_str(),
            &from,
        ];
        let bounds = Bounds {
            time: UPSTREAM_TIME,
            bytes: UPSTREAM_BYTES,
        };
        let said = command::run(git, upstream, folder.path(), &words, bounds)?;
        if !said.status.success() {
            if said.stderr.contains("couldn't find remote ref") {
                return Err(UpstreamError::NoBranch(upstream.branch.to_string()).into());
            }
            return Err(said.failure().into());
        }
        let theirs = refs::read(folder.path(), THEIRS)?;
        let theirs = theirs.ok_or_else(|| UpstreamError::Failed("it sent nothing".to_owned()))?;
        Ok(Self {
            folder,
            _in_use: in_use,
            theirs,
        })
    }

    /// Both sides' objects.
    pub(super) fn objects(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    pub(super) fn reader(&self) -> Result<Reader, Error> {
        Reader::open(&self.objects())
    }

    /// The files of their newest version, each of which may be in a profile.
    pub(super) fn files(&self) -> Result<Vec<Entry>, Error> {
        let mut reader = self.reader()?;
        let commit = Commit::get(&mut reader, self.theirs)?;
        fit(&mut reader, commit.tree).map_err(|error| match error {
            Error::Refused(_) | Error::TooLarge { .. } | Error::TooMany { .. } => {
                UpstreamError::Unfit(error.to_string()).into()
            }
            other => other,
        })
    }

    /// Moves what was sent into the profile's repository. Nothing points to it yet.
    ///
    /// # Errors
    /// [`Error::Full`] where there is no room for it.
    pub(super) fn keep(&self, locked: &Locked<'_>) -> Result<(), Error> {
        let step = || error::io("keep what an upstream has sent");
        fits(locked.repository(), None, stored_bytes(&self.objects())?)?;
        let from = self.objects().join("pack");
        let to = locked.repository().objects().join("pack");
        let mut names = Vec::new();
        for entry in fs::read_dir(&from).map_err(step())? {
            let name = entry.map_err(step())?.file_name();
            let extension = PathBuf::from(&name);
            let extension = extension.extension().and_then(|it| it.to_str());
            // An index without its pack would be read; a pack without its index is not.
            match extension {
                Some("pack") => names.push((0, name)),
                Some("idx") => names.push((1, name)),
                _ => {}
            }
        }
        names.sort();
        for (_, name) in &names {
            let draft = to.join(format!("tmp_{}", name.to_string_lossy()));
            files::remove(&draft).map_err(step())?;
            copy(&from.join(name), &draft).map_err(step())?;
            fs::rename(&draft, to.join(name)).map_err(step())?;
        }
        files::flush_directory(&to).map_err(step())
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

/// Removes what crashes have left: folders that nobody holds.
fn sweep(place: &Path) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        let Ok(folder) = File::open(&path) else {
            continue;
        };
        // Another process may be between making its folder and holding it. It then fails, and says
        // so, and can be asked again.
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The files below `tree`, if all of them may be in a profile. Sizes are looked at before anything
/// is unpacked.
fn fit(reader: &mut Reader, tree: ObjectId) -> Result<Vec<Entry>, Error> {
    let mut problems = Problems::default();
    let mut entries = Vec::new();
    let mut bytes = 0_u64;
    for leaf in trees::flatten(reader, tree)? {
        let shown = String::from_utf8_lossy(&leaf.path).into_owned();
        let LeafKind::File { executable } = leaf.kind else {
            problems.add(Problem::new(
                &shown,
                "it is a symbolic link or a repository",
            ));
            continue;
        };
        let path = match std::str::from_utf8(&leaf.path) {
            Ok(path) => ProfilePath::parse(path),
            Err(_) => Err("the path is not UTF-8"),
        };
        let path = match path {
            Ok(path) => path,
            Err(reason) => {
                problems.add(Problem::new(&shown, reason));
                continue;
            }
        };
        let size = reader.size(&leaf.id)?.unwrap_or(u64::MAX);
        bytes = bytes.saturating_add(size);
        if bytes > TREE_MAX as u64 {
            return Err(crate::profiles::error_too_large("the tree", TREE_MAX));
        }
        if size > FILE_MAX as u64 {
            problems.add(Problem::new(&shown, "it is larger than 8 MiB"));
            continue;
        }
        let content = reader.get(&leaf.id, Kind::Blob)?;
        check_content(path.as_str(), content, &mut problems);
        if path.as_str() == CONTENT_PATH {
            check_text(content, &mut problems);
        }
        entries.push(Entry {
            path,
            id: leaf.id,
            size,
            executable,
        });
    }
    problems.refuse()?;
    check(&entries)?;
    Ok(entries)
}
