//! Which of what is new there matters: rules of this side, and those that are new there.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::AsFd as _;

use crate::ignore::{Ground, Has, Opened, Rules, Verdict};
use crate::path::{RelPath, join};

pub(super) struct Filter<'a> {
    root: &'a Path,
    ground: Ground,
    /// Files of patterns that are new there, where their contents are.
    there: HashMap<Vec<u8>, Vec<u8>>,
    /// The rules of directories; none: they are left out.
    rules: HashMap<Vec<u8>, Option<Arc<Rules>>>,
    top: Arc<Rules>,
}

impl<'a> Filter<'a> {
    pub(super) fn new(
        root: &'a Path,
        excludes: Option<&Path>,
        patterns: &BTreeMap<RelPath, Vec<u8>>,
    ) -> Self {
        let (ground, top) = Ground::at(root, excludes);
        let there: HashMap<Vec<u8>, Vec<u8>> = patterns
            .iter()
            .map(|(path, content)| (path.as_bytes().to_vec(), content.clone()))
            .collect();
        let mut filter = Self {
            root,
            ground,
            there,
            rules: HashMap::new(),
            top: Arc::clone(&top),
        };
        if filter.there.contains_key(&b".gitignore"[..])
            || filter.there.contains_key(&b".wharfignore"[..])
        {
            filter.top = filter.enter(&top, b"", false);
        }
        filter
    }

    /// Whether rules leave a path out that is new there.
    pub(super) fn leaves(&mut self, path: &RelPath, is_dir: bool) -> bool {
        let parent = path.parent().unwrap_or_default().to_vec();
        let Some(rules) = self.rules_at(&parent) else {
            return true;
        };
        let full = self.ground.full(path.as_bytes());
        self.ground.judge(&rules, &full, is_dir) != Verdict::Kept
    }

    fn rules_at(&mut self, dir: &[u8]) -> Option<Arc<Rules>> {
        if dir.is_empty() {
            return Some(Arc::clone(&self.top));
        }
        if let Some(known) = self.rules.get(dir) {
            return known.clone();
        }
        let above = self.rules_at(crate::path::parent(dir).unwrap_or_default());
        let rules = above.and_then(|above| {
            let full = self.ground.full(dir);
            match self.ground.judge(&above, &full, true) {
                Verdict::Left => None,
                Verdict::Kept => Some(self.enter(&above, dir, false)),
                Verdict::Passage => Some(self.enter(&above, dir, true)),
            }
        });
        self.rules.insert(dir.to_vec(), rules.clone());
        rules
    }

    fn enter(&self, above: &Arc<Rules>, dir: &[u8], is_passage: bool) -> Arc<Rules> {
        let at: PathBuf = self.root.join(std::ffi::OsStr::new(
            <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(dir),
        ));
        let file = File::open(&at).ok();
        let is_there = |name: &str| {
            self.there.contains_key(&join(dir, name.as_bytes()))
                || at.join(name).symlink_metadata().is_ok()
        };
        let has = Has {
            git: !dir.is_empty() && at.join(".git").symlink_metadata().is_ok(),
            gitignore: is_there(".gitignore"),
            wharfignore: is_there(".wharfignore"),
        };
        let instead = |path: &[u8]| self.there.get(path).cloned();
        let directory = Opened {
            path: dir,
            at: at.clone(),
            fd: file.as_ref().map(|file| file.as_fd()),
            has,
            instead: Some(&instead),
        };
        self.ground.enter(above, &directory, is_passage)
    }
}
