//! What a sync would do, from three manifests: the one last agreed on, what is here, what is there.
//!
//! Pure: it reads no file. The rule is the same for each path. Changed there alone: written here.
//! Changed here alone: kept, and offered for a push. Changed on both sides, or here before we ever
//! wrote it: a conflict, of which nothing is touched until somebody says which side wins.

mod clash;
mod decide;
mod push;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use push::{Push, Sent, SentKind};
pub use summary::Summary;

use crate::apply::{Change, To};
use crate::profile::{Digest, Entry, Manifest, ProfilePath};
use crate::select;

/// Deletions up to this number are not found too many, unless the other side is empty.
pub const DELETIONS_UNASKED_MAX: usize = 10;

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This machine.
    Local,
    /// The server.
    Remote,
}

/// What the person wants where the rule alone does not decide.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which side wins where both changed.
    pub prefer: Option<Side>,
    /// Which side wins for one path; over `prefer`.
    pub choices: BTreeMap<ProfilePath, Side>,
    /// What is here and was agreed on once becomes what is there, edits and deletions included.
    /// Files that the server has never had stay.
    pub force: bool,
    /// Whether the file system here takes `A` and `a` for one file.
    pub ignores_case: bool,
    /// Files and directories that are here and could not be read. What is under them is neither
    /// written nor taken for deleted.
    pub unreadable: BTreeSet<String>,
    /// Whether the paths are those of another agent's directory, all of which count, and not those
    /// of a profile.
    pub other_agent: bool,
}

/// What happens to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The file here becomes this.
    Write {
        /// What it becomes.
        to: Entry,
        /// Where its content is from.
        from: Origin,
    },
    /// The file here goes into the backup.
    Delete,
    /// The file here stays as it is; a push would send it.
    Keep(Mine),
    /// Nothing is touched: somebody has to choose.
    Conflict(Conflict),
}

/// Where the content of a written file is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The server.
    Remote,
    /// It is here already, and only the mode changes.
    Here,
    /// Both sides, merged.
    Merged,
}

/// What was done here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mine {
    /// A new file.
    Added,
    /// Other content.
    Edited,
    /// Only its mode.
    Mode,
    /// It is gone here.
    Deleted,
}

/// Why somebody has to choose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Changed on both sides, differently.
    #[error("changed on both sides")]
    BothChanged,
    /// It is on both sides, differs, and was never agreed on.
    #[error("it was here before, and the server has another")]
    NeverAgreed,
    /// Changed there, deleted here.
    #[error("deleted here, changed there")]
    DeletedHere,
    /// Changed here, deleted there.
    #[error("changed here, deleted there")]
    DeletedThere,
    /// It cannot be read here.
    #[error("it cannot be read here")]
    Unreadable,
    /// It needs a directory where a file is.
    #[error("`{file}` is a file here, and this needs it to be a directory")]
    FileInTheWay {
        /// The file that is in the way.
        file: ProfilePath,
    },
    /// It needs a name that a directory has.
    #[error("it is a directory here, with `{below}` in it")]
    DirectoryInTheWay {
        /// A file in that directory.
        below: ProfilePath,
    },
    /// Another file has the same name but for case, and the file system here ignores case.
    #[error("this file system takes it for `{other}`")]
    SameButForCase {
        /// The other file.
        other: ProfilePath,
    },
}

impl Conflict {
    /// Whether preferring a side solves it. What does not fit beside other files has to be renamed
    /// on one side.
    #[must_use]
    pub fn is_choice(&self) -> bool {
        matches!(
            self,
            Self::BothChanged | Self::NeverAgreed | Self::DeletedHere | Self::DeletedThere
        )
    }
}

/// One path that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its path.
    pub path: ProfilePath,
    /// As last agreed.
    pub base: Option<Entry>,
    /// As it is here.
    pub local: Option<Entry>,
    /// As it is there.
    pub remote: Option<Entry>,
    /// What is done.
    pub action: Action,
    /// Whether what is done gives up an edit of this side; it is in the backup.
    pub gives_up_local: bool,
    /// Whether a push would give up an edit of the other side; it is in the server's history.
    pub gives_up_remote: bool,
}

/// What a sync would do.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Each path that is not the same everywhere, by path.
    pub steps: Vec<Step>,
    /// How many paths are the same on both sides.
    pub same: usize,
    /// Paths there that do not belong to a profile, with nothing done to them.
    pub foreign: Vec<ProfilePath>,
    /// What both sides agree on already.
    agreed: Manifest,
    /// What is there.
    remote: Manifest,
}

/// A content that the plan needs and was not given, or that is not what it is said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContent {
    /// Not given.
    #[error("`{path}`: its content did not arrive")]
    Missing {
        /// Which file.
        path: ProfilePath,
    },
    /// Its digest or size is another.
    #[error("`{path}`: what arrived is not what was announced (its SHA-256 or size differs)")]
    Mismatch {
        /// Which file.
        path: ProfilePath,
    },
}

/// Contents by their digest.
pub type Contents = BTreeMap<Digest, Arc<[u8]>>;

