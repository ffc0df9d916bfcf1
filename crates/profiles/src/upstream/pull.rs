//! Taking over what an upstream has.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::incoming::Incoming;
use super::{GitProgram, Upstream};
use crate::content::{base_of, entries_of};
use crate::error::Error;
use crate::git::commits::{Author, Commit, Draft, Walk};
use crate::git::objects::{Reader, Writer};
use crate::git::trees::{self, LeafKind};
use crate::git::{Locked, ObjectId};
use crate::index::Index;
use crate::limits::CONFLICTS_MAX;
use crate::owner::Owner;
use crate::profiles::{Condition, Entry, Profiles, Shared, check};
use crate::snapshot::Snapshot;
use crate::tree::Tree;

/// What to do when both sides have versions that the other has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divergence {
    /// Tell, and change nothing.
    #[default]
    Report,
    /// Put both together where no file was changed on both sides, and tell otherwise.
    Merge,
    /// Their files count; ours stay in the history.
    Theirs,
    /// Our files count; theirs stay in the history.
    Ours,
}

/// What a pull came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// There was nothing to take over: they have nothing that is not here. Whether we have what
    /// they have not.
    Nothing {
        /// A push would send something.
        ahead: bool,
    },
    /// Their versions are ours now.
    Forward(Tree),
    /// A version was made that has both sides before it; a push would send it.
    Merged(Tree),
    /// Both sides have versions of their own. Nothing was changed.
    Divided(Divided),
}

/// Two histories that went apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divided {
    /// Our newest version.
    pub ours: String,
    /// Theirs.
    pub theirs: String,
    /// The files that both sides changed, and not alike; [`CONFLICTS_MAX`] of them.
    pub conflicts: Vec<String>,
}

impl Profiles {
    /// Takes over what the upstream has. `author` is whose a merge is, where one is made.
    ///
    /// # Errors
    /// [`Error::Upstream`] when it is not reached or holds what may not be in a profile;
    /// [`Error::Stale`] when the condition does not hold, or the profile was changed meanwhile. To
    /// ask again then takes over the same thing, unless a side is chosen: what was saved meanwhile
    /// was not seen by whoever chose it.
    pub async fn pull(
        &self,
        owner: &Owner,
        git: &GitProgram,
        upstream: &Upstream,
        author: &Author,
        divergence: Divergence,
        condition: Condition<'_>,
    ) -> Result<Pulled, Error> {
        let base = base_of(condition);
        let (git, upstream, owner) = (git.clone(), upstream.clone(), owner.clone());
        let author = author.clone();
        let pull = move |shared: &Shared| {
            let repository = shared.repository(&owner);
            let ours = repository.head()?;
            let version =
                |head: Option<ObjectId>| head.map(|id| id.to_string()).unwrap_or_default();
            let current = version(ours);
            if base.is_some_and(|base| base != current) {
                return Err(Error::Stale { current });
            }
            // What is sent takes its time; others may write meanwhile.
            let incoming = Incoming::fetch(&git, &upstream, &shared.root, &repository, ours)?;
            let locked = repository.lock()?;
            let now = repository.head()?;
            if now != ours {
                let current = version(now);
                return Err(Error::Stale { current });
            }
            let pull = Pull {
                shared,
                owner: &owner,
                locked,
                incoming: &incoming,
                author: &author,
            };
            pull.take(ours, divergence)
        };
        self.converse(pull).await
    }
}

struct Pull<'a> {
    shared: &'a Shared,
    owner: &'a Owner,
    locked: Locked<'a>,
    incoming: &'a Incoming,
    author: &'a Author,
}

