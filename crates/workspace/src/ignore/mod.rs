//! Which files git would leave out, decided as git decides it, and `.wharfignore` above all of it.
//!
//! The rules are git's own (gitignore(5), `dir.c`): files of patterns in each directory, nearer ones
//! first and the last match of a file first; then `info/exclude`; then the person's file. A
//! directory that is left out is not looked into, so that nothing in it can be taken back. What git
//! tracks is never left out by those rules. A directory with a repository of its own begins anew.
//!
//! `.wharfignore` has the same form and is asked first, through repositories and for tracked files
//! as well: it is what the person says about this and nothing else.
//!
//! The matching of one pattern is gitoxide's port of git's `wildmatch`. ripgrep's `ignore` was not
//! taken: it does not read `info/exclude` of work trees, knows nothing of tracked files and treats
//! a slash after a class otherwise. A test compares with git itself, over random trees.
//!
//! Limits: names are compared with case (`core.ignoreCase` is not asked). An index that is split
//! over two files (`core.splitIndex`), or has ids of SHA-256, is not read, so that a tracked file
//! that a pattern names is left out there.

mod index;
mod list;
mod repo;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::BorrowedFd;

use crate::path::join;
use list::List;
use repo::Repo;

/// The name of our own file of patterns.
pub(crate) const WHARFIGNORE: &str = ".wharfignore";
/// The name of git's.
pub(crate) const GITIGNORE: &str = ".gitignore";

/// Reads a file of patterns in place of the one on the disk: its path in the workspace comes in.
pub(crate) type Instead<'a> = &'a dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// What a directory's rules say of something in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It belongs to the workspace.
    Kept,
    /// It does not, nor does anything in it.
    Left,
    /// It does not, but git tracks something in it.
    Passage,
}

/// The rules at a directory: its own, and those above it.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    above: Option<Arc<Rules>>,
    /// Where the directory is, in bytes of a full path: behind its slash.
    skip: usize,
    git: List,
    own: List,
    repo: Arc<Repo>,
    /// The directory is left out; only what is tracked in it is kept.
    is_passage: bool,
}

/// A workspace's place among repositories.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    /// Where the workspace is in the repository around it; empty where it is its top, or none.
    prefix: Vec<u8>,
    personal: Arc<List>,
}

impl Ground {
    /// The rules at the workspace's own directory.
    pub(crate) fn at(root: &Path, personal: Option<&Path>) -> (Self, Arc<Rules>) {
        let personal = personal.map(List::read_any).unwrap_or_default();
        let personal = Arc::new(personal);
        let top = root
            .ancestors()
            .find(|dir| dir.join(".git").symlink_metadata().is_ok());
        let below = top
            .and_then(|top| root.strip_prefix(top).ok())
            .unwrap_or(Path::new(""));
        let repo = Arc::new(top.map(Repo::at).unwrap_or_default());
        let mut at = top.unwrap_or(root).to_owned();
        let mut prefix = Vec::new();
        let mut rules: Option<Arc<Rules>> = None;
        for part in below.components() {
            let skip = if prefix.is_empty() {
                0
            } else {
                prefix.len() + 1
            };
            let git = List::read(&at.join(GITIGNORE));
            let level = Rules::level(rules.take(), skip, git, List::default(), &repo);
            rules = Some(Arc::new(level));
            let name = std::os::unix::ffi::OsStrExt::as_bytes(part.as_os_str());
            prefix = join(&prefix, name);
            at.push(part);
        }
        let ground = Self { prefix, personal };
        let skip = ground.full(b"").len();
        let (git, own) = (
            List::read(&at.join(GITIGNORE)),
            List::read(&at.join(WHARFIGNORE)),
        );
        let rules = Rules::level(rules, skip, git, own, &repo);
        (ground, Arc::new(rules))
    }

    /// A path of the workspace as the repository around it names it.
    pub(crate) fn full(&self, path: &[u8]) -> Vec<u8> {
        if self.prefix.is_empty() {
            return path.to_vec();
        }
        let mut full = self.prefix.clone();
        full.push(b'/');
        full.extend_from_slice(path);
        full
    }

