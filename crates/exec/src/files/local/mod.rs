//! The files of this machine. All that may wait for a disk is done on threads for such work.

mod sink;
mod source;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio_util::task::TaskTracker;
use wharf_model::{Entropy, Timestamp};

use super::path::{self, MAX_LINKS, Place};
use super::{
    Digest, Entry, Files, FilesError, Kind, Links, Listing, MAX_ENTRIES, Owner, Read,
    STEP_PATIENCE, Sink, Source, Stat, Write, expectation,
};
use crate::executor::BoxFuture;
use source::LocalSource;

/// What is read in one step to make a digest.
const DIGEST_STEP: usize = 4 * 1024 * 1024;

/// This machine's files.
pub struct LocalFiles {
    shared: Arc<Shared>,
}

struct Shared {
    home: PathBuf,
    entropy: Arc<dyn Entropy>,
    tasks: TaskTracker,
}

impl LocalFiles {
    /// With the account's home directory, for paths that begin with `~/`.
    #[must_use]
    pub fn new(home: PathBuf, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            shared: Arc::new(Shared {
                home,
                entropy,
                tasks: TaskTracker::new(),
            }),
        }
    }

    /// Waits until the disk has done what it was asked to do.
    pub async fn shutdown(&self) {
        self.shared.tasks.close();
        if tokio::time::timeout(STEP_PATIENCE, self.shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(target: "system", "a disk takes too long to end what it was asked to do");
        }
    }
}

impl Shared {
    fn at(&self, path: &Path) -> Result<PathBuf, FilesError> {
        Ok(Place::of(path)?.at(&self.home))
    }

    /// Does something on a thread that may wait, and waits for it, so long and no longer.
    async fn blocking<T: Send + 'static>(
        &self,
        path: &Path,
        what: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, FilesError> {
        let working = self.tasks.spawn_blocking(work);
        super::within(path, what, async {
            match working.await {
                Ok(done) => done.map_err(|error| FilesError::system(path, what, &error)),
                Err(error) => Err(FilesError::failed(path, what, error)),
            }
        })
        .await
    }

    /// Opens a regular file to read it. A pipe is not waited for.
    async fn open(&self, path: &Path) -> Result<(Arc<File>, Stat), FilesError> {
        let at = path.to_owned();
        let opened = self.blocking(path, "open it", move || {
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(libc::O_NONBLOCK);
            let file = options.open(at)?;
            let stat = stat_of(&file.metadata()?);
            Ok((Arc::new(file), stat))
        });
        let (file, stat) = opened.await?;
        if stat.kind != Kind::File {
            return Err(FilesError::unfit(path, stat.kind));
        }
        Ok((file, stat))
    }

    async fn digest_of(&self, path: &Path, file: Arc<File>) -> Result<Digest, FilesError> {
        let (mut hasher, mut buffer, mut at) = (Sha256::new(), Vec::new(), 0_u64);
        loop {
            let file = Arc::clone(&file);
            let step = self.blocking(path, "read it", move || {
                buffer.resize(DIGEST_STEP, 0);
                let count = file.read_at(&mut buffer, at)?;
                hasher.update(buffer.get(..count).unwrap_or_default());
                Ok((hasher, buffer, count))
            });
            let count;
            (hasher, buffer, count) = step.await?;
            if count == 0 {
                return Ok(Digest(hasher.finalize().into()));
            }
            at = at.saturating_add(count as u64);
        }
    }