/// Plans a sync.
#[must_use]
pub fn plan(base: &Manifest, local: &Manifest, remote: &Manifest, options: &Options) -> Plan {
    let mut plan = Plan {
        remote: remote.clone(),
        ..Plan::default()
    };
    let mut paths: BTreeSet<&ProfilePath> = BTreeSet::new();
    for manifest in [base, local, remote] {
        paths.extend(manifest.iter().map(|(path, _)| path));
    }
    for path in paths {
        let three = decide::Three {
            base: base.get(path).copied(),
            local: local.get(path).copied(),
            remote: remote.get(path).copied(),
        };
        if !options.other_agent && !select::belongs(path) {
            if three.remote.is_some() {
                plan.foreign.push(path.clone());
            }
            continue;
        }
        if let Some(step) = decide::decide(path, three, options) {
            plan.agreed.set(path.clone(), three.base);
            plan.steps.push(step);
        } else {
            plan.same += usize::from(three.remote.is_some());
            plan.agreed.set(path.clone(), three.remote);
        }
    }
    clash::find(&mut plan, options);
    plan
}

impl Plan {
    /// The contents that have to be fetched, each once.
    #[must_use]
    pub fn needed(&self) -> BTreeSet<Digest> {
        let written = self.steps.iter().filter_map(|step| match step.action {
            Action::Write {
                to,
                from: Origin::Remote,
            } => Some(to.sha256),
            _ => None,
        });
        written.collect()
    }

    /// The changes to apply, with their contents, each of which is checked.
    ///
    /// # Errors
    /// When a content is missing or is not what the manifest says. Nothing may be written then.
    pub fn changes(&self, contents: &Contents) -> Result<Vec<Change>, InvalidContent> {
        let mut changes = Vec::new();
        for step in &self.steps {
            let to = match step.action {
                Action::Write {
                    to,
                    from: Origin::Here,
                } => To::Mode {
                    executable: to.executable,
                },
                Action::Write { to, .. } => To::Content {
                    bytes: checked(&step.path, &to, contents)?,
                    executable: to.executable,
                    mode: None,
                },
                Action::Delete => To::Nothing,
                Action::Keep(_) | Action::Conflict(_) => continue,
            };
            changes.push(Change {
                path: step.path.clone(),
                expect: step.local,
                to,
            });
        }
        Ok(changes)
    }

    /// What both sides agree on once the changes are applied: what to hand to
    /// [`crate::apply::Workplace::apply`].
    #[must_use]
    pub fn agreed(&self) -> Manifest {
        let mut agreed = self.agreed.clone();
        for step in &self.steps {
            match step.action {
                Action::Write { .. } | Action::Delete => {
                    agreed.set(step.path.clone(), step.remote);
                }
                // It was decided that the edit here follows what is there.
                Action::Keep(_) if step.gives_up_remote => {
                    agreed.set(step.path.clone(), step.remote);
                }
                Action::Keep(_) | Action::Conflict(_) => {}
            }
        }
        agreed
    }

    /// What a push would send.
    #[must_use]
    pub fn push(&self) -> Push {
        push::push(&self.remote, &self.steps)
    }

    /// Solves the conflict at `path` by a merge of both sides. False when there is none that a
    /// merge solves.
    pub fn resolve(&mut self, path: &ProfilePath, merged: Entry) -> bool {
        let found = self.steps.iter_mut().find(|step| {
            let choice = matches!(&step.action, Action::Conflict(conflict) if conflict.is_choice());
            step.path == *path && choice
        });
        let Some(step) = found else {
            return false;
        };
        step.action = if step.local == Some(merged) {
            step.gives_up_remote = true;
            Action::Keep(Mine::Edited)
        } else {
            Action::Write {
                to: merged,
                from: Origin::Merged,
            }
        };
        true
    }

    /// The conflicts, by path.
    pub fn conflicts(&self) -> impl Iterator<Item = (&Step, &Conflict)> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Conflict(conflict) => Some((step, conflict)),
            _ => None,
        })
    }

    /// Whether both sides are the same.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty()
    }

    /// Numbers to print.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// How many files would go on a side, where that is so many that it is rather a mistake (an
    /// empty disk, another person's server): over [`DELETIONS_UNASKED_MAX`] and over half of what
    /// the side has, or any number where the other side has nothing. Ask before doing it.
    #[must_use]
    pub fn too_many_deletions(&self, side: Side) -> Option<usize> {
        let (mut gone, mut there) = (0, self.same);
        let mut other_has = self.same > 0;
        for step in &self.steps {
            let (has, goes, other) = match side {
                Side::Local => (step.local, step.action == Action::Delete, step.remote),
                Side::Remote => {
                    let goes = step.action == Action::Keep(Mine::Deleted);
                    (step.remote, goes, step.local)
                }
            };
            other_has |= other.is_some();
            there += usize::from(has.is_some());
            gone += usize::from(goes && has.is_some());
        }
        let is_most = gone > DELETIONS_UNASKED_MAX && gone * 2 > there;
        (is_most || gone > 0 && !other_has).then_some(gone)
    }
}

fn checked(
    path: &ProfilePath,
    to: &Entry,
    contents: &Contents,
) -> Result<Arc<[u8]>, InvalidContent> {
    let path = || path.clone();
    let Some(bytes) = contents.get(&to.sha256) else {
        return Err(InvalidContent::Missing { path: path() });
    };
    if bytes.len() as u64 != to.size || Digest::of(bytes) != to.sha256 {
        return Err(InvalidContent::Mismatch { path: path() });
    }
    Ok(Arc::clone(bytes))
}

#[cfg(test)]
mod tests;
