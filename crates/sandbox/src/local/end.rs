//! Ending sandboxes, holding them still, and finding what a crash has left.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use wharf_model::Timestamp;

use super::ground::{RECORD, ROOT};
use super::launch::{COPY_PATIENCE, blocking};
use super::process::Held;
use super::record::{Record, Stage, launched};
use super::{Inner, NAME, cgroup};
use crate::error::Error;
use crate::id::SandboxId;
use crate::launcher::plan::{Answer, FilesTask, Init, Owners, Plan};
use crate::provider::{Capability, Swept};

impl Inner {
    pub(super) async fn terminate(&self, id: SandboxId) -> Result<(), Error> {
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        slot.set(None);
        let ended = self.destroy(&id).await;
        self.forget_slot(&id);
        ended
    }

    /// Ends all that is of a sandbox and removes its files, however far it had come.
    pub(super) async fn destroy(&self, id: &SandboxId) -> Result<(), Error> {
        let directory = self.ground.of(id);
        let looked = directory.clone();
        let record = blocking(move || Record::read(&looked)).await?;
        let mut processes = Vec::new();
        let mut owners = self.owners;
        if let Ok(record) = &record {
            owners = record.owners;
            if record.boot == self.boot {
                processes.extend(record.init);
                processes.extend(record.helpers.iter().copied());
            }
        }
        processes.extend(launched(&directory));
        let ended = self.end(id, processes).await;
        if let Ok(mut record) = record
            && record.stage != Stage::Ending
        {
            // From here on it is a remainder, whatever happens.
            record.stage = Stage::Ending;
            if self.write(&record).await.is_err() && ended.is_ok() {
                // A sandbox that has filled the disk leaves no room for that; without a record it
                // is a remainder, too.
                let _removed_below = fs::remove_file(directory.join(RECORD));
            }
        }
        ended?;
        self.remove(directory, owners).await
    }

    /// Ends what runs of a sandbox and keeps its files.
    pub(super) async fn stop(&self, record: &mut Record) -> Result<(), Error> {
        let mut processes = std::mem::take(&mut record.helpers);
        if record.boot == self.boot {
            processes.extend(record.init);
            processes.extend(launched(&self.ground.of(&record.id)));
        }
        record.init = None;
        record.paused = false;
        self.end(&record.id, processes).await?;
        record.groups.clear();
        self.write(record).await
    }

    async fn end(&self, id: &SandboxId, processes: Vec<Init>) -> Result<(), Error> {
        let groups = self.groups.of(id.as_str());
        // What is held still by the old kind of control group cannot be killed.
        let _not_held = self.groups.hold(id.as_str(), false);
        let ended = blocking(move || {
            for held in processes.into_iter().filter_map(Held::take) {
                held.kill()?;
            }
            cgroup::kill(&groups);
            cgroup::remove(&groups)
        });
        ended.await?.map_err(|source| Error::System {
            what: "ending the sandbox",
            source,
        })
    }

    async fn remove(&self, directory: PathBuf, owners: Owners) -> Result<(), Error> {
        let gone = |error: io::Error| Error::Files {
            what: "the directory",
            source: error,
        };
        if !directory.join(ROOT).exists() && !directory.exists() {
            return Ok(());
        }
        if let Owners::Subordinate { .. } = owners {
            // Only somebody inside may remove what others inside own.
            let entries = fs::read_dir(&directory).map_err(gone)?.flatten();
            let inside = entries.filter(|entry| entry.path().is_dir());
            let inside = inside.map(|entry| entry.path()).collect();
            self.on_files(owners, FilesTask::Remove(inside)).await?;
        }
        let removed = blocking(move || crate::launcher::remove(&directory)).await?;
        removed.map_err(gone)
    }

    /// Has the launcher do something with files.
    pub(super) async fn on_files(&self, owners: Owners, task: FilesTask) -> Result<(), Error> {
        let launcher = self.options.launcher.clone();
        let plan = Plan::Files { owners, task };
        match blocking(move || launcher.ask(&plan, COPY_PATIENCE)).await?? {
            Answer::Done => Ok(()),
            Answer::Failed(failure) => Err(Error::Files {
                what: "the files",
                source: io::Error::other(failure.what),
            }),
            other => Err(Error::Launcher(format!("it answered {other:?}"))),
        }
    }

    pub(super) async fn hold(&self, id: SandboxId, still: bool) -> Result<(), Error> {
        if !self.capabilities.has(Capability::Pause) {
            return Err(Error::Unsupported {
                provider: NAME,
                what: Capability::Pause,
                hint: ": no control group can be made for that here".to_owned(),
            });
        }
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        let mut record = self.record_to_change(&id).await?;
        if self.process(&record).is_none() {
            return Err(Error::NotRunning);
        }
        self.groups
            .hold(id.as_str(), still)
            .map_err(|source| Error::System {
                what: "holding the sandbox still",
                source,
            })?;
        record.paused = still;
        let written = self.write(&record).await;
        if written.is_err() && still {
            // Nobody would know why it does nothing.
            let _it_is_let_go_when_it_is_reached = self.groups.hold(id.as_str(), false);
        }
        written
    }

    /// The ids of all directories, in order.
    pub(super) async fn ids(&self) -> Result<BTreeSet<SandboxId>, Error> {
        let directory = self.ground.sandboxes();
        let listed = blocking(move || -> io::Result<BTreeSet<SandboxId>> {
            let mut ids = BTreeSet::new();
            for entry in fs::read_dir(directory)? {
                let name = entry?.file_name();
                ids.extend(name.to_str().and_then(|name| SandboxId::parse(name).ok()));
            }
            Ok(ids)
        });
        listed.await?.map_err(|source| Error::Files {
            what: "the directory",
            source,
        })
    }

    pub(super) async fn sweep(&self, now: Timestamp) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let mut ids = self.ids().await?;
        let grouped = self.groups.names();
        ids.extend(
            grouped
                .iter()
                .filter_map(|name| SandboxId::parse(name).ok()),
        );
        for id in ids {
            let slot = self.slot(&id);
            // Somebody is at it; what they leave is for the next sweep.
            let Ok(turn) = slot.turn.try_lock() else {
                continue;
            };
            let over = match self.record(&id).await {
                Ok(record) if record.expires_at.is_some_and(|end| end <= now) => &mut swept.expired,
                Ok(_) => continue,
                Err(Error::NotFound) => &mut swept.remains,
                // What cannot be read may be a sandbox that somebody works in.
                Err(error) => {
                    swept.stuck.push(format!("{id}: {error}"));
                    continue;
                }
            };
            slot.set(None);
            match self.destroy(&id).await {
                Ok(()) => over.push(id.clone()),
                Err(error) => swept.stuck.push(format!("{id}: {error}")),
            }
            drop(turn);
            self.forget_slot(&id);
        }
        self.sweep_copies(&mut swept).await?;
        Ok(swept)
    }
}
