//! What a push does, from three sides: what is here, what both had last, what is there. Pure.
//!
//! The rule is that the far side's work is never lost: what changed there since both agreed is
//! neither overwritten nor deleted, but named, until somebody says `force`. And that the provider's
//! own files, and all that was never ours, survive every push.

use std::collections::{BTreeMap, BTreeSet};

use gix_glob::Pattern;
use gix_glob::pattern::Case;
use gix_glob::wildmatch::Mode;

use crate::far::{FarEntry, FarKind, FarView};
use crate::look::Held;
use crate::manifest::{Entry, Manifest, What};
use crate::path::RelPath;
use crate::walk::Left;

/// What a push may do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What changed there is overwritten and deleted where it stands in the way.
    pub force: bool,
    /// What is gone here stays there.
    pub keep_deleted: bool,
    /// Paths that belong to the provider.
    pub provided: Provided,
}

/// Patterns of the provider's own files, in the form of `.gitignore`: they are never deleted and
/// never overwritten.
#[derive(Debug, Clone, Default)]
pub struct Provided {
    patterns: Vec<Pattern>,
}

impl Provided {
    /// Of patterns as they are written.
    #[must_use]
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns = patterns.into_iter().map(str::as_bytes);
        Self {
            patterns: patterns.filter_map(Pattern::from_bytes).collect(),
        }
    }

    /// Whether a path, or a directory above it, is the provider's.
    #[must_use]
    pub fn has(&self, path: &RelPath, is_dir: bool) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let matches = |path: &[u8], is_dir: bool| {
            let start = path.iter().rposition(|byte| *byte == b'/').map(|at| at + 1);
            self.patterns.iter().any(|pattern| {
                let mode = Mode::NO_MATCH_SLASH_LITERAL;
                let (path, is_dir) = (path.into(), Some(is_dir));
                pattern.matches_repo_relative_path(path, start, is_dir, Case::Sensitive, mode)
            })
        };
        matches(path.as_bytes(), is_dir) || path.ancestors().any(|above| matches(above, true))
    }
}

/// What is done there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Entries that are sent, in the order of their paths, and in which way each changes what is
    /// there.
    pub sends: Vec<Send>,
    /// Entries of which only the permissions change there.
    pub modes: Vec<Entry>,
    /// What is deleted there, in the order of their paths.
    pub deletes: Vec<Delete>,
    /// What is there already, though nobody had agreed on it.
    pub adopted: Vec<Entry>,
    /// What both sides had and neither has any more.
    pub forgotten: Vec<RelPath>,
    /// What is not done, and why, in the order of their paths.
    pub kept: Vec<Kept>,
}

/// An entry that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Send {
    /// As it is here.
    pub entry: Entry,
    /// Something of another kind, or a file, is replaced; else there is nothing there.
    pub replaces: bool,
    /// The file there has this content, which both agreed on: only what differs need be sent.
    pub over: Option<Entry>,
}

/// Something that is deleted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delete {
    /// What.
    pub path: RelPath,
    /// It is a directory, which goes only if it is empty then.
    pub is_dir: bool,
}

/// Something that is left as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What.
    pub path: RelPath,
    /// Why.
    pub why: KeptWhy,
}

/// Why something there is left alone though it is not as it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptWhy {
    /// Both sides have changed it since they agreed.
    BothChanged,
    /// It is new on both sides, and differs.
    BothNew,
    /// It is gone here, and was changed there.
    GoneHere,
    /// It changed there and not here: it can be pulled.
    ChangedThere,
    /// It was deleted there and not changed here.
    GoneThere,
    /// A directory above it is none there any more.
    Blocked,
    /// It is the provider's.
    Provided,
    /// It is held back until somebody says yes.
    Held,
}

impl KeptWhy {
    /// Whether somebody has to choose; the others are only told.
    #[must_use]
    pub const fn is_conflict(self) -> bool {
        matches!(
            self,
            Self::BothChanged | Self::BothNew | Self::GoneHere | Self::Blocked
        )
    }
}

impl Plan {
    /// Whether there is nothing to do there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.modes.is_empty() && self.deletes.is_empty()
    }

    /// The bytes of all files that are sent, if each is sent whole.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.sends.iter().map(|send| send.entry.what.size()).sum()
    }

    /// What is held back in it.
    #[must_use]
    pub fn held(&self) -> BTreeSet<&RelPath> {
        let held = self.kept.iter().filter(|kept| kept.why == KeptWhy::Held);
        held.map(|kept| &kept.path).collect()
    }

    /// What somebody has to choose about.
    pub fn conflicts(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().filter(|kept| kept.why.is_conflict())
    }
}

/// The sides of a push.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// As it is here.
    pub local: &'a Manifest,
    /// What is here and does not belong to it: it is not gone.
    pub left: &'a [Left],
    /// What is here and not to be sent.
    pub held: &'a Held,
    /// What both had last.
    pub agreed: &'a Manifest,
    /// What is there.
    pub far: &'a FarView,
}

