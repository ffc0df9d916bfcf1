//! Copies of a sandbox's files, from which others are started.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Inner;
use super::ground::{KEPT, make_home, write_private};
use super::launch::blocking;
use crate::error::Error;
use crate::id::{SandboxId, SnapshotId};
use crate::launcher::plan::{Base, FilesTask, Owners};
use crate::provider::{Capability, Swept};

use serde::{Deserialize, Serialize};

/// What a copy under way is called.
const PART: &str = "part";
/// What says whose it is; it is written last, so a copy without it is none.
const NOTE: &str = "snapshot.json";

#[derive(Serialize, Deserialize)]
struct Note {
    base: Base,
    owners: Owners,
}

impl Inner {
    pub(super) async fn snapshot(
        &self,
        id: SandboxId,
        to: SnapshotId,
    ) -> Result<SnapshotId, Error> {
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        let record = self.record_to_change(&id).await?;
        let kept = self.ground.kept(&to);
        if kept.join(NOTE).exists() {
            return Ok(to);
        }
        let part = kept.with_extension(PART);
        let from = self.ground.of(&id);
        // Held still, so that the copy is of one moment, and so that nobody puts a link in the
        // place of a directory while root copies it.
        let runs = self.process(&record).is_some();
        let holds = runs && self.capabilities.has(Capability::Pause);
        let is_roots = matches!(record.owners, Owners::Range { .. });
        let held = if holds {
            let (groups, name) = (self.groups.clone(), id.clone());
            blocking(move || groups.hold_fast(name.as_str())).await?
        } else if runs && is_roots {
            Err(io::ErrorKind::Unsupported.into())
        } else {
            Ok(())
        };
        let copied = match held {
            Ok(()) => {
                self.copy(&from, &part, (record.owners, record.owners))
                    .await
            }
            Err(source) => Err(Error::System {
                what: "holding the sandbox still",
                source,
            }),
        };
        let holds = holds && !record.paused;
        if holds {
            let _was_not_held = self.groups.hold(id.as_str(), false);
        }
        let note = Note {
            base: record.base.clone(),
            owners: record.owners,
        };
        let finished = match copied {
            Ok(()) => finish(&part, &kept, &note),
            Err(error) => {
                self.remove_copy(&part, record.owners).await?;
                return Err(error);
            }
        };
        finished.map_err(|source| Error::Files {
            what: "the copy",
            source,
        })?;
        Ok(to)
    }

    /// Puts the files of a snapshot into the directory of a new sandbox.
    pub(super) async fn copy_in(
        &self,
        from: &SnapshotId,
        to: &Path,
        owners: Owners,
    ) -> Result<(), Error> {
        let kept = self.ground.kept(from);
        let note = fs::read(kept.join(NOTE)).map_err(|_| Error::NoSnapshot)?;
        let note: Note = serde_json::from_slice(&note).map_err(|_| Error::NoSnapshot)?;
        let are_alike = match (note.owners, owners) {
            (Owners::Range { .. }, Owners::Range { .. }) => true,
            (before, now) => before == now,
        };
        if note.base != self.options.base || !are_alike {
            return Err(Error::Invalid(
                "the snapshot is of a sandbox with another base or other owners".to_owned(),
            ));
        }
        self.copy(&kept, to, (note.owners, owners)).await
    }

    pub(super) async fn forget(&self, snapshot: SnapshotId) -> Result<(), Error> {
        let kept = self.ground.kept(&snapshot);
        self.remove_copy(&kept, self.owners).await
    }

    /// All copies that are whole.
    pub(super) async fn copies(&self) -> Result<Vec<SnapshotId>, Error> {
        let snapshots = self.ground.snapshots();
        let listed = blocking(move || whole(&snapshots)).await?;
        listed.map_err(|source| Error::Files {
            what: "the copies",
            source,
        })
    }

    /// Removes copies that were cut off.
    pub(super) async fn sweep_copies(&self, swept: &mut Swept) -> Result<(), Error> {
        let entries = fs::read_dir(self.ground.snapshots()).map_err(|source| Error::Files {
            what: "the copies",
            source,
        })?;
        let busy = self.copying.lock().await;
        for entry in entries.flatten() {
            let path = entry.path();
            let is_whole = path.extension().is_none() && path.join(NOTE).exists();
            if !is_whole && let Err(error) = self.remove_copy(&path, self.owners).await {
                swept.stuck.push(format!("{}: {error}", path.display()));
            }
        }
        drop(busy);
        Ok(())
    }

    /// Copies, from whose the files are to whose the copies become.
    async fn copy(
        &self,
        from: &Path,
        to: &Path,
        (before, owners): (Owners, Owners),
    ) -> Result<(), Error> {
        let _alone = self.copying.lock().await;
        let home = to.to_owned();
        let made = blocking(move || make_home(&home, owners)).await?;
        made.map_err(|source| Error::Files {
            what: "the copy",
            source,
        })?;
        let parts = KEPT.into_iter().map(PathBuf::from);
        let task = FilesTask::Copy {
            from: from.to_owned(),
            owners: before,
            to: to.to_owned(),
            parts: parts.filter(|part| from.join(part).is_dir()).collect(),
        };
        self.on_files(owners, task).await
    }

    async fn remove_copy(&self, path: &Path, owners: Owners) -> Result<(), Error> {
        // First, so that what is half removed is no snapshot any more.
        match fs::remove_file(path.join(NOTE)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Files {
                    what: "the copy",
                    source,
                });
            }
            _ => {}
        }
        let inside = KEPT.into_iter().map(|name| path.join(name)).collect();
        self.on_files(owners, FilesTask::Remove(inside)).await?;
        let path = path.to_owned();
        let removed = blocking(move || crate::launcher::remove(&path)).await?;
        removed.map_err(|source| Error::Files {
            what: "the copy",
            source,
        })
    }
}

fn whole(snapshots: &Path) -> io::Result<Vec<SnapshotId>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(snapshots)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let id = name.and_then(|name| SnapshotId::parse(name).ok());
        all.extend(id.filter(|_| path.join(NOTE).exists()));
    }
    all.sort_unstable();
    Ok(all)
}

fn finish(part: &Path, kept: &Path, note: &Note) -> io::Result<()> {
    write_private(&part.join(NOTE), &serde_json::to_vec(note)?)?;
    fs::rename(part, kept)
}
