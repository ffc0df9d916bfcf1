//! How many of what, to print.

use super::{Action, Mine, Plan};

/// The numbers of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that are the same on both sides.
    pub same: usize,
    /// Files that are new here.
    pub added: usize,
    /// Files that get other content or another mode here.
    pub changed: usize,
    /// Files that go into the backup.
    pub deleted: usize,
    /// Edits of this side that stay and could be pushed.
    pub kept: usize,
    /// Edits of this side that are given up, and are in the backup.
    pub given_up: usize,
    /// Paths where somebody has to choose.
    pub conflicts: usize,
    /// Bytes to be fetched, each content once.
    pub bytes: u64,
}

impl Summary {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut sum = Self {
            same: plan.same,
            ..Self::default()
        };
        let mut fetched = plan.needed();
        for step in &plan.steps {
            sum.given_up += usize::from(step.gives_up_local);
            match step.action {
                Action::Write { to, .. } => {
                    let counter = match step.local {
                        None => &mut sum.added,
                        Some(_) => &mut sum.changed,
                    };
                    *counter += 1;
                    if fetched.remove(&to.sha256) {
                        sum.bytes += to.size;
                    }
                }
                Action::Delete => sum.deleted += 1,
                Action::Keep(Mine::Added | Mine::Edited | Mine::Mode | Mine::Deleted) => {
                    sum.kept += 1;
                }
                Action::Conflict(_) => sum.conflicts += 1,
            }
        }
        sum
    }

    /// How many changes an apply makes here.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.added + self.changed + self.deleted
    }
}