/// Plans a push.
#[must_use]
pub fn plan(sides: Sides<'_>, options: &Options) -> Plan {
    let mut planning = Planning {
        sides,
        options,
        plan: Plan::default(),
        blocked: BTreeSet::new(),
    };
    let paths = sides.local.entries().iter().map(|entry| &entry.path);
    let mut paths: Vec<&RelPath> = paths
        .chain(sides.agreed.entries().iter().map(|entry| &entry.path))
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let left: BTreeMap<&[u8], ()> = sides
        .left
        .iter()
        .map(|left| (left.path.as_bytes(), ()))
        .collect();
    for path in paths {
        let (local, agreed) = (
            sides.local.get(path.as_bytes()),
            sides.agreed.get(path.as_bytes()),
        );
        let is_left = local.is_none()
            && (left.contains_key(path.as_bytes())
                || path.ancestors().any(|above| left.contains_key(above)));
        planning.path(path, local, agreed, is_left);
    }
    planning.make_again();
    planning.settle_directories();
    planning.plan
}

struct Planning<'a> {
    sides: Sides<'a>,
    options: &'a Options,
    plan: Plan,
    /// Paths at which the far side keeps something that is no directory.
    blocked: BTreeSet<RelPath>,
}

/// What is there, beside what both had.
enum There<'a> {
    Nothing,
    AsAgreed,
    Gone,
    Other(&'a FarEntry),
}

