//! Counts one path and what is below it.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use wharf_shell::measure::{Action, Filter, MeasureItem, OnDirectory, Reach, matches_pattern};

/// What is counted of a path.
pub(super) struct Selection<'p> {
    filters: &'p [Filter],
    min_depth: u32,
    max_depth: Option<u32>,
    one_device: bool,
    directories: OnDirectory,
    /// A directory at the path itself is counted only when it is empty, or not at all.
    refuses_full: bool,
    refuses_directory: bool,
    refuses_file: bool,
    /// Links are left as they are.
    skips_links: bool,
}

impl<'p> Selection<'p> {
    pub(super) fn of(item: &'p MeasureItem) -> Self {
        let mut selection = Self {
            filters: &item.filters,
            min_depth: 0,
            max_depth: Some(0),
            one_device: false,
            directories: OnDirectory::Itself,
            refuses_full: false,
            refuses_directory: false,
            refuses_file: false,
            skips_links: item.action == Action::Mode && item.program == "chmod",
        };
        match item.reach {
            Reach::File => selection.refuses_directory = true,
            Reach::EmptyDirectory => {
                selection.refuses_full = true;
                selection.refuses_file = item.program == "rmdir";
            }
            Reach::Itself => {}
            Reach::Tree { one_device } => {
                selection.max_depth = None;
                selection.one_device = one_device;
            }
            Reach::Found {
                min_depth,
                max_depth,
                one_device,
                directories,
            } => {
                selection.min_depth = min_depth;
                selection.max_depth = max_depth;
                selection.one_device = one_device;
                selection.directories = directories;
            }
        }
        selection
    }

    fn takes(&self, entry: &Entry, depth: u32, shown: &str, dir: &Path) -> bool {
        let in_range = depth >= self.min_depth && self.max_depth.is_none_or(|max| depth <= max);
        in_range
            && self
                .filters
                .iter()
                .all(|filter| self.passes(filter, entry, shown, dir))
    }

    fn passes(&self, filter: &Filter, entry: &Entry, shown: &str, dir: &Path) -> bool {
        match filter {
            Filter::Name {
                pattern,
                any_case,
                negated,
            } => {
                let name = entry.name.to_string_lossy();
                let like = if *any_case {
                    matches_pattern(&pattern.to_lowercase(), &name.to_lowercase())
                } else {
                    matches_pattern(pattern, &name)
                };
                like != *negated
            }
            Filter::Path {
                pattern,
                root,
                negated,
            } => {
                let path = format!("{}{shown}", root.trim_end_matches('/'));
                matches_pattern(pattern, &path) != *negated
            }
            Filter::Type {
                file,
                directory,
                link,
            } => {
                let kind = entry.meta.file_type();
                (*file && kind.is_file())
                    || (*directory && kind.is_dir())
                    || (*link && kind.is_symlink())
            }
            // A search that deletes looks at a directory when what was in it is gone, so whether
            // it is empty is asked again then.
            Filter::Empty if entry.meta.is_dir() => {
                self.directories == OnDirectory::IfEmpty || is_empty(&dir.join(&entry.name))
            }
            Filter::Empty => entry.meta.is_file() && entry.meta.len() == 0,
        }
    }

    fn descends(&self, depth: u32) -> bool {
        self.max_depth.is_none_or(|max| depth < max)
    }
}

/// What was counted since [`Walk::begin`].
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) files: u64,
    pub(super) directories: u64,
    pub(super) bytes: u64,
    pub(super) unreadable: u64,
    pub(super) cut: bool,
}

/// Counting, with what is left of its time.
pub(super) struct Walk {
    /// `None` when the time is too long to be told.
    until: Option<Instant>,
    entries_left: u64,
    /// Entries of one directory that are held at once.
    listed: usize,
    over: bool,
    counted: Counted,
    unreadable: u64,
}

/// A directory that is being gone through.
struct Frame {
    dir: PathBuf,
    /// The path below the root, as a search prints it.
    shown: String,
    entries: std::vec::IntoIter<Entry>,
    depth: u32,
    /// Everything in it goes.
    whole: bool,
    /// It goes itself, if nothing in it stays.
    goes_if_empty: bool,
    /// Something in it stays.
    stays: bool,
}

struct Entry {
    name: OsString,
    meta: Metadata,
}

impl Walk {
    pub(super) fn new(until: Option<Instant>, entries: u64, listed: usize) -> Self {
        Self {
            until,
            entries_left: entries,
            listed,
            over: false,
            counted: Counted::default(),
            unreadable: 0,
        }
    }

