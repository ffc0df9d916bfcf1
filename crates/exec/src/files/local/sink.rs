//! A file of this machine that is being written.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{CWD, Gid, RenameFlags, Uid};
use rustix::io::Errno;
use tokio::runtime::Handle;

use super::{Shared, stat_of};
use crate::executor::BoxFuture;
use crate::files::{
    DEFAULT_MODE, Expect, FilesError, Kind, MAX_PIECE_BYTES, Owner, Sink, Stat, Write, Written,
    path,
};

/// A file that is not whole yet. It is removed when this is dropped, wherever that happens.
struct Unfinished {
    path: PathBuf,
    file: Arc<File>,
    kept: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.kept {
            // What is gone already is gone.
            let _gone = fs::remove_file(&self.path);
        }
    }
}

pub(super) struct LocalSink {
    shared: Arc<Shared>,
    runtime: Handle,
    target: PathBuf,
    old: Option<Stat>,
    how: Write,
    at: u64,
    unfinished: Option<Unfinished>,
    /// A write has failed, and what follows would be put behind a hole.
    broken: bool,
}

pub(super) async fn open(
    shared: &Arc<Shared>,
    path: &Path,
    how: Write,
) -> Result<LocalSink, FilesError> {
    let target = shared.follow(path).await?;
    let (directory, _) = path::split(&target)?;
    let old = shared.check(&target, &how).await?;
    let name = path::temporary(&target, how.partial.as_ref(), shared.entropy.as_ref())?;
    let first = directory.join(name);
    let (at, is_partial) = (first.clone(), how.partial.is_some());
    let begin = move || begin(at, is_partial);
    let (unfinished, stat) = shared
        .blocking(&target, "make a file beside it", begin)
        .await?;
    if stat.kind != Kind::File {
        return Err(FilesError::unfit(&first, stat.kind));
    }
    let from = how.partial.as_ref().and_then(|partial| partial.from);
    let at = from.unwrap_or(stat.size);
    if at > stat.size {
        return Err(FilesError::Partial {
            path: first,
            have: stat.size,
            from: at,
        });
    }
    let file = Arc::clone(&unfinished.file);
    let cut = move || file.set_len(at);
    shared.blocking(&first, "cut it off", cut).await?;
    Ok(LocalSink {
        shared: Arc::clone(shared),
        runtime: Handle::current(),
        target,
        old,
        how,
        at,
        unfinished: Some(unfinished),
        broken: false,
    })
}

fn begin(path: PathBuf, is_partial: bool) -> io::Result<(Unfinished, Stat)> {
    let mut options = OpenOptions::new();
    options.write(true).read(true).mode(0o600);
    if is_partial {
        options.create(true);
    } else {
        options.create_new(true);
    }
    // A link that somebody has put there leads nowhere, and a pipe is not waited for.
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(&path)?;
    let stat = stat_of(&file.metadata()?);
    let unfinished = Unfinished {
        path,
        file: Arc::new(file),
        kept: is_partial,
    };
    Ok((unfinished, stat))
}

impl LocalSink {
    fn file(&self) -> Result<Arc<File>, FilesError> {
        match &self.unfinished {
            Some(unfinished) if !self.broken => Ok(Arc::clone(&unfinished.file)),
            _ => Err(FilesError::failed(
                &self.target,
                "go on writing it",
                "an earlier write has failed",
            )),
        }
    }

