//! Files that change, told by the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;
use wharf_sync::profile::ProfilePath;

use crate::commands::sync::sites::{Site, is_part};
use crate::context::Context;

/// The most directories that are watched. What is beyond is seen when the server is asked.
const DIRS_MAX: usize = 4_096;
/// How deep below the agent's directory.
const DEPTH_MAX: usize = 32;
/// What is read at once.
const EVENTS_BYTES: usize = 16 * 1024;

/// Which names in a directory count.
#[derive(Debug, Clone)]
enum Names {
    /// Those of a profile.
    Profile,
    /// One file.
    One(OsString),
    /// All.
    All,
}

/// What watches. Without the kernel's help it never sees anything.
#[derive(Debug)]
pub(super) struct Eyes {
    /// The kernel's events, read like a pipe: bytes come when there are some, and never end.
    kernel: Option<Receiver>,
    dirs: BTreeMap<i32, Vec<Names>>,
}

impl Eyes {
    pub(super) fn open(cx: &Context) -> Self {
        let made = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
        let made = made.map_err(io::Error::from);
        let kernel = made.and_then(Receiver::from_owned_fd_unchecked);
        let kernel = kernel
            .map_err(|error| {
                cx.ui.warn_always(&format!(
                    "edits here are seen only when the server is asked: {error}"
                ));
            })
            .ok();
        Self {
            kernel,
            dirs: BTreeMap::new(),
        }
    }

    /// Watches all directories of the profile that are there now.
    pub(super) fn look_at(&mut self, site: &Site) {
        self.dirs.clear();
        self.add(&site.root, Names::Profile);
        for place in &site.members {
            if let (Some(dir), Some(name)) = (place.file.parent(), place.file.file_name()) {
                self.add(dir, Names::One(name.to_owned()));
            }
        }
        let entries = fs::read_dir(&site.root).into_iter().flatten().flatten();
        let parts = entries.filter(|entry| is_of_profile(&entry.file_name()));
        let dirs: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
        for dir in below(dirs) {
            self.add(&dir, Names::All);
        }
    }

    fn add(&mut self, dir: &Path, names: Names) {
        let Some(kernel) = &self.kernel else {
            return;
        };
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        // A directory that is gone by now, or one too many, is seen when the server is asked.
        if let Ok(number) = inotify::add_watch(kernel, dir, flags) {
            self.dirs.entry(number).or_default().push(names);
        }
    }

    /// Waits until something has changed that may be of the profile.
    pub(super) async fn changed(&mut self) {
        let Some(kernel) = &self.kernel else {
            return std::future::pending().await;
        };
        let mut space = [0; EVENTS_BYTES];
        loop {
            if kernel.readable().await.is_err() {
                return std::future::pending().await;
            }
            let read = match kernel.try_read(&mut space) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(_) => return std::future::pending().await,
            };
            let counts = events(space.get(..read).unwrap_or_default()).any(|(number, name)| {
                // Of an unknown directory is the event that says that events were lost.
                let names = self.dirs.get(&number);
                names.is_none_or(|names| names.iter().any(|names| names.hold(name)))
            });
            if counts {
                return;
            }
        }
    }
}

/// These directories and all below them, each once: links may lead in a circle, and two of them
/// to one place.
fn below(dirs: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut next: Vec<(PathBuf, usize)> = dirs.into_iter().map(|dir| (dir, DEPTH_MAX)).collect();
    while let Some((dir, depth)) = next.pop() {
        let meta = fs::metadata(&dir).ok().filter(fs::Metadata::is_dir);
        let Some(meta) = meta.filter(|_| depth > 0 && seen.len() < DIRS_MAX) else {
            continue;
        };
        if !seen.insert((meta.dev(), meta.ino())) {
            continue;
        }
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        let entries = entries.filter(|entry| {
            let name = entry.file_name();
            name != ".git" && name != "node_modules"
        });
        next.extend(entries.map(|entry| (entry.path(), depth - 1)));
        found.push(dir);
    }
    found
}

/// The directory's number and the name of each event, as the kernel writes them: number, mask,
/// cookie and the length of the name, four bytes each; the name, filled up with zeros.
fn events(mut bytes: &[u8]) -> impl Iterator<Item = (i32, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<16>()?;
        let [n0, n1, n2, n3, _, _, _, _, _, _, _, _, l0, l1, l2, l3] = *head;
        let number = i32::from_ne_bytes([n0, n1, n2, n3]);
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let (name, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((
            number,
            name.split(|byte| *byte == 0).next().unwrap_or_default(),
        ))
    })
}

impl Names {
    fn hold(&self, name: &[u8]) -> bool {
        let name = std::ffi::OsStr::from_bytes(name);
        match self {
            Self::Profile => is_of_profile(name),
            Self::One(one) => one == name,
            Self::All => true,
        }
    }
}

fn is_of_profile(name: &std::ffi::OsStr) -> bool {
    let path = name.to_str().and_then(|name| ProfilePath::parse(name).ok());
    path.is_some_and(|path| is_part(&path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_gone_around_once() {
        let temp = tempfile::tempdir().unwrap();
        let top = temp.path().join("skills");
        for name in ["a", "b", "c"] {
            fs::create_dir_all(top.join(name)).unwrap();
            for link in ["x", "y", "z"] {
                std::os::unix::fs::symlink(&top, top.join(name).join(link)).unwrap();
            }
        }
        fs::create_dir_all(top.join("a/.git")).unwrap();
        assert_eq!(below(vec![top.clone(), top]).len(), 4);
    }

    #[test]
    fn events_are_read_as_the_kernel_writes_them() {
        let event = |number: i32, name: &[u8]| {
            let length = u32::try_from(name.len()).unwrap();
            let head = [number.to_ne_bytes(), [0; 4], [0; 4], length.to_ne_bytes()];
            [&head.concat()[..], name].concat()
        };
        let bytes = [event(3, b"a.md\0\0\0\0"), event(7, b""), event(1, b"b\0")].concat();
        let found: Vec<_> = events(&bytes).collect();
        assert_eq!(found, [(3, &b"a.md"[..]), (7, b""), (1, b"b")]);
        assert_eq!(events(&bytes[..bytes.len() - 1]).count(), 2);
    }
}
