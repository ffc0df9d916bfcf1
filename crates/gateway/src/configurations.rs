//! What sessions are made of, and what a session leaves for the next one.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_sandbox::SnapshotId;
use wharf_store::db::ConfigurationRow;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::owner::{Owner, Use};
use crate::record::Note;
use crate::text;
use crate::views::{ConfigurationView, SessionView};

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
            let _turn = inner.turn(&live).await?;
            inner.keep(&live, Some(&caller)).await?;
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
        if let (Some(provider), Some(snapshot)) = (&row.provider, &row.snapshot)
            && let Ok(snapshot) = SnapshotId::parse(snapshot)
        {
            inner.forget(provider, &snapshot).await;
        }
        Ok(removed)
    }
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
}
