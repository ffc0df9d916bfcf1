//! Seeing that something changed here: the kernel says in which directory, and the next scan says
//! what. Nothing is read here, and nothing sent.
//!
//! Only directories that belong to the workspace are watched, so that what is built or downloaded
//! beside it wakes nobody. The kernel watches so many and no more; where it does not watch all, or
//! not at all, a look is due every [`POLL`].

use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

use crate::manifest::{Manifest, What};
use crate::path::{RelPath, is_within};
use crate::pull::TEMP;

/// The most directories that are watched.
pub const DIRS_MAX: usize = 65_536;
/// After a change it is waited until there is none for so long.
pub const QUIET: Duration = Duration::from_millis(300);
/// And no longer than this in all: who writes without end is sent all the same.
pub const QUIET_MAX: Duration = Duration::from_secs(3);
/// Between two looks at what is not watched.
pub const POLL: Duration = Duration::from_secs(5);
/// What is read at once of what the kernel says.
const EVENTS_BYTES: usize = 16 * 1024;

/// What watches a workspace.
#[derive(Debug)]
pub struct Eyes {
    /// Read like a pipe: bytes come when there are some, and never end.
    kernel: Option<Receiver>,
    /// The directories by the kernel's numbers, and the numbers.
    paths: BTreeMap<i32, Vec<u8>>,
    watched: BTreeMap<Vec<u8>, i32>,
    most: usize,
    sees_all: bool,
}

impl Eyes {
    /// Eyes that see nothing yet. Where the kernel does not help they never do, and look every
    /// [`POLL`].
    #[must_use]
    pub fn open() -> Self {
        let made = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let kernel = made
            .map_err(io::Error::from)
            .and_then(Receiver::from_owned_fd_unchecked);
        Self {
            kernel: kernel.ok(),
            paths: BTreeMap::new(),
            watched: BTreeMap::new(),
            most: DIRS_MAX,
            sees_all: false,
        }
    }

    /// Whether every change is seen when it is made.
    #[must_use]
    pub const fn sees_all(&self) -> bool {
        self.sees_all
    }

    /// Watches the directories that belong to a workspace now. What changed in one between the scan
    /// and this is not seen: the caller scans once more.
    ///
    /// Returns whether one of them was not watched before.
    pub fn look_at(&mut self, root: &Path, manifest: &Manifest) -> bool {
        let dirs = manifest
            .entries()
            .iter()
            .filter(|entry| entry.what == What::Dir)
            .map(|entry| entry.path.as_bytes());
        let mut is_more = false;
        self.sees_all = self.kernel.is_some();
        for dir in std::iter::once(&b""[..]).chain(dirs) {
            if self.watched.contains_key(dir) {
                continue;
            }
            is_more |= self.add(root, dir);
        }
        is_more
    }

    fn add(&mut self, root: &Path, dir: &[u8]) -> bool {
        let Some(kernel) = &self.kernel else {
            return false;
        };
        if self.watched.len() >= self.most {
            self.sees_all = false;
            return false;
        }
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::MOVE_SELF
            | WatchFlags::ATTRIB
            | WatchFlags::DONT_FOLLOW
            | WatchFlags::ONLYDIR;
        let path = root.join(Path::new(std::ffi::OsStr::from_bytes(dir)));
        match inotify::add_watch(kernel, path, flags) {
            Ok(number) => {
                // A directory that was moved keeps its number.
                self.forget(number);
                self.paths.insert(number, dir.to_vec());
                self.watched.insert(dir.to_vec(), number);
                true
            }
            // One that has gone was seen to go, in the directory above.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => false,
            Err(_no_more) => {
                self.sees_all = false;
                false
            }
        }
    }

    /// The name of this directory may be another's by now.
    fn forget(&mut self, number: i32) {
        let path = self.paths.remove(&number);
        if let Some(path) = path.filter(|path| self.watched.get(path) == Some(&number)) {
            self.watched.remove(&path);
        }
    }

    /// Waits until something has changed and nothing does any more, or a look is due.
    pub async fn settled(&mut self) {
        if self.sees_all {
            self.changed().await;
        } else {
            let _either = timeout(POLL, self.changed()).await;
        }
        let quiet = async { while timeout(QUIET, self.changed()).await.is_ok() {} };
        let _either = timeout(QUIET_MAX, quiet).await;
    }

    /// Waits for a change. It may be one of something that does not belong to the workspace.
    async fn changed(&mut self) {
        let mut space = [0; EVENTS_BYTES];
        loop {
            let Some(kernel) = &self.kernel else {
                return std::future::pending().await;
            };
            let read = match kernel.readable().await {
                Ok(()) => kernel.try_read(&mut space),
                Err(error) => Err(error),
            };
            match read {
                Ok(count) => {
                    let events = events(space.get(..count).unwrap_or_default());
                    let events: Vec<Event> = events.collect();
                    if self.take(&events) {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_broken) => {
                    self.kernel = None;
                    self.sees_all = false;
                    return;
                }
            }
        }
    }

    /// Whether one of these may be a change.
    fn take(&mut self, events: &[Event]) -> bool {
        let mut is_change = false;
        for event in events {
            let flags = event.flags;
            if flags.contains(ReadFlags::IGNORED) {
                self.forget(event.number);
                continue;
            }
            if flags.contains(ReadFlags::MOVE_SELF)
                && let Some(path) = self.paths.get(&event.number).cloned()
            {
                // Others may get its name, and the names below it.
                self.watched.retain(|other, _| !is_within(other, &path));
            }
            is_change |= event.name != TEMP.as_bytes();
        }
        is_change
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    number: i32,
    flags: ReadFlags,
    name: Vec<u8>,
}

/// What the kernel writes: number, flags, cookie and the length of the name, four bytes each; the
/// name, filled up with zeroes.
fn events(mut bytes: &[u8]) -> impl Iterator<Item = Event> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<16>()?;
        let [n0, n1, n2, n3, f0, f1, f2, f3, _, _, _, _, l0, l1, l2, l3] = *head;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let (name, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(Event {
            number: i32::from_ne_bytes([n0, n1, n2, n3]),
            flags: ReadFlags::from_bits_retain(u32::from_ne_bytes([f0, f1, f2, f3])),
            name: name
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec(),
        })
    })
}

/// What was said of paths already. Each is said again only after it was no more the case.
#[derive(Debug, Clone, Default)]
pub struct Said<W> {
    said: BTreeMap<RelPath, W>,
}

impl<W: PartialEq + Clone> Said<W> {
    /// Of all that is the case now, what was not when this was asked last, in the order of paths.
    pub fn news(&mut self, now: impl IntoIterator<Item = (RelPath, W)>) -> Vec<(RelPath, W)> {
        let now: BTreeMap<RelPath, W> = now.into_iter().collect();
        let is_new = |(path, why): &(&RelPath, &W)| self.said.get(*path) != Some(*why);
        let news = now
            .iter()
            .filter(is_new)
            .map(|(path, why)| (path.clone(), why.clone()))
            .collect();
        self.said = now;
        news
    }
}

#[cfg(test)]
mod tests;
