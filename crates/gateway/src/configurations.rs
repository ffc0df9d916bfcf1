//! What sessions are made of, and what a session leaves for the next one.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_sandbox::provider::Capability;
use wharf_sandbox::{SandboxId, SnapshotId};
use wharf_store::db::{ConfigurationRow, GatewaySessionRow};

use crate::gateway::{Gateway, Inner};
use crate::live::Live;
use crate::owner::{Owner, Use};
use crate::record::Note;
use crate::rest::missed_words;
use crate::state::State;
use crate::steps::Step;
use crate::text;
use crate::up::ended;
use crate::views::{ConfigurationView, SessionView};
use crate::{Error, Offer};

impl Gateway {
    /// The caller's configuration of a directory.
    ///
    /// # Errors
    /// [`Error::Invalid`]; when the database does not answer.
    pub async fn configuration(
        &self,
        caller: &Caller,
        path_hash: &str,
    ) -> Result<Option<ConfigurationView>, Error> {
        let found = self.inner.own_configuration(caller, path_hash).await?;
        Ok(found.map(ConfigurationView::of))
    }

    /// Keeps what is in a session's machine, for the next session of the same configuration. Answers
    /// the configuration and what was kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the session is none of the caller's, is not of that directory or
    /// has another machine; as for [`snapshot`](Self::snapshot).
    pub async fn save_configuration(
        &self,
        caller: &Caller,
        path_hash: &str,
        session: &str,
        sandbox: &str,
    ) -> Result<(ConfigurationView, String), Error> {
        let path_hash = text::path_hash(path_hash)?;
        let row = self.inner.find(caller, session, Use::Enter).await?;
        if row.path_hash.as_deref() != Some(&*path_hash) {
            return Err(Error::NotFound("session"));
        }
        if row.sandbox.as_deref() != Some(sandbox) {
            return Err(Error::NotFound("sandbox"));
        }
        self.snapshot(caller, session).await?;
        let found = self.inner.parts.database.configuration(&row.configuration);
        let found = found.await?.ok_or(Error::NotFound("configuration"))?;
        let snapshot = found.snapshot.clone();
        let snapshot = snapshot.ok_or(Error::Conflict("it was removed meanwhile"))?;
        Ok((ConfigurationView::of(found), snapshot))
    }

    /// Keeps what is in a session's machine, for the next session of the same configuration.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Unsupported`]; [`Error::Conflict`] where
    /// there is no machine; [`Error::Failed`].
    pub async fn snapshot(&self, caller: &Caller, id: &str) -> Result<SessionView, Error> {
        let live = self.inner.living(caller, id, Use::Enter).await?;
        let (inner, caller) = (Arc::clone(&self.inner), caller.clone());
        let going = self.inner.tasks.spawn(async move {
            let _turn = live.turn.lock().await;
            inner.keep(&live, &caller).await?;
            Ok(inner.view(&live.row()))
        });
        going.await.unwrap_or(Err(Error::Closing))
    }

    /// Forgets the caller's configuration of a directory, and what was kept for it. Sessions of it go
    /// on. False when there is none.
    ///
    /// # Errors
    /// [`Error::Invalid`]; when the database does not answer.
    pub async fn remove_configuration(
        &self,
        caller: &Caller,
        path_hash: &str,
    ) -> Result<bool, Error> {
        let inner = &self.inner;
        let Some(row) = inner.own_configuration(caller, path_hash).await? else {
            return Ok(false);
        };
        let note = Note {
            configuration: Some(&row.id),
            ..Note::by(caller)
        };
        inner.record("configuration.removed", &note)?;
        let removed = inner.parts.database.remove_configuration(&row.id).await?;
        if let Some(provider) = &row.provider {
            for snapshot in snapshots_of(&row.id) {
                inner.forget(provider, &snapshot).await;
            }
        }
        Ok(removed)
    }
}

/// The two names that what is kept for a configuration takes in turn: what a crash leaves of one is
/// found under it the next time.
fn keys_of(configuration: &str) -> [String; 2] {
    ["a", "b"].map(|turn| format!("{configuration}-{turn}"))
}

fn snapshots_of(configuration: &str) -> [SnapshotId; 2] {
    keys_of(configuration).map(|key| SnapshotId::of(&key))
}

impl Inner {
    async fn own_configuration(
        &self,
        caller: &Caller,
        path_hash: &str,
    ) -> Result<Option<ConfigurationRow>, Error> {
        let (owner, path_hash) = (Owner::of(caller), text::path_hash(path_hash)?);
        let database = &self.parts.database;
        let found = database.configuration_of_path(&owner.organization, &owner.person, &path_hash);
        Ok(found.await?)
    }

    /// With the session's turn.
    async fn keep(&self, live: &Arc<Live>, caller: &Caller) -> Result<(), Error> {
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
        let old = before.snapshot.as_deref();
        let keys = keys_of(&before.id);
        let key = keys
            .iter()
            .find(|key| Some(SnapshotId::of(key).as_str()) != old);
        let key = key.map_or("", String::as_str);

        self.record("sandbox.snapshot", &Note::of(Some(caller), &row))?;
        let keeping = async {
            provider.forget(&SnapshotId::of(key)).await?;
            provider.snapshot(&id, key).await
        };
        let kept = self.within(live, self.options.bring_up.keep, keeping).await;
        let kept = kept.map_err(|missed| Error::Failed {
            reason: missed_words(&missed),
        })?;
        let set = database.set_configuration_snapshot(
            &before.id,
            old,
            Some((kept.as_str(), &row.provider)),
            self.now_ms(),
        );
        if !set.await? {
            self.forget(&row.provider, &kept).await;
            return Err(Error::Conflict(
                "the configuration was changed or removed meanwhile",
            ));
        }
        let there = (before.snapshot, before.provider);
        if let (Some(snapshot), Some(provider)) = there
            && let Ok(snapshot) = SnapshotId::parse(&snapshot)
        {
            self.forget(&provider, &snapshot).await;
        }
        let step = Step {
            kind: "snapshot",
            caller: Some(caller),
            recorded: true,
            ..Step::default()
        };
        self.step(live, step, |_| {}).await.map(drop)
    }

    /// What a provider does not forget now takes room there, and nothing else.
    async fn forget(&self, provider: &str, snapshot: &SnapshotId) {
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
}
