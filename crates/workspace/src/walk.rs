//! The walk: all that belongs to the workspace, by several threads, each directory read once.
//!
//! A directory is opened in its parent, never by its whole path, so that depth costs nothing and
//! no link is followed. The threads share a stack: the newest directory is taken first, which
//! bounds what is open to the depth and not to the breadth.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};

use crate::Error;
use crate::ignore::{GITIGNORE, Ground, Has, Opened, Rules, Verdict, WHARFIGNORE};
use crate::manifest::ENTRIES_MAX;
use crate::path::{RelPath, join};
use crate::pull::TEMP;

/// The most threads of one walk: the kernel's own locks make more of them slower.
pub const THREADS_MAX: usize = 8;
/// Holes below this are not worth a thought.
const SPARSE_BYTES_MIN: i64 = 1024 * 1024;

/// What is walked.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// The directory.
    pub root: &'a Path,
    /// A directory that is left out wherever it is met: our own state.
    pub state: &'a Path,
    /// The person's file of patterns (`core.excludesFile`).
    pub excludes: Option<&'a Path>,
    /// What is done with `.git`.
    pub git: GitForm,
    /// How many threads walk and read.
    pub threads: usize,
}

/// What is done with `.git`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GitForm {
    /// It stays here.
    #[default]
    Leave,
    /// It goes along in a form that is of use there: history, branches and index; without hooks,
    /// which are programs of this machine, locks, logs and other work trees.
    Take,
}

/// Why something is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A rule of git's or `.wharfignore` says so.
    Ignored,
    /// It is a pipe, a socket or a device.
    Special,
    /// It is Wharf's own state.
    State,
    /// It is git's own.
    Git,
    /// `.git` is a pointer to somewhere else, which would lead nowhere there.
    GitPointer,
    /// It cannot be read.
    Unreadable,
}

/// Something that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What; with all that is in it.
    pub path: RelPath,
    /// Why.
    pub why: Why,
}

/// What a walk has found at a path.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: RelPath,
    pub(crate) kind: FileType,
    pub(crate) mode: u32,
    pub(crate) size: u64,
    pub(crate) is_sparse: bool,
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
    pub(crate) inode: u64,
    /// Of a link.
    pub(crate) target: Option<Box<[u8]>>,
}

#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// In the order of their paths.
    pub(crate) found: Vec<Found>,
    /// Likewise. All of them, since what is not among them and not there is gone.
    pub(crate) left: Vec<Left>,
}

/// Walks it.
pub(crate) fn walk(walk: &Walk<'_>) -> Result<Walked, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, walk.root, flags, Mode::empty());
    let root = root.map_err(|errno| Error::read(walk.root)(errno.into()))?;
    walk_from(root, walk)
}

fn walk_from(root: OwnedFd, walk: &Walk<'_>) -> Result<Walked, Error> {
    let (ground, rules) = Ground::at(walk.root, walk.excludes);
    let state = rustix::fs::stat(walk.state)
        .ok()
        .map(|found| (found.st_dev, found.st_ino));
    let first = Todo {
        parent: None,
        name: Vec::new(),
        path: Vec::new(),
        rules,
        is_passage: false,
        in_git: false,
    };
    let shared = Shared {
        walk,
        root,
        ground,
        state,
        queue: Mutex::new(Queue {
            todo: vec![first],
            busy: 0,
            entries: 0,
            is_over: false,
            failed: None,
        }),
        news: Condvar::new(),
    };
    let threads = walk.threads.clamp(1, THREADS_MAX);
    let parts: Vec<Walked> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| shared.work()))
            .collect();
        let mut parts = vec![shared.work()];
        for other in others {
            match other.join() {
                Ok(part) => parts.push(part),
                // A thread of ours does not panic; if one did, what it found would be missing.
                Err(_panic) => shared.fail(io::Error::other("a thread of the walk ended")),
            }
        }
        parts
    });
    if let Some(error) = shared.lock().failed.take() {
        return Err(Error::read(walk.root)(error));
    }
    if shared.lock().is_over {
        return Err(Error::TooMany {
            what: "files and directories",
            most: ENTRIES_MAX,
        });
    }
    let mut all = Walked::default();
    for part in parts {
        all.found.extend(part.found);
        all.left.extend(part.left);
    }
    all.found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    all.left.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

struct Todo {
    /// The directory that it is in; none for the workspace itself.
    parent: Option<Arc<OwnedFd>>,
    name: Vec<u8>,
    path: Vec<u8>,
    rules: Arc<Rules>,
    is_passage: bool,
    in_git: bool,
}