    /// Starts counting anew.
    pub(super) fn begin(&mut self) {
        self.counted = Counted::default();
    }

    pub(super) const fn counted(&self) -> Counted {
        self.counted
    }

    pub(super) const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether another entry may be looked at.
    pub(super) fn may_look(&mut self) -> bool {
        let late = self.until.is_some_and(|until| Instant::now() >= until);
        self.over |= late || self.entries_left == 0;
        self.entries_left = self.entries_left.saturating_sub(1);
        !self.over
    }

    /// Counts a path and, as far as is selected, what is below it.
    pub(super) fn count(&mut self, path: &Path, selection: &Selection<'_>) {
        let Ok(meta) = fs::symlink_metadata(path) else {
            return;
        };
        if !self.may_look() {
            self.counted.cut = true;
            return;
        }
        let refused = if meta.is_dir() {
            selection.refuses_directory || (selection.refuses_full && !is_empty(path))
        } else {
            selection.refuses_file
        };
        if refused {
            return;
        }
        let device = meta.dev();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_owned();
        let dir = path.parent().unwrap_or(path).to_owned();
        let mut stack = vec![Frame {
            dir,
            shown: String::new(),
            entries: vec![Entry { name, meta }].into_iter(),
            depth: 0,
            whole: false,
            goes_if_empty: false,
            stays: false,
        }];
        while let Some(frame) = stack.last_mut() {
            let next = frame.entries.next().filter(|_| !self.over);
            match next {
                Some(entry) => {
                    if let Some(inner) = self.entry(frame, entry, selection, device) {
                        stack.push(inner);
                    }
                }
                None => {
                    let stays = self.leave(frame);
                    stack.pop();
                    if let Some(outer) = stack.last_mut() {
                        outer.stays |= stays;
                    }
                }
            }
        }
        self.counted.cut |= self.over;
    }

    /// Counts an entry; a directory that is gone into comes back.
    fn entry(
        &mut self,
        frame: &mut Frame,
        entry: Entry,
        selection: &Selection<'_>,
        device: u64,
    ) -> Option<Frame> {
        let depth = frame.depth;
        let path = frame.dir.join(&entry.name);
        let shown = match depth {
            0 => String::new(),
            _ => format!("{}/{}", frame.shown, entry.name.to_string_lossy()),
        };
        let taken = frame.whole || selection.takes(&entry, depth, &shown, &frame.dir);
        if !entry.meta.is_dir() {
            let left = selection.skips_links && entry.meta.is_symlink();
            if taken && !left {
                self.counted.files += 1;
                self.counted.bytes += if entry.meta.is_file() {
                    entry.meta.len()
                } else {
                    0
                };
            }
            frame.stays |= !taken;
            return None;
        }
        let elsewhere = selection.one_device && entry.meta.dev() != device;
        let whole = frame.whole || (taken && selection.directories == OnDirectory::Tree);
        let if_empty = !whole && selection.directories == OnDirectory::IfEmpty;
        let counts = whole || (taken && selection.directories == OnDirectory::Itself);
        if counts && !elsewhere {
            self.counted.directories += 1;
        }
        if elsewhere || !(whole || selection.descends(depth)) {
            let gone = taken && if_empty && !elsewhere && is_empty(&path);
            self.counted.directories += u64::from(gone);
            frame.stays |= !(gone || counts);
            return None;
        }
        let listed = self.list(&path);
        let goes_if_empty = taken && if_empty;
        Some(Frame {
            stays: listed.is_none() || !(counts || goes_if_empty),
            entries: listed.unwrap_or_default().into_iter(),
            dir: path,
            shown,
            depth: depth + 1,
            whole,
            goes_if_empty,
        })
    }

    /// Ends a directory; whether something of it stays.
    fn leave(&mut self, frame: &Frame) -> bool {
        let gone = frame.goes_if_empty && !frame.stays && !self.over;
        self.counted.directories += u64::from(gone);
        frame.stays || self.over
    }

    /// What is in a directory; `None` when that is not known.
    fn list(&mut self, dir: &Path) -> Option<Vec<Entry>> {
        let Ok(entries) = fs::read_dir(dir) else {
            self.unreadable += 1;
            self.counted.unreadable += 1;
            return None;
        };
        let mut listed = Vec::new();
        for entry in entries.flatten() {
            if listed.len() >= self.listed {
                self.counted.cut = true;
                break;
            }
            if !self.may_look() {
                break;
            }
            // An entry that vanished meanwhile is not there any more.
            if let Ok(meta) = entry.metadata() {
                let name = entry.file_name();
                listed.push(Entry { name, meta });
            }
        }
        Some(listed)
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}