    /// The rules at a directory in the one of `rules`. `names` says which of the files that matter
    /// are in it.
    pub(crate) fn enter(
        &self,
        rules: &Arc<Rules>,
        directory: &Opened<'_>,
        is_passage: bool,
    ) -> Arc<Rules> {
        let Opened { has, path, .. } = directory;
        if !has.git && !has.gitignore && !has.wharfignore && is_passage == rules.is_passage {
            return Arc::clone(rules);
        }
        let read = |is_there: bool, name: &str| {
            if is_there {
                directory.list(name)
            } else {
                List::default()
            }
        };
        let (git, own) = (
            read(has.gitignore, GITIGNORE),
            read(has.wharfignore, WHARFIGNORE),
        );
        let skip = self.full(&join(path, b"x")).len() - 1;
        let mut level = Rules::level(Some(Arc::clone(rules)), skip, git, own, &rules.repo);
        level.is_passage = is_passage && !has.git;
        if has.git {
            level.repo = Arc::new(Repo::below(&directory.at, skip));
        }
        Arc::new(level)
    }

    /// What the rules say of `path`, which is directly in their directory or below it where
    /// directories between have none of their own.
    pub(crate) fn judge(&self, rules: &Rules, full: &[u8], is_dir: bool) -> Verdict {
        match rules.own_word(full, is_dir) {
            Some(true) => return Verdict::Left,
            Some(false) => return Verdict::Kept,
            None => {}
        }
        if !rules.is_passage && !rules.is_left_by_git(&self.personal, full, is_dir) {
            return Verdict::Kept;
        }
        let tracked = rules.repo.tracked();
        let name = full.get(rules.repo.skip()..).unwrap_or_default();
        match is_dir {
            false if tracked.has(name) => Verdict::Kept,
            true if tracked.has(name) || tracked.has_below(name) => Verdict::Passage,
            _ => Verdict::Left,
        }
    }
}

impl Rules {
    fn level(
        above: Option<Arc<Self>>,
        skip: usize,
        git: List,
        own: List,
        repo: &Arc<Repo>,
    ) -> Self {
        let repo = Arc::clone(repo);
        Self {
            above,
            skip,
            git,
            own,
            repo,
            is_passage: false,
        }
    }

    fn levels(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |rules| rules.above.as_deref())
    }

    /// What `.wharfignore` says: left out, or kept in spite of all.
    fn own_word(&self, full: &[u8], is_dir: bool) -> Option<bool> {
        self.levels()
            .find_map(|level| level.own.ask(full.get(level.skip..)?, is_dir))
    }

    fn is_left_by_git(&self, personal: &List, full: &[u8], is_dir: bool) -> bool {
        // The directory of a repository is asked about in the repository around it, and what is in
        // it in its own.
        let top = self.repo.skip();
        let below = full.get(top..).unwrap_or_default();
        let near = self.levels().take_while(|level| level.skip >= top);
        near.filter(|level| !level.git.is_empty())
            .find_map(|level| level.git.ask(full.get(level.skip..)?, is_dir))
            .or_else(|| self.repo.exclude().ask(below, is_dir))
            .or_else(|| personal.ask(below, is_dir))
            .unwrap_or(false)
    }
}

/// Which of the files that matter are in a directory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Has {
    pub(crate) git: bool,
    pub(crate) gitignore: bool,
    pub(crate) wharfignore: bool,
}

/// A directory that is being walked.
pub(crate) struct Opened<'a> {
    /// In the workspace.
    pub(crate) path: &'a [u8],
    /// On this machine.
    pub(crate) at: PathBuf,
    /// Open, where it is on this machine.
    pub(crate) fd: Option<BorrowedFd<'a>>,
    pub(crate) has: Has,
    /// Contents that count in place of those on the disk.
    pub(crate) instead: Option<Instead<'a>>,
}

impl Opened<'_> {
    fn list(&self, name: &str) -> List {
        let other = self
            .instead
            .and_then(|instead| instead(&join(self.path, name.as_bytes())));
        match (other, self.fd) {
            (Some(bytes), _) => List::parse(&bytes),
            (None, Some(fd)) => List::read_at(fd, name),
            (None, None) => List::default(),
        }
    }
}