struct Queue {
    todo: Vec<Todo>,
    busy: usize,
    entries: usize,
    is_over: bool,
    /// Why the workspace itself cannot be read.
    failed: Option<io::Error>,
}

struct Shared<'a> {
    walk: &'a Walk<'a>,
    root: OwnedFd,
    ground: Ground,
    state: Option<(u64, u64)>,
    queue: Mutex<Queue>,
    news: Condvar,
}

impl Shared<'_> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: io::Error) {
        let mut queue = self.lock();
        queue.failed = Some(error);
        queue.is_over = true;
    }

    fn work(&self) -> Walked {
        let mut part = Walked::default();
        let mut more = Vec::new();
        while let Some(todo) = self.next() {
            let before = part.found.len() + part.left.len();
            match self.directory(&todo, &mut part, &mut more) {
                Ok(()) => {}
                // Without it nothing is known, and all would look deleted.
                Err(error) if todo.parent.is_none() => self.fail(error),
                Err(_unreadable) => part.leave(todo.path, Why::Unreadable),
            }
            let mut queue = self.lock();
            queue.busy -= 1;
            queue.entries += part.found.len() + part.left.len() - before;
            queue.is_over |= queue.entries > ENTRIES_MAX;
            queue.todo.append(&mut more);
            drop(queue);
            self.news.notify_all();
        }
        part
    }

    /// The next directory; none when all are done.
    fn next(&self) -> Option<Todo> {
        let mut queue = self.lock();
        loop {
            if queue.is_over {
                return None;
            }
            if let Some(todo) = queue.todo.pop() {
                queue.busy += 1;
                return Some(todo);
            }
            if queue.busy == 0 {
                return None;
            }
            queue = self
                .news
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn directory(&self, todo: &Todo, part: &mut Walked, more: &mut Vec<Todo>) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = match &todo.parent {
            None => self.root.try_clone()?,
            Some(parent) => rustix::fs::openat(parent, &*todo.name, flags, Mode::empty())?,
        };
        let fd = Arc::new(fd);
        let mut names = Vec::new();
        let mut has = Has::default();
        for name in rustix::fs::Dir::read_from(&fd)? {
            let name = name?;
            let bytes = name.file_name().to_bytes();
            match bytes {
                b"." | b".." => continue,
                b".git" => has.git = true,
                _ if bytes == GITIGNORE.as_bytes() => has.gitignore = true,
                _ if bytes == WHARFIGNORE.as_bytes() => has.wharfignore = true,
                _ => {}
            }
            names.push((bytes.to_vec(), name.file_type()));
        }
        // Of a directory that was deleted while it was open, reading says that it is empty.
        if todo.parent.is_none() && rustix::fs::fstat(&fd)?.st_nlink == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let directory = Opened {
            path: &todo.path,
            at: self.walk.root.join(std::ffi::OsStr::new(
                <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&todo.path),
            )),
            fd: Some(fd.as_fd()),
            has,
            instead: None,
        };
        let is_below = todo.parent.is_some() && !todo.in_git;
        let rules = match is_below {
            true => self.ground.enter(&todo.rules, &directory, todo.is_passage),
            false => Arc::clone(&todo.rules),
        };
        for (name, kind) in names {
            let path = join(&todo.path, &name);
            let entry = Todo {
                parent: Some(Arc::clone(&fd)),
                name,
                path,
                rules: Arc::clone(&rules),
                is_passage: false,
                in_git: todo.in_git,
            };
            self.entry(&fd, entry, kind, part, more);
        }
        Ok(())
    }

    /// One name of a directory. `entry` is as it would be walked itself.
    fn entry(
        &self,
        fd: &OwnedFd,
        mut entry: Todo,
        kind: FileType,
        part: &mut Walked,
        more: &mut Vec<Todo>,
    ) {
        let mut stat = None;
        let kind = match kind {
            FileType::Unknown => match lstat(fd, &entry.name) {
                Ok(found) => FileType::from_raw_mode(stat.insert(found).st_mode),
                Err(error) => return part.missing(entry.path, error),
            },
            kind => kind,
        };
        let is_dir = kind.is_dir();
        if entry.name == TEMP.as_bytes() {
            return part.leave(entry.path, Why::State);
        }
        if entry.name == b".git" && !entry.in_git {
            match (self.walk.git, is_dir) {
                (GitForm::Leave, _) => return part.leave(entry.path, Why::Git),
                (GitForm::Take, false) => return part.leave(entry.path, Why::GitPointer),
                (GitForm::Take, true) => entry.in_git = true,
            }
        } else if entry.in_git {
            if !is_useful(&entry.path, &entry.name) {
                return part.leave(entry.path, Why::Git);
            }
        } else {
            let full = self.ground.full(&entry.path);
            match self.ground.judge(&entry.rules, &full, is_dir) {
                Verdict::Kept => {}
                Verdict::Left => return part.leave(entry.path, Why::Ignored),
                Verdict::Passage => entry.is_passage = true,
            }
        }
        if !matches!(
            kind,
            FileType::Directory | FileType::RegularFile | FileType::Symlink
        ) {
            return part.leave(entry.path, Why::Special);
        }
        let found = match stat.map_or_else(|| lstat(fd, &entry.name), Ok) {
            Ok(found) => found,
            Err(error) => return part.missing(entry.path, error),
        };
        if is_dir && self.state == Some((found.st_dev, found.st_ino)) {
            return part.leave(entry.path, Why::State);
        }
        let target = match kind {
            FileType::Symlink => match rustix::fs::readlinkat(fd, &*entry.name, Vec::new()) {
                Ok(target) => Some(target.into_bytes().into()),
                Err(error) => return part.missing(entry.path, error),
            },
            _ => None,
        };
        let path = RelPath::of_parts(entry.path.clone());
        part.found.push(Found::of(path, kind, &found, target));
        if is_dir {
            more.push(entry);
        }
    }
}

