//! What is in a machine, kept for the next session of the same configuration.
//!
//! The configuration's row says which snapshot is the one. Each attempt to keep something has a name
//! of its own, and takes the place of the one before in one statement: of two at once one does, and
//! what the other takes back is its own. What is left at a provider that no row names is swept.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use wharf_model::Caller;
use wharf_sandbox::provider::Capability;
use wharf_sandbox::{Provider, SandboxId, SnapshotId};
use wharf_store::db::{DbError, GatewaySessionRow};

use crate::gateway::Inner;
use crate::live::{Live, lock};
use crate::record::Note;
use crate::rest::missed_words;
use crate::state::State;
use crate::steps::Step;
use crate::up::ended;
use crate::{Error, Offer};

/// What is being kept, and is in no row yet.
#[derive(Debug, Default)]
pub(crate) struct Keeping(Mutex<BTreeSet<SnapshotId>>);

/// One of them, until this is dropped.
struct Attempt<'a> {
    keeping: &'a Keeping,
    id: SnapshotId,
}

impl Keeping {
    fn begin(&self, id: SnapshotId) -> Attempt<'_> {
        lock(&self.0).insert(id.clone());
        Attempt { keeping: self, id }
    }

    fn all(&self) -> BTreeSet<SnapshotId> {
        lock(&self.0).clone()
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        lock(&self.keeping.0).remove(&self.id);
    }
}

impl Inner {
    /// Keeps what is in a session's machine, with the session's turn.
    pub(crate) async fn keep(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
    ) -> Result<(), Error> {
        let row = live.row();
        match State::read(&row.state) {
            State::Stopped | State::Failed => return Err(ended(&row)),
            State::Pending | State::Starting => {
                return Err(Error::Conflict("the session does not run yet"));
            }
            State::Running | State::Paused => {}
        }
        let provider = Arc::clone(self.provider(Some(&row.provider))?);
        if !provider.capabilities().has(Capability::Snapshot) {
            return Err(Error::Unsupported("keep what is in it"));
        }
        let id = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok());
        let id = id.ok_or(Error::Conflict("the session has no sandbox"))?;
        let database = &self.parts.database;
        let before = database.configuration(&row.configuration).await?;
        let before = before.ok_or(Error::NotFound("configuration"))?;

        self.record("sandbox.snapshot", &Note::of(caller, &row))?;
        let key = self.new_id("snapshot_");
        let attempt = self.keeping.begin(SnapshotId::of(&key));
        let keeping = provider.snapshot(&id, &key);
        let kept = match self.within(live, self.options.bring_up.keep, keeping).await {
            Ok(kept) => kept,
            Err(missed) => {
                self.forget(&row.provider, &attempt.id).await;
                let reason = missed_words(&missed);
                return Err(Error::Failed { reason });
            }
        };
        let set = database.set_configuration_snapshot(
            &before.id,
            before.snapshot.as_deref(),
            Some((kept.as_str(), &row.provider)),
            self.now_ms(),
        );
        // Where the database does not say whether it has it, the sweep finds out.
        if !set.await? {
            self.forget(&row.provider, &kept).await;
            return Err(Error::Conflict(
                "the configuration was changed or removed meanwhile; ask again",
            ));
        }
        if let (Some(snapshot), Some(provider)) = (before.snapshot, before.provider)
            && let Ok(snapshot) = SnapshotId::parse(&snapshot)
        {
            self.forget(&provider, &snapshot).await;
        }
        let step = Step {
            kind: "snapshot",
            caller,
            recorded: true,
            ..Step::default()
        };
        self.step(live, step, |_| {}).await.map(drop)
    }

    /// What a provider does not forget now takes room there until the next sweep, and nothing else.
    pub(crate) async fn forget(&self, provider: &str, snapshot: &SnapshotId) {
        let ready = self.parts.offers.iter().find_map(|offer| match offer {
            Offer::Ready(it) if it.name() == provider => Some(Arc::clone(it)),
            _ => None,
        });
        let Some(ready) = ready else {
            return;
        };
        let forgetting = tokio::time::timeout(self.options.bring_up.end, ready.forget(snapshot));
        if !matches!(forgetting.await, Ok(Ok(()))) {
            tracing::warn!(target: "sandbox", %snapshot, "a snapshot was not removed");
        }
    }

    /// What a session was to begin with is not there any more.
    pub(crate) async fn forget_snapshot(&self, row: &GatewaySessionRow) {
        let database = &self.parts.database;
        let before = row.snapshot.as_deref();
        let now_ms = self.now_ms();
        let set = database.set_configuration_snapshot(&row.configuration, before, None, now_ms);
        if let Err(error) = set.await {
            tracing::warn!(target: "sandbox", %error, "a snapshot that is gone was not forgotten");
        }
    }

    /// Removes at a provider the snapshots that no configuration has.
    pub(crate) async fn forget_strays(&self, provider: &Arc<dyn Provider>) {
        let listing = tokio::time::timeout(self.options.bring_up.keep, provider.snapshots());
        let there = match listing.await {
            Ok(Ok(there)) => there,
            Ok(Err(error)) => {
                tracing::warn!(target: "sandbox", %error, "snapshots cannot be listed");
                return;
            }
            Err(_) => {
                tracing::warn!(target: "sandbox", "snapshots were not listed in time");
                return;
            }
        };
        // In this order: one that is being kept while all of this is looked at is either still being
        // kept, or in its row.
        let kept_now = self.keeping.all();
        let there = there.into_iter().filter(|it| !kept_now.contains(it));
        match self.without_those_that_are_had(there.collect()).await {
            Ok(strays) => {
                for stray in strays {
                    self.forget(provider.name(), &stray).await;
                    tracing::info!(target: "sandbox", snapshot = %stray, "forgot what nobody has");
                }
            }
            Err(error) => {
                tracing::warn!(target: "sandbox", %error, "snapshots were not swept");
            }
        }
    }

    async fn without_those_that_are_had(
        &self,
        mut snapshots: BTreeSet<SnapshotId>,
    ) -> Result<BTreeSet<SnapshotId>, DbError> {
        let database = &self.parts.database;
        let mut after = String::new();
        while !snapshots.is_empty() {
            let page = database.configuration_snapshots(&after).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            after.clone_from(last);
            for (_, had) in &page {
                if let Ok(had) = SnapshotId::parse(had) {
                    snapshots.remove(&had);
                }
            }
        }
        Ok(snapshots)
    }
}
