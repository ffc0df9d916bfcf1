//! What a push sends: the tree there with what is kept here put in.

use super::{Action, Mine, Step};
use crate::profile::{Entry, Manifest, ProfilePath};

/// What a push would send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Push {
    /// The whole tree as it would be there.
    pub tree: Manifest,
    /// What is other than now, by path.
    pub sent: Vec<Sent>,
}

/// One path that a push changes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Its path.
    pub path: ProfilePath,
    /// What is done to it there.
    pub kind: SentKind,
    /// What it becomes; nothing when it is deleted.
    pub entry: Option<Entry>,
    /// Whether an edit of the other side is given up; it stays in the server's history.
    pub gives_up_remote: bool,
}

/// What a push does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentKind {
    /// It is new there.
    Add,
    /// It has other content or another mode.
    Change,
    /// It goes.
    Delete,
}

impl Push {
    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// What to record as agreed once the server has taken it: what was agreed before, with all
    /// that was sent.
    #[must_use]
    pub fn agreed(&self, before: &Manifest) -> Manifest {
        let mut agreed = before.clone();
        for sent in &self.sent {
            agreed.set(sent.path.clone(), sent.entry);
        }
        agreed
    }
}

pub(super) fn push(remote: &Manifest, steps: &[Step]) -> Push {
    let mut push = Push {
        tree: remote.clone(),
        sent: Vec::new(),
    };
    for step in steps {
        let entry = match step.action {
            Action::Keep(Mine::Deleted) => None,
            Action::Keep(_) => step.local,
            // What is merged is sent when it has been written here and the next plan finds it.
            Action::Write { .. } | Action::Delete | Action::Conflict(_) => continue,
        };
        if entry == step.remote {
            continue;
        }
        let kind = match (step.remote, entry) {
            (_, None) => SentKind::Delete,
            (None, Some(_)) => SentKind::Add,
            (Some(_), Some(_)) => SentKind::Change,
        };
        push.tree.set(step.path.clone(), entry);
        push.sent.push(Sent {
            path: step.path.clone(),
            kind,
            entry,
            gives_up_remote: step.gives_up_remote,
        });
    }
    push
}
