//! Changes of there made here, three-way: what changed there only is taken; what changed on both
//! sides is merged where it is text and left alone where it is not. Nothing that changed here is
//! lost: it is in the merged text, in its place, or between marks.
//!
//! What is here is looked at once more right before it is replaced or deleted: an editor may have
//! saved since the scan. The rest of that window is a system call or two.

use std::collections::BTreeMap;
use std::path::Path;

use wharf_sync::merge::{Sides, text};

use super::write::Ground;
use super::{Change, Incoming, There, is_rules};
use crate::Error;
use crate::bases::{BASE_BYTES_MAX, Bases};
use crate::far::FarView;
use crate::manifest::{Entry, Hash, Manifest, What};
use crate::path::RelPath;
use crate::state::{Agreement, index};

/// How changes came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Written or deleted here as they are there.
    pub taken: Vec<RelPath>,
    /// Changed on both sides, and now one text.
    pub merged: Vec<RelPath>,
    /// Changed on both sides in the same lines: both are in the file, between marks.
    pub marked: Vec<RelPath>,
    /// Not taken, since what is here would be lost: somebody has to choose.
    pub conflicts: Vec<Conflict>,
    /// What both agree on now. The caller keeps it, and says so to the far side
    /// ([`super::settle`]).
    pub agreement: Agreement,
    /// Why the far side does not know of it, where it could not be told: the next round looks at
    /// both sides as if nothing had been agreed.
    pub untold: Option<String>,
}

/// Something that is left as it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What.
    pub path: RelPath,
    /// Why.
    pub why: ConflictWhy,
}

/// Why something is left as it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictWhy {
    /// Both changed it, and it is no text that is merged.
    BothChanged,
    /// It was changed there and is gone here.
    GoneHere,
    /// It was deleted there and changed here.
    GoneThere,
    /// It was changed here since it was looked at, or is here and was not looked at.
    ChangedSince,
    /// It says what belongs to the workspace, and nobody has said yes to that ([`Here::rules`]).
    Rules,
    /// It cannot be written: something above it is no directory, or a directory is not empty.
    NoPlace,
}

/// What is known of this side.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// What is in it, looked at just now.
    pub local: &'a Manifest,
    /// What both agreed on.
    pub agreement: &'a Agreement,
    /// The contents of that.
    pub bases: &'a Bases,
    /// What the look at the far side has found, of which this is about.
    pub view: &'a FarView,
    /// Take what is there, also where this side's would be lost.
    pub force: bool,
    /// Take `.gitignore` and `.wharfignore` of there as well. They decide what the next push sends:
    /// whoever writes there could have what is left out here brought to them.
    pub rules: bool,
}

/// Applies changes. `only` says which, by their paths; all if it is none.
///
/// # Errors
/// When the workspace or the spool cannot be read. What cannot be written is a conflict.
pub fn apply(
    incoming: &Incoming,
    here: Here<'_>,
    only: Option<&dyn Fn(&RelPath) -> bool>,
) -> Result<Applied, Error> {
    let ground = Ground::open(here.root).map_err(Error::read(here.root))?;
    let mut applying = Applying {
        incoming,
        here,
        ground,
        entries: index(here.agreement.manifest()),
        pending: here
            .view
            .changes()
            .map(|(path, there)| (path.clone(), there.cloned()))
            .collect(),
        applied: Applied::default(),
    };
    for path in &incoming.same {
        applying.pending.remove(path);
    }
    for entry in &incoming.adopted {
        applying.pending.remove(&entry.path);
        applying.entries.insert(entry.path.clone(), entry.clone());
    }
    let wanted = |change: &&Change| only.is_none_or(|only| only(&change.path));
    let changes: Vec<&Change> = incoming.changes.iter().filter(wanted).collect();
    // What goes makes room for what comes; what is in a directory goes before it.
    for change in changes.iter().rev().filter(|change| change.now.is_none()) {
        applying.change(change)?;
    }
    for change in changes.iter().filter(|change| change.now.is_some()) {
        applying.change(change)?;
    }
    Ok(applying.finish())
}

struct Applying<'a> {
    incoming: &'a Incoming,
    here: Here<'a>,
    ground: Ground,
    entries: BTreeMap<RelPath, Entry>,
    pending: BTreeMap<RelPath, Option<crate::far::FarEntry>>,
    applied: Applied,
}

