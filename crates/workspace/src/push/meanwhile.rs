//! What was changed there while a push was on its way: of all that was to be done, what is in the
//! way of it is left out. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::stream::Packed;
use crate::far::{FarEntry, FarKind};
use crate::manifest::What;
use crate::path::RelPath;
use crate::plan::{Kept, KeptWhy, Plan};

/// Takes out of a plan, and of what was staged for it, what was changed there meanwhile, and says
/// what that is.
///
/// What was changed stays, and with it all that would go below it: it may lead elsewhere now. A
/// directory that only got other permissions is in nobody's way.
pub(super) fn spare(
    plan: &mut Plan,
    packed: &mut Packed,
    changed: &BTreeMap<RelPath, Option<FarEntry>>,
) -> Vec<Kept> {
    let is_dir_still = |there: &Option<FarEntry>| {
        there
            .as_ref()
            .is_some_and(|there| there.kind == FarKind::Dir)
    };
    let is_below = |path: &RelPath| {
        path.ancestors()
            .any(|above| changed.get(above).is_some_and(|there| !is_dir_still(there)))
    };
    // What is put in the place of a directory would need it empty.
    let above: BTreeSet<&[u8]> = changed
        .iter()
        .filter(|(_, there)| there.is_some())
        .flat_map(|(path, _)| path.ancestors())
        .collect();
    let mut kept: BTreeMap<RelPath, KeptWhy> = BTreeMap::new();
    for send in &plan.sends {
        let (path, is_dir) = (&send.entry.path, send.entry.what == What::Dir);
        if is_below(path) {
            kept.insert(path.clone(), KeptWhy::Blocked);
        } else if changed.contains_key(path) || (!is_dir && above.contains(path.as_bytes())) {
            kept.insert(path.clone(), KeptWhy::BothChanged);
        }
    }
    // A directory that somebody made there as well is not put over theirs; neither is what is in it.
    let dirs: BTreeSet<RelPath> = plan
        .sends
        .iter()
        .filter(|send| send.entry.what == What::Dir && kept.contains_key(&send.entry.path))
        .map(|send| send.entry.path.clone())
        .collect();
    for send in &plan.sends {
        if send
            .entry
            .path
            .ancestors()
            .any(|above| dirs.contains(above))
        {
            kept.entry(send.entry.path.clone())
                .or_insert(KeptWhy::Blocked);
        }
    }
    for mode in &plan.modes {
        if changed.contains_key(&mode.path) || is_below(&mode.path) {
            kept.insert(mode.path.clone(), KeptWhy::BothChanged);
        }
    }
    for delete in &plan.deletes {
        let is_there = changed.get(&delete.path).is_some_and(Option::is_some);
        if is_there || is_below(&delete.path) {
            kept.entry(delete.path.clone()).or_insert(KeptWhy::GoneHere);
        }
    }
    // What something else was to replace is not taken away for nothing.
    let is_kept = |path: &RelPath| kept.contains_key(path);
    let spared = plan.sends.iter().map(|send| &send.entry.path);
    packed.spared = spared.filter(|path| is_kept(path)).cloned().collect();
    plan.sends.retain(|send| !is_kept(&send.entry.path));
    plan.modes.retain(|entry| !is_kept(&entry.path));
    plan.deletes.retain(|delete| !is_kept(&delete.path));
    packed.entries.retain(|entry| !is_kept(&entry.path));
    let kept = kept.into_iter();
    kept.map(|(path, why)| Kept { path, why }).collect()
}