impl Pull<'_> {
    fn take(&self, ours: Option<ObjectId>, divergence: Divergence) -> Result<Pulled, Error> {
        let theirs = self.incoming.theirs;
        let mut reader = self.incoming.reader()?;
        let Some(ours) = ours else {
            return self.forward(None);
        };
        if ours == theirs {
            return Ok(Pulled::Nothing { ahead: false });
        }
        if Walk::from(&mut reader, ours)?.meets(theirs)? {
            return Ok(Pulled::Nothing { ahead: true });
        }
        if Walk::from(&mut reader, theirs)?.meets(ours)? {
            return self.forward(Some(ours));
        }
        self.divided(&mut reader, ours, divergence)
    }

    fn forward(&self, ours: Option<ObjectId>) -> Result<Pulled, Error> {
        self.incoming.files()?;
        self.incoming.keep(&self.locked)?;
        self.locked.advance(ours, self.incoming.theirs)?;
        Ok(Pulled::Forward(self.tree()?))
    }

    fn divided(
        &self,
        reader: &mut Reader,
        ours: ObjectId,
        divergence: Divergence,
    ) -> Result<Pulled, Error> {
        let before = self.shared.snapshot_locked(self.owner, &self.locked)?;
        let our_files = entries_of(before.as_deref());
        let their_files = self.incoming.files()?;
        let base = base(reader, ours, self.incoming.theirs)?;
        let base = base.map_or_else(|| Ok(BTreeMap::new()), |base| files_at(reader, base))?;
        let (merged, conflicts) = merge(&base, &our_files, &their_files);
        let entries = match divergence {
            Divergence::Ours => our_files,
            Divergence::Theirs => their_files,
            Divergence::Merge if conflicts.is_empty() => merged,
            Divergence::Report | Divergence::Merge => {
                return Ok(Pulled::Divided(Divided {
                    ours: ours.to_string(),
                    theirs: self.incoming.theirs.to_string(),
                    conflicts: conflicts.into_iter().take(CONFLICTS_MAX).collect(),
                }));
            }
        };
        check(&entries)?;
        self.incoming.keep(&self.locked)?;
        self.join(ours, &entries)?;
        Ok(Pulled::Merged(self.tree()?))
    }

    /// Makes a version of `entries` with both sides before it.
    fn join(&self, ours: ObjectId, entries: &[Entry]) -> Result<(), Error> {
        let objects = self.locked.repository().objects();
        let present = Reader::open(&objects)?;
        let mut writer = Writer::new(objects, &present);
        let named = entries.iter();
        let named = named.map(|entry| (entry.path.as_str(), entry.id, entry.executable));
        let draft = Draft {
            tree: trees::build(&mut writer, named)?,
            parents: vec![ours, self.incoming.theirs],
            author: self.author,
            message: "Merge the upstream",
            now: self.shared.clock.now(),
        };
        let id = draft.add_to(&mut writer)?;
        writer.flush()?;
        self.locked.advance(Some(ours), id)
    }

    /// What is there now.
    fn tree(&self) -> Result<Tree, Error> {
        let repository = self.locked.repository();
        let mut reader = Reader::open(&repository.objects())?;
        let mut index = Index::load(repository)?;
        let head = repository.head()?;
        let head = head.ok_or_else(|| crate::profiles::damaged("read what was pulled"))?;
        let commit = Commit::get(&mut reader, head)?;
        let snapshot = Arc::new(Snapshot::read(&mut reader, &mut index, commit)?);
        let _ = index.save(&self.locked);
        self.shared.cache.put(self.owner, Arc::clone(&snapshot));
        Ok(snapshot.tree())
    }
}

/// The newest version that both have.
fn base(reader: &mut Reader, ours: ObjectId, theirs: ObjectId) -> Result<Option<ObjectId>, Error> {
    let mut known = HashSet::new();
    let mut walk = Walk::from(reader, ours)?;
    while let Some(commit) = walk.step()? {
        known.insert(commit.id);
    }
    let mut walk = Walk::from(reader, theirs)?;
    while let Some(commit) = walk.step()? {
        if known.contains(&commit.id) {
            return Ok(Some(commit.id));
        }
    }
    Ok(None)
}

type Sides = BTreeMap<String, (ObjectId, bool)>;

fn files_at(reader: &mut Reader, commit: ObjectId) -> Result<Sides, Error> {
    let tree = Commit::get(reader, commit)?.tree;
    let mut files = Sides::new();
    for leaf in trees::flatten(reader, tree)? {
        if let (LeafKind::File { executable }, Ok(path)) = (leaf.kind, String::from_utf8(leaf.path))
        {
            files.insert(path, (leaf.id, executable));
        }
    }
    Ok(files)
}

/// Both sides' changes together, and the paths that both changed, and not alike.
fn merge(base: &Sides, ours: &[Entry], theirs: &[Entry]) -> (Vec<Entry>, Vec<String>) {
    let of = |entries: &[Entry]| -> BTreeMap<String, Entry> {
        let named = entries.iter().cloned();
        named
            .map(|entry| (entry.path.as_str().to_owned(), entry))
            .collect()
    };
    let (mut ours, mut theirs) = (of(ours), of(theirs));
    let paths: BTreeSet<String> = ours.keys().chain(theirs.keys()).cloned().collect();
    let (mut merged, mut conflicts) = (Vec::new(), Vec::new());
    let is = |entry: &Option<Entry>| entry.as_ref().map(|it| (it.id, it.executable));
    for path in paths.into_iter().chain(base.keys().cloned()) {
        let before = base.get(&path).copied();
        let (our, their) = (ours.remove(&path), theirs.remove(&path));
        let (our_side, their_side) = (is(&our), is(&their));
        if our_side == their_side || their_side == before {
            merged.extend(our);
        } else if our_side == before {
            merged.extend(their);
        } else {
            conflicts.push(path);
        }
    }
    (merged, conflicts)
}