impl<'a> Planning<'a> {
    fn there(&self, path: &RelPath, agreed: Option<&Entry>) -> There<'a> {
        match (self.sides.far.change(path.as_bytes()), agreed) {
            (Some(Some(entry)), _) => There::Other(entry),
            (Some(None), Some(_)) => There::Gone,
            (Some(None), None) => There::Nothing,
            (None, Some(_)) => There::AsAgreed,
            (None, None) => There::Nothing,
        }
    }

    fn path(&mut self, path: &RelPath, local: Option<&Entry>, agreed: Option<&Entry>, left: bool) {
        let is_dir = local
            .or(agreed)
            .is_some_and(|entry| entry.what == What::Dir);
        let there = self.there(path, agreed);
        if self.options.provided.has(path, is_dir) {
            // Told only where it makes a difference.
            if local.is_some() {
                self.keep(path, KeptWhy::Provided);
            }
            return;
        }
        match (local, agreed, there) {
            (Some(_), _, _) if self.sides.held.has(path.as_bytes()) => {
                self.keep(path, KeptWhy::Held);
            }
            (Some(_), ..) if self.is_blocked(path) => self.keep(path, KeptWhy::Blocked),
            (Some(entry), None, There::Nothing | There::Gone | There::AsAgreed) => {
                self.send(entry, false, None);
            }
            (Some(entry), None, There::Other(there)) => {
                if there.looks_like(entry) {
                    self.plan.adopted.push(entry.clone());
                } else {
                    self.clash(entry, there, KeptWhy::BothNew);
                }
            }
            (Some(entry), Some(agreed), There::AsAgreed | There::Nothing) => {
                self.update(entry, agreed);
            }
            (Some(entry), Some(agreed), There::Gone) => {
                if entry.is_same(agreed) && !self.options.force {
                    self.keep(path, KeptWhy::GoneThere);
                } else {
                    self.send(entry, false, None);
                }
            }
            (Some(entry), Some(agreed), There::Other(there)) => {
                if there.looks_like(entry) && !entry.is_same(agreed) {
                    self.plan.adopted.push(entry.clone());
                } else if entry.is_same(agreed) {
                    self.clash(entry, there, KeptWhy::ChangedThere);
                } else {
                    self.clash(entry, there, KeptWhy::BothChanged);
                }
            }
            (None, Some(_), _) if left => {}
            (None, Some(agreed), There::AsAgreed | There::Nothing) => {
                if !self.options.keep_deleted {
                    let is_dir = agreed.what == What::Dir;
                    self.plan.deletes.push(Delete {
                        path: path.clone(),
                        is_dir,
                    });
                }
            }
            (None, Some(_), There::Gone) => self.plan.forgotten.push(path.clone()),
            (None, Some(_), There::Other(there)) => {
                if there.kind != FarKind::Dir && self.options.force && !self.options.keep_deleted {
                    self.plan.deletes.push(Delete {
                        path: path.clone(),
                        is_dir: false,
                    });
                } else {
                    self.keep(path, KeptWhy::GoneHere);
                }
            }
            (None, None, _) => {}
        }
    }

    /// Both sides have something else at a path.
    fn clash(&mut self, entry: &Entry, there: &FarEntry, why: KeptWhy) {
        let is_dir = entry.what == What::Dir;
        if is_dir && there.kind == FarKind::Dir {
            // Directories differ in their permissions only.
            if self.options.force || why == KeptWhy::BothNew {
                self.plan.modes.push(entry.clone());
            } else {
                self.keep(&entry.path, KeptWhy::ChangedThere);
            }
            return;
        }
        if self.options.force && there.kind != FarKind::Dir {
            if is_dir {
                self.plan.deletes.push(Delete {
                    path: entry.path.clone(),
                    is_dir: false,
                });
            }
            return self.send(entry, !is_dir, None);
        }
        if is_dir {
            self.blocked.insert(entry.path.clone());
        }
        self.keep(&entry.path, why);
    }

    fn update(&mut self, entry: &Entry, agreed: &Entry) {
        if entry.is_same(agreed) {
            return;
        }
        if entry.what.is_same(&agreed.what) {
            self.plan.modes.push(entry.clone());
            return;
        }
        match (&agreed.what, &entry.what) {
            (What::Dir, _) | (_, What::Dir) => {
                let is_dir = agreed.what == What::Dir;
                self.plan.deletes.push(Delete {
                    path: entry.path.clone(),
                    is_dir,
                });
                self.send(entry, false, None);
            }
            (What::File { .. }, What::File { .. }) => {
                self.send(entry, true, Some(agreed.clone()));
            }
            _ => self.send(entry, true, None),
        }
    }

    fn send(&mut self, entry: &Entry, replaces: bool, over: Option<Entry>) {
        self.plan.sends.push(Send {
            entry: entry.clone(),
            replaces,
            over,
        });
    }

    fn keep(&mut self, path: &RelPath, why: KeptWhy) {
        self.plan.kept.push(Kept {
            path: path.clone(),
            why,
        });
    }

    fn is_blocked(&self, path: &RelPath) -> bool {
        !self.blocked.is_empty() && path.ancestors().any(|above| self.blocked.contains(above))
    }

    /// A directory that was deleted there is made again where something goes into it.
    fn make_again(&mut self) {
        let needed: BTreeSet<Vec<u8>> = self
            .plan
            .sends
            .iter()
            .flat_map(|send| send.entry.path.ancestors().map(<[u8]>::to_vec))
            .collect();
        let is_needed =
            |kept: &Kept| kept.why == KeptWhy::GoneThere && needed.contains(kept.path.as_bytes());
        let again: Vec<RelPath> = self
            .plan
            .kept
            .iter()
            .filter(|kept| is_needed(kept))
            .map(|kept| kept.path.clone())
            .collect();
        self.plan.kept.retain(|kept| !is_needed(kept));
        for path in again {
            if let Some(entry) = self.sides.local.get(path.as_bytes()) {
                self.send(entry, false, None);
            }
        }
        self.plan
            .sends
            .sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    }

    /// A directory goes, or becomes something else, only if all that is in it there goes as well.
    fn settle_directories(&mut self) {
        if !self.plan.deletes.iter().any(|delete| delete.is_dir) {
            return self.plan.kept.sort_by(|a, b| a.path.cmp(&b.path));
        }
        let mut full: BTreeSet<Vec<u8>> = BTreeSet::new();
        let deleted: BTreeSet<&RelPath> = self
            .plan
            .deletes
            .iter()
            .map(|delete| &delete.path)
            .collect();
        let sent: BTreeSet<&RelPath> = self
            .plan
            .sends
            .iter()
            .map(|send| &send.entry.path)
            .collect();
        let theirs = self
            .sides
            .far
            .changes()
            .filter(|(_, entry)| entry.is_some());
        let theirs = theirs.map(|(path, _)| path);
        let ours = self.sides.agreed.entries().iter().map(|entry| &entry.path);
        for path in theirs.chain(ours) {
            let is_gone = self.sides.far.change(path.as_bytes()) == Some(None);
            if is_gone || deleted.contains(path) {
                continue;
            }
            full.extend(path.ancestors().map(<[u8]>::to_vec));
        }
        for path in &sent {
            full.extend(path.ancestors().map(<[u8]>::to_vec));
        }
        let is_full = |path: &RelPath| full.contains(path.as_bytes());
        let replaced = |path: &RelPath| sent.contains(path);
        let mut kept = Vec::new();
        for delete in &self.plan.deletes {
            if delete.is_dir && is_full(&delete.path) {
                let why = if replaced(&delete.path) {
                    KeptWhy::BothChanged
                } else {
                    KeptWhy::GoneHere
                };
                kept.push(Kept {
                    path: delete.path.clone(),
                    why,
                });
            }
        }
        let stopped: BTreeSet<RelPath> = kept.iter().map(|kept| kept.path.clone()).collect();
        self.plan
            .deletes
            .retain(|delete| !stopped.contains(&delete.path));
        self.plan
            .sends
            .retain(|send| !stopped.contains(&send.entry.path));
        self.plan.kept.append(&mut kept);
        self.plan.kept.sort_by(|a, b| a.path.cmp(&b.path));
    }
}

#[cfg(test)]
mod tests;
