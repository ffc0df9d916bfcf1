//! A repository, as far as the rules need it: its `info/exclude`, and what it tracks.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::index::Tracked;
use super::list::List;

/// The longest `.git` or `commondir` file: one path.
const POINTER_BYTES_MAX: u64 = 8192;

/// No repository has nothing tracked and nothing excluded.
#[derive(Debug, Default)]
pub(crate) struct Repo {
    directory: Option<PathBuf>,
    skip: usize,
    exclude: OnceLock<List>,
    tracked: OnceLock<Tracked>,
}

impl Repo {
    /// The one whose work tree is `top`.
    pub(super) fn at(top: &Path) -> Self {
        Self::below(top, 0)
    }

    /// The same for one that is inside: its top is behind `skip` bytes of a full path.
    pub(super) fn below(top: &Path, skip: usize) -> Self {
        let directory = directory(top);
        Self {
            directory,
            skip,
            ..Self::default()
        }
    }

    pub(super) const fn skip(&self) -> usize {
        self.skip
    }

    /// Both are read when they are first asked for, as most repositories are only passed through.
    pub(super) fn exclude(&self) -> &List {
        self.exclude.get_or_init(|| {
            let common = self.directory.as_deref().map(common);
            common
                .map(|common| List::read_any(&common.join("info/exclude")))
                .unwrap_or_default()
        })
    }

    pub(super) fn tracked(&self) -> &Tracked {
        self.tracked.get_or_init(|| {
            let index = self
                .directory
                .as_ref()
                .map(|directory| directory.join("index"));
            index.map(|index| Tracked::read(&index)).unwrap_or_default()
        })
    }
}

/// The repository's own directory: `.git`, or where the file of that name says.
fn directory(top: &Path) -> Option<PathBuf> {
    let place = top.join(".git");
    let found = fs::metadata(&place).ok()?;
    if found.is_dir() {
        return Some(place);
    }
    let text = pointer(&place)?;
    let target = text.strip_prefix(b"gitdir: ")?;
    Some(top.join(OsStr::from_bytes(target)))
}

/// Where work trees of one repository share what is theirs together.
fn common(directory: &Path) -> PathBuf {
    match pointer(&directory.join("commondir")) {
        Some(path) => directory.join(OsStr::from_bytes(&path)),
        None => directory.to_owned(),
    }
}

fn pointer(file: &Path) -> Option<Vec<u8>> {
    let found = fs::metadata(file).ok()?;
    if !found.is_file() || found.len() > POINTER_BYTES_MAX {
        return None;
    }
    let mut text = fs::read(file).ok()?;
    while matches!(text.last(), Some(b'\n' | b'\r')) {
        text.pop();
    }
    Some(text)
}