    /// What is at a path that a writer has its eyes on; nothing, where nothing is.
    async fn found(&self, path: &Path) -> Result<Option<Stat>, FilesError> {
        let at = path.to_owned();
        let found = self.blocking(path, "look at it", move || {
            Ok(stat_of(&fs::symlink_metadata(at)?))
        });
        match found.await {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Holds what is at `path` against what the writer expects there.
    async fn check(&self, path: &Path, how: &Write) -> Result<Option<Stat>, FilesError> {
        let found = self.found(path).await?;
        if expectation::judge(path, &how.expect, found.as_ref())? {
            let (file, _) = self.open(path).await?;
            let digest = self.digest_of(path, file).await?;
            expectation::judge_content(path, &how.expect, digest)?;
        }
        Ok(found)
    }

    /// Where the links at the end of a path lead, whether or not something is there.
    async fn follow(&self, path: &Path) -> Result<PathBuf, FilesError> {
        let mut at = path.to_owned();
        for _ in 0..=MAX_LINKS {
            let asked = at.clone();
            let link = self.blocking(path, "follow the link", move || match fs::symlink_metadata(
                &asked,
            ) {
                Ok(found) if found.is_symlink() => fs::read_link(&asked).map(Some),
                Ok(_) => Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            });
            match link.await? {
                Some(to) => at = path::linked(&at, &to),
                None => return Ok(at),
            }
        }
        Err(FilesError::TooManyLinks {
            path: path.to_owned(),
        })
    }
}

impl Files for LocalFiles {
    fn stat(&self, path: &Path, links: Links) -> BoxFuture<'_, Result<Stat, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let look = move || {
                Ok(stat_of(&match links {
                    Links::Follow => fs::metadata(at)?,
                    Links::Stay => fs::symlink_metadata(at)?,
                }))
            };
            self.shared.blocking(&path, "look at it", look).await
        })
    }

    fn list(&self, path: &Path, most: usize) -> BoxFuture<'_, Result<Listing, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let most = most.min(MAX_ENTRIES);
            let look = move || list(&at, most);
            self.shared.blocking(&path, "list it", look).await
        })
    }

    fn read(&self, path: &Path, what: Read) -> BoxFuture<'_, Result<Box<dyn Source>, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let (file, stat) = self.shared.open(&at).await?;
            let source = LocalSource::new(Arc::clone(&self.shared), at, file, stat, what);
            Ok(Box::new(source) as Box<dyn Source>)
        })
    }

    fn write(&self, path: &Path, how: Write) -> BoxFuture<'_, Result<Box<dyn Sink>, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let sink = sink::open(&self.shared, &at, how).await?;
            Ok(Box::new(sink) as Box<dyn Sink>)
        })
    }

    fn remove(&self, path: &Path) -> BoxFuture<'_, Result<(), FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let work = move || {
                if fs::symlink_metadata(&at)?.is_dir() {
                    fs::remove_dir(&at)
                } else {
                    fs::remove_file(&at)
                }
            };
            self.shared.blocking(&path, "remove it", work).await
        })
    }

    fn make_directory(
        &self,
        path: &Path,
        mode: Option<u32>,
    ) -> BoxFuture<'_, Result<(), FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let work = move || make_directory(&at, mode);
            self.shared.blocking(&path, "make it", work).await
        })
    }

    fn digest(&self, path: &Path) -> BoxFuture<'_, Result<Digest, FilesError>> {
        let path = path.to_owned();
        Box::pin(async move {
            let at = self.shared.at(&path)?;
            let (file, _) = self.shared.open(&at).await?;
            self.shared.digest_of(&at, file).await
        })
    }
}

fn stat_of(found: &fs::Metadata) -> Stat {
    let millis = found
        .mtime()
        .saturating_mul(1000)
        .saturating_add(found.mtime_nsec() / 1_000_000);
    Stat {
        kind: Kind::of_mode(found.mode()),
        size: found.size(),
        mode: found.mode() & 0o7777,
        owner: Some(Owner {
            uid: found.uid(),
            gid: found.gid(),
        }),
        modified: Some(Timestamp::from_millis(millis)),
    }
}

fn list(path: &Path, most: usize) -> io::Result<Listing> {
    let mut listing = Listing {
        entries: Vec::new(),
        more: false,
    };
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if listing.entries.len() == most {
            listing.more = true;
            break;
        }
        match entry.metadata() {
            Ok(found) => listing.entries.push(Entry {
                name: entry.file_name(),
                stat: stat_of(&found),
            }),
            // It has gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    listing.entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listing)
}

fn make_directory(path: &Path, mode: Option<u32>) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).create(parent)?;
    }
    let mut builder = DirBuilder::new();
    if let Some(mode) = mode {
        builder.mode(mode);
    }
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Somebody else was as quick.
            if fs::metadata(path)?.is_dir() {
                return Ok(());
            }
            Err(io::ErrorKind::NotADirectory.into())
        }
        Err(error) => Err(error),
        Ok(()) => match mode {
            // Whatever the mask of this process takes away.
            Some(mode) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
            None => Ok(()),
        },
    }
}
