//! Ending sandboxes, keeping copies of them, and finding what a crash has left.

use std::collections::{BTreeMap, BTreeSet};

use wharf_model::Timestamp;

use super::Inner;
use crate::error::Error;
use crate::id::{SandboxId, SnapshotId};
use crate::local::launch::blocking;
use crate::local::record::Stage;
use crate::provider::{Health, Swept};

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
        let (ledger, looked) = (self.ledger.clone(), id.clone());
        let record = blocking(move || ledger.read(&looked)).await?.ok();
        if let Some(mut record) = record.clone() {
            self.check_engine(&record)?;
            if record.stage != Stage::Ending {
                // From here on it is a remainder, whatever happens.
                record.stage = Stage::Ending;
                self.write(&record).await?;
            }
        }
        self.engine.remove(&self.container(id)).await?;
        if let Some(image) = record.and_then(|record| record.image) {
            self.drop_nameless(&image).await?;
        }
        let (ledger, gone) = (self.ledger.clone(), id.clone());
        let removed = blocking(move || ledger.remove(&gone)).await?;
        removed.map_err(|source| Error::Files {
            what: "the record",
            source,
        })
    }

    /// Removes an image that was a snapshot and has been forgotten, now that its last sandbox may
    /// have gone.
    async fn drop_nameless(&self, image: &str) -> Result<(), Error> {
        let nameless = self.engine.nameless(&self.server).await?;
        if nameless.iter().any(|id| id == image) {
            self.engine.forget(image, false).await?;
        }
        Ok(())
    }

    pub(super) async fn hold(&self, id: SandboxId, still: bool) -> Result<(), Error> {
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        self.record_to_change(&id).await?;
        let name = self.container(&id);
        let state = self.engine.state(&name).await?.ok_or(Error::NotFound)?;
        match (state.health, still) {
            (Health::Stopped, _) => Err(Error::NotRunning),
            (Health::Running, true) => self.engine.pause(&name).await,
            (Health::Paused, false) => self.engine.resume(&name).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn snapshot(
        &self,
        id: SandboxId,
        to: SnapshotId,
    ) -> Result<SnapshotId, Error> {
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        self.record_to_change(&id).await?;
        let [repository, tag] = self.kept(&to);
        let is_there = self.engine.image(&format!("{repository}:{tag}")).await?;
        if is_there.is_none() {
            let name = self.container(&id);
            self.engine.commit(&name, (&repository, &tag)).await?;
        }
        Ok(to)
    }

    /// The name and the tag of the image that is a snapshot.
    pub(super) fn kept(&self, snapshot: &SnapshotId) -> [String; 2] {
        [self.repository(), snapshot.to_string()]
    }

    fn repository(&self) -> String {
        format!("wharf-{}", self.server)
    }

    pub(super) async fn copies(&self) -> Result<Vec<SnapshotId>, Error> {
        let tags = self.engine.tags(&self.repository()).await?;
        let mut ids: Vec<SnapshotId> = tags
            .iter()
            .filter_map(|tag| SnapshotId::parse(tag).ok())
            .collect();
        ids.sort();
        Ok(ids)
    }

    pub(super) async fn forget(&self, snapshot: SnapshotId) -> Result<(), Error> {
        let image = self.kept(&snapshot).join(":");
        self.engine.forget(&image, true).await
    }

    pub(super) async fn sweep(&self, now: Timestamp) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        let there = self.there().await?;
        let recorded = self.ids().await?;
        let ids: BTreeSet<SandboxId> = there.keys().cloned().chain(recorded).collect();
        for id in ids {
            let slot = self.slot(&id);
            // Somebody is at it; what they leave is for the next sweep.
            let Ok(turn) = slot.turn.try_lock() else {
                continue;
            };
            let over = match self.record(&id).await {
                Ok(record) if record.expires_at.is_some_and(|end| end <= now) => &mut swept.expired,
                Ok(_) => match self.engine.state(&self.container(&id)).await {
                    // Its files went with the container, which somebody else has removed.
                    Ok(None) => &mut swept.remains,
                    Ok(Some(_)) => continue,
                    Err(error) => {
                        swept.stuck.push(format!("{id}: {error}"));
                        continue;
                    }
                },
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
        for image in self.engine.nameless(&self.server).await? {
            self.engine.forget(&image, false).await?;
        }
        Ok(swept)
    }

    /// The containers of this server.
    pub(super) async fn there(&self) -> Result<BTreeMap<SandboxId, Health>, Error> {
        let containers = self.engine.containers(&self.server).await?;
        let named = containers
            .into_iter()
            .filter_map(|(id, health)| Some((SandboxId::parse(&id).ok()?, health)));
        Ok(named.collect())
    }
}