impl Applying<'_> {
    fn change(&mut self, change: &Change) -> Result<(), Error> {
        let path = &change.path;
        let local = self.here.local.get(path.as_bytes());
        let agreed = self.here.agreement.manifest().get(path.as_bytes());
        // Of a directory, and of a link, permissions are nobody's change.
        let same_mode =
            |a: &Entry, b: &Entry| a.mode == b.mode || !matches!(a.what, What::File { .. });
        let (is_untouched, is_own_mode) = match (local, agreed) {
            (None, None) => (self.ground.is_as(path, None), false),
            (Some(local), Some(agreed)) => (
                local.what.is_same(&agreed.what) && same_mode(local, agreed),
                local.what.is_same(&agreed.what) && !same_mode(local, agreed),
            ),
            _ => (false, false),
        };
        if is_rules(path) && !self.here.rules {
            self.conflict(path, ConflictWhy::Rules);
            return Ok(());
        }
        match (&change.now, local) {
            (None, None) => self.agree(change),
            (None, Some(_)) if is_untouched || self.here.force => self.remove(change),
            (None, Some(_)) => self.conflict(path, ConflictWhy::GoneThere),
            (Some(there), Some(local)) if there.what.is_same(&local.what) => {
                if local.mode != there.mode && there.what != What::Dir && is_untouched {
                    return self.put(change, there);
                }
                self.agree(change);
            }
            (Some(there), _) if is_untouched || self.here.force => return self.put(change, there),
            // Only the permissions are of here, and stay.
            (Some(there), Some(local))
                if is_own_mode && matches!(there.what, What::File { .. }) =>
            {
                let mode = local.mode;
                let made = There {
                    mode,
                    ..there.clone()
                };
                return self.put(change, &made);
            }
            (Some(_), None) if agreed.is_some() => self.conflict(path, ConflictWhy::GoneHere),
            // It is here, and belongs to nothing that is taken: ignored, or held back.
            (Some(_), None) => self.conflict(path, ConflictWhy::BothChanged),
            (Some(there), Some(local)) => return self.merge(change, there, local, agreed),
        }
        Ok(())
    }

    /// Whether what is here is still what was looked at; says so if not.
    fn is_as_scanned(&mut self, path: &RelPath) -> bool {
        let looked_at = self.here.local.get(path.as_bytes());
        let is_so = self.ground.is_as(path, looked_at);
        if !is_so {
            self.conflict(path, ConflictWhy::ChangedSince);
        }
        is_so
    }

    fn conflict(&mut self, path: &RelPath, why: ConflictWhy) {
        self.applied.conflicts.push(Conflict {
            path: path.clone(),
            why,
        });
    }

    fn remove(&mut self, change: &Change) {
        if !self.is_as_scanned(&change.path) {
            return;
        }
        match self.ground.remove(&change.path) {
            Ok(()) => {
                self.applied.taken.push(change.path.clone());
                self.agree(change);
            }
            Err(_not_empty) => self.conflict(&change.path, ConflictWhy::NoPlace),
        }
    }

    fn put(&mut self, change: &Change, there: &There) -> Result<(), Error> {
        let content = match there.what {
            What::File { .. } => self.incoming.content(&change.path)?,
            What::Dir | What::Link { .. } => Vec::new(),
        };
        if !self.is_as_scanned(&change.path) {
            return Ok(());
        }
        match self.ground.put(&change.path, there, &content) {
            Ok(()) => {
                self.applied.taken.push(change.path.clone());
                self.agree(change);
            }
            Err(_no_place) => self.conflict(&change.path, ConflictWhy::NoPlace),
        }
        Ok(())
    }

    fn merge(
        &mut self,
        change: &Change,
        there: &There,
        local: &Entry,
        agreed: Option<&Entry>,
    ) -> Result<(), Error> {
        let path = &change.path;
        let is_small =
            |what: &What| matches!(what, What::File { size, .. } if *size <= BASE_BYTES_MAX);
        let texts = if is_small(&there.what) && is_small(&local.what) {
            let Ok(mine) = self.ground.read(path, BASE_BYTES_MAX) else {
                self.conflict(path, ConflictWhy::ChangedSince);
                return Ok(());
            };
            text_of(mine).zip(text_of(self.incoming.content(path)?))
        } else {
            None
        };
        let Some((mine, theirs)) = texts else {
            self.conflict(path, ConflictWhy::BothChanged);
            return Ok(());
        };
        let is_as_scanned =
            matches!(local.what, What::File { hash, .. } if hash == Hash::of(mine.as_bytes()));
        if !is_as_scanned {
            self.conflict(path, ConflictWhy::ChangedSince);
            return Ok(());
        }
        let base = match agreed.map(|agreed| &agreed.what) {
            Some(What::File { hash, .. }) => self.here.bases.get(*hash).and_then(text_of),
            _ => None,
        };
        let sides = Sides {
            base: base.as_deref(),
            local: &mine,
            remote: &theirs,
        };
        let merged = text::merge(sides, None);
        let made = There {
            mode: local.mode,
            ..there.clone()
        };
        if !self.is_as_scanned(path) {
            return Ok(());
        }
        if self
            .ground
            .put(path, &made, merged.content.as_bytes())
            .is_err()
        {
            self.conflict(path, ConflictWhy::NoPlace);
            return Ok(());
        }
        let list = match merged.conflicts.is_empty() {
            true => &mut self.applied.merged,
            false => &mut self.applied.marked,
        };
        list.push(path.clone());
        self.agree(change);
        Ok(())
    }

    /// Both know now what is there.
    fn agree(&mut self, change: &Change) {
        self.pending.remove(&change.path);
        match &change.now {
            None => {
                self.entries.remove(&change.path);
            }
            Some(there) => {
                let entry = Entry {
                    path: change.path.clone(),
                    what: there.what.clone(),
                    mode: there.mode,
                    mtime_ns: there.mtime.saturating_mul(1_000_000_000),
                };
                self.entries.insert(change.path.clone(), entry);
            }
        }
    }

    fn finish(mut self) -> Applied {
        let manifest = Manifest::from_entries(self.entries.into_values().collect());
        let pending = FarView::from_changes(self.pending);
        self.applied.agreement = self.here.agreement.with(manifest, pending);
        for list in [
            &mut self.applied.taken,
            &mut self.applied.merged,
            &mut self.applied.marked,
        ] {
            list.sort();
        }
        self.applied.conflicts.sort_by(|a, b| a.path.cmp(&b.path));
        self.applied
    }
}

fn text_of(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\0'))
}
