//! The paths that a push touches. Where they are few, they alone are listed again there, right before
//! and right after, instead of the whole workspace. Pure.

use std::collections::BTreeSet;

use crate::far::{FarPlace, FarView};
use crate::manifest::Manifest;
use crate::path::RelPath;
use crate::plan::Plan;

/// More paths than this, and it is no less work than to list all.
const TOUCHED_MAX: usize = 4096;

/// Paths that are touched, and all directories above them: one that became a link leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Touched {
    names: BTreeSet<Vec<u8>>,
    there: usize,
}

impl Touched {
    /// None, if the whole workspace is to be looked at: there are many, one of them takes more than a
    /// line, or what matters is not only what is at these paths. That is so for a directory in whose
    /// place something else is put: it has to be empty then.
    pub(super) fn of(
        plan: &Plan,
        place: &FarPlace,
        agreed: &Manifest,
        far: &FarView,
    ) -> Option<Self> {
        let sends = plan.sends.iter().map(|send| &send.entry.path);
        let deletes = plan.deletes.iter().map(|delete| &delete.path);
        let modes = plan.modes.iter().map(|entry| &entry.path);
        let all = || sends.clone().chain(deletes.clone()).chain(modes.clone());
        if all().count() > TOUCHED_MAX {
            return None;
        }
        let replaced: BTreeSet<&RelPath> = plan
            .deletes
            .iter()
            .filter(|delete| delete.is_dir)
            .map(|delete| &delete.path)
            .collect();
        let is_plain = |path: &RelPath| {
            let is_unseen = |dir: &RelPath| path.is_within(dir.as_bytes());
            !path.as_bytes().contains(&b'\n') && !place.unseen.iter().any(is_unseen)
        };
        let is_replaced = |path: &RelPath| replaced.contains(path);
        if !all().all(is_plain) || sends.clone().any(is_replaced) {
            return None;
        }
        let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
        for path in all() {
            names.insert(path.as_bytes().to_vec());
            names.extend(path.ancestors().map(<[u8]>::to_vec));
        }
        let is_there = |name: &&Vec<u8>| match far.change(name) {
            Some(there) => there.is_some(),
            None => agreed.get(name).is_some(),
        };
        let there = names.iter().filter(is_there).count();
        Some(Self { names, there })
    }

    /// In order.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(Vec::as_slice)
    }

    /// How many of them are there, as the look has said.
    pub(super) const fn there(&self) -> usize {
        self.there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Entry, Hash, What};
    use crate::plan::{Delete, Send};

    fn rel(path: &str) -> RelPath {
        RelPath::parse(path.as_bytes()).unwrap()
    }

    fn entry(path: &str) -> Entry {
        Entry {
            path: rel(path),
            what: What::File {
                size: 1,
                hash: Hash::of(b"x"),
                sparse: false,
            },
            mode: 0o644,
            mtime_ns: 0,
        }
    }

    fn sends(paths: impl IntoIterator<Item = String>) -> Plan {
        let sends = paths.into_iter().map(|path| Send {
            entry: entry(&path),
            replaces: true,
            over: None,
        });
        Plan {
            sends: sends.collect(),
            ..Plan::default()
        }
    }

    fn touched(plan: &Plan) -> Option<Touched> {
        let agreed = Manifest::from_entries(["a", "a/b", "a/b/c", "gone"].map(entry).to_vec());
        let far = FarView::from_changes([(rel("gone"), None)]);
        let mut place = FarPlace::sandbox();
        place.unseen = vec![rel("unseen")];
        Touched::of(plan, &place, &agreed, &far)
    }

    #[test]
    fn what_is_above_is_looked_at_and_what_is_there_is_counted() {
        let plan = sends(["a/b/c", "a/new", "gone"].map(str::to_owned));
        let found = touched(&plan).unwrap();
        let names: Vec<_> = found.names().map(String::from_utf8_lossy).collect();
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/new", "gone"]);
        assert_eq!(found.there(), 3);
    }

    #[test]
    fn where_that_is_not_enough_all_is_looked_at() {
        let most = |count: usize| sends((0..count).map(|at| format!("f{at}")));
        assert!(touched(&most(TOUCHED_MAX)).is_some());
        assert!(touched(&most(TOUCHED_MAX + 1)).is_none());
        for path in ["two\nlines", "unseen", "unseen/x"] {
            assert!(touched(&sends([path.to_owned()])).is_none(), "{path}");
        }
        let mut plan = sends(["a".to_owned()]);
        for (is_dir, is_enough) in [(false, true), (true, false)] {
            let path = rel("a");
            plan.deletes = vec![Delete { path, is_dir }];
            assert_eq!(touched(&plan).is_some(), is_enough);
        }
    }
}
