//! Files that cannot be beside each other: a file where a directory has to be, and two names that
//! the file system takes for one.

use std::collections::BTreeMap;

use super::{Action, Conflict, Mine, Options, Plan};
use crate::profile::{Entry, ProfilePath};

/// Turns each write that does not fit beside what stays into a conflict.
pub(super) fn find(plan: &mut Plan, options: &Options) {
    let mut staying = Staying::of(plan, options);
    for step in &mut plan.steps {
        let Action::Write { .. } = step.action else {
            continue;
        };
        // What is here already has its place.
        if step.local.is_some() {
            continue;
        }
        if let Some(conflict) = staying.against(&step.path) {
            step.action = Action::Conflict(conflict);
            step.gives_up_local = false;
        } else {
            staying.add(&step.path);
        }
    }
}

/// The files that are here afterwards in any case.
struct Staying {
    names: BTreeMap<String, ProfilePath>,
    ignores_case: bool,
}

impl Staying {
    fn of(plan: &Plan, options: &Options) -> Self {
        let mut staying = Self {
            names: BTreeMap::new(),
            ignores_case: options.ignores_case,
        };
        let is_here = |local: &Option<Entry>, action: &Action| match action {
            Action::Keep(Mine::Deleted) | Action::Delete => false,
            Action::Keep(_) | Action::Write { .. } | Action::Conflict(_) => local.is_some(),
        };
        let steps = plan.steps.iter();
        for step in steps.filter(|step| is_here(&step.local, &step.action)) {
            staying.add(&step.path);
        }
        let changed: std::collections::BTreeSet<&ProfilePath> =
            plan.steps.iter().map(|step| &step.path).collect();
        for (path, _) in plan.agreed.iter() {
            if !changed.contains(path) {
                staying.add(path);
            }
        }
        staying
    }

    fn key(&self, path: &ProfilePath) -> String {
        if self.ignores_case {
            path.folded()
        } else {
            path.as_str().to_owned()
        }
    }

    fn add(&mut self, path: &ProfilePath) {
        self.names.insert(self.key(path), path.clone());
    }

    fn against(&self, path: &ProfilePath) -> Option<Conflict> {
        let key = self.key(path);
        if let Some(other) = self.names.get(&key) {
            let other = other.clone();
            return Some(Conflict::SameButForCase { other });
        }
        let ancestors = std::iter::successors(Some(key.as_str()), |path| {
            path.rsplit_once('/').map(|(parent, _)| parent)
        });
        if let Some(file) = ancestors.skip(1).find_map(|above| self.names.get(above)) {
            let file = file.clone();
            return Some(Conflict::FileInTheWay { file });
        }
        // Names below are behind `path/`, and `/` is followed by `0` in the order of bytes.
        let below = self.names.range(format!("{key}/")..format!("{key}0"));
        let (_, below) = below.into_iter().next()?;
        let below = below.clone();
        Some(Conflict::DirectoryInTheWay { below })
    }
}