    async fn put(&mut self, mut bytes: Bytes) -> Result<(), FilesError> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_PIECE_BYTES));
            let (file, at, length) = (self.file()?, self.at, piece.len() as u64);
            let write = move || {
                file.write_all_at(&piece, at).inspect_err(|_| {
                    // What is kept has no part of a piece in it.
                    let _kept_longer = file.set_len(at);
                })
            };
            // It is whole again only if nothing goes wrong.
            self.broken = true;
            self.shared
                .blocking(&self.target, "write it", write)
                .await?;
            self.broken = false;
            self.at = at.saturating_add(length);
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<Written, FilesError> {
        let (file, target) = (self.file()?, self.target.clone());
        let first = match &self.unfinished {
            Some(unfinished) => unfinished.path.clone(),
            None => return Err(FilesError::NotFound { path: target }),
        };
        if let Some(whole) = self.how.whole {
            let arrived = self.shared.digest_of(&first, Arc::clone(&file)).await?;
            if arrived != whole {
                // To resume it would never make it right.
                self.forget_partial();
                return Err(FilesError::Damaged { path: target });
            }
        }
        let wanted = self.how.mode;
        let old = self.old.clone();
        let dress = move || dress(&file, wanted, old.as_ref());
        let owner_kept = self.shared.blocking(&target, "finish it", dress).await?;
        self.shared.check(&target, &self.how).await?;
        let only_new = self.how.expect == Expect::Absent;
        let to = target.clone();
        let place = move || {
            place(&first, &to, only_new)?;
            Ok(stat_of(&fs::symlink_metadata(&to)?))
        };
        let stat = self
            .shared
            .blocking(&target, "give it its name", place)
            .await?;
        self.keep();
        Ok(Written {
            path: target,
            stat,
            created: self.old.is_none(),
            owner_kept,
        })
    }

    fn keep(&mut self) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.kept = true;
        }
    }

    fn forget_partial(&mut self) {
        if let Some(unfinished) = &mut self.unfinished {
            unfinished.kept = false;
        }
    }
}

impl Sink for LocalSink {
    fn offset(&self) -> u64 {
        self.at
    }

    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), FilesError>> {
        Box::pin(self.put(bytes))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Written, FilesError>> {
        Box::pin(self.commit())
    }

    fn abandon(mut self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(unfinished) = self.unfinished.take() {
                let path = unfinished.path.clone();
                let remove = move || {
                    drop(unfinished);
                    Ok(())
                };
                let _late = self.shared.blocking(&path, "remove it", remove).await;
            }
        })
    }
}

impl Drop for LocalSink {
    fn drop(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            let remove = move || drop(unfinished);
            // Not waited for: the tracker does.
            let _working = self.shared.tasks.spawn_blocking_on(remove, &self.runtime);
        }
    }
}

/// Gives a file the owner and mode that it is to have, and waits until it is on the disk. False
/// where the account may not give it to whom it is to belong.
fn dress(file: &File, wanted: Option<u32>, old: Option<&Stat>) -> io::Result<bool> {
    let mut mode = wanted.or(old.map(|old| old.mode)).unwrap_or(DEFAULT_MODE);
    let owner_kept = match old.and_then(|old| old.owner) {
        Some(owner) => give(file, owner)?,
        None => true,
    };
    if !owner_kept && wanted.is_none() {
        // What ran with its owner's rights must not run with ours.
        mode &= 0o1777;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()?;
    Ok(owner_kept)
}

fn give(file: &File, owner: Owner) -> io::Result<bool> {
    if stat_of(&file.metadata()?).owner == Some(owner) {
        return Ok(true);
    }
    let group = Some(Gid::from_raw(owner.gid));
    match rustix::fs::fchown(file, Some(Uid::from_raw(owner.uid)), group) {
        Ok(()) => Ok(true),
        Err(Errno::PERM) => {
            // A group of its own an account may give.
            let _refused = rustix::fs::fchown(file, None, group);
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn place(first: &Path, target: &Path, only_new: bool) -> io::Result<()> {
    if only_new {
        match rustix::fs::renameat_with(CWD, first, CWD, target, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                fs::hard_link(first, target)?;
                fs::remove_file(first)?;
            }
            placed => placed?,
        }
    } else {
        fs::rename(first, target)?;
    }
    if let Some(directory) = target.parent() {
        // Not every file system can.
        let _not_synced = File::open(directory).and_then(|directory| directory.sync_all());
    }
    Ok(())
}