fn lstat(fd: &OwnedFd, name: &[u8]) -> rustix::io::Result<Stat> {
    rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)
}

/// Whether something of `.git` is of use elsewhere.
fn is_useful(path: &[u8], name: &[u8]) -> bool {
    // The part behind the last `.git/`, or behind the name of a submodule, is what matters.
    const HERE_ONLY: [&[u8]; 9] = [
        b"hooks",
        b"logs",
        b"worktrees",
        b"gc.pid",
        b"gc.log",
        b"FETCH_HEAD",
        b"fsmonitor--daemon.ipc",
        b"fsmonitor--daemon",
        b"lost-found",
    ];
    let in_refs = path.windows(6).any(|part| part == b"/refs/");
    // A branch may have any of these names.
    in_refs || !(HERE_ONLY.contains(&name) || name.ends_with(b".lock") || name.starts_with(b"tmp_"))
}

impl Found {
    fn of(path: RelPath, kind: FileType, stat: &Stat, target: Option<Box<[u8]>>) -> Self {
        let size = if kind == FileType::RegularFile {
            stat.st_size
        } else {
            0
        };
        let is_sparse = size >= SPARSE_BYTES_MIN && stat.st_blocks.saturating_mul(512) < size;
        let mode = if kind == FileType::Symlink {
            0o777
        } else {
            stat.st_mode & 0o777
        };
        Self {
            path,
            kind,
            mode,
            size: size.unsigned_abs(),
            is_sparse,
            mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
            inode: stat.st_ino,
            target,
        }
    }
}

fn ns(seconds: i64, ns: impl TryInto<i64>) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(ns.try_into().unwrap_or_default())
}

impl Walked {
    fn leave(&mut self, path: Vec<u8>, why: Why) {
        self.left.push(Left {
            path: RelPath::of_parts(path),
            why,
        });
    }

    /// What went while we looked is gone. Anything else that cannot be looked at is there.
    fn missing(&mut self, path: Vec<u8>, error: rustix::io::Errno) {
        if error != rustix::io::Errno::NOENT {
            self.leave(path, Why::Unreadable);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(root: &Path, flags: OFlags, before: impl FnOnce()) -> Result<Walked, Error> {
        let fd = rustix::fs::openat(CWD, root, flags | OFlags::DIRECTORY, Mode::empty()).unwrap();
        before();
        let asked = Walk {
            root,
            state: Path::new("/nowhere"),
            excludes: None,
            git: GitForm::Leave,
            threads: 2,
        };
        walk_from(fd, &asked)
    }

    #[test]
    fn a_workspace_that_cannot_be_read_is_not_an_empty_one() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        std::fs::create_dir(&root).unwrap();
        assert!(walked(&root, OFlags::RDONLY, || ()).is_ok());
        // One that only names it cannot be read.
        let unread = walked(&root, OFlags::PATH, || ());
        assert!(matches!(unread, Err(Error::Read { .. })), "{unread:?}");
        let gone = walked(&root, OFlags::RDONLY, || {
            std::fs::remove_dir(&root).unwrap();
        });
        assert!(matches!(gone, Err(Error::Read { .. })), "{gone:?}");
    }
}
