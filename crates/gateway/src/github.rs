//! Connections to GitHub, as far as sessions need them: whether there is one, how to make one, and
//! which one a person has just chosen.
//!
//! A choice lives five minutes and is given out once, so that a client that looks on while somebody
//! chooses in a browser never takes an old choice for a new one.

use wharf_model::Caller;
use wharf_sandbox::BoxFuture;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::limits::{NAME_CHARS_MAX, SELECTION_LIFETIME, ms};
use crate::owner::Owner;
use crate::record::Note;

/// Who knows connections to GitHub.
pub trait Hub: Send + Sync + 'static {
    /// Those of an organization, the newest first; of a person who is in none, by their id.
    ///
    /// # Errors
    /// Why they cannot be looked up, in words.
    fn connections<'a>(
        &'a self,
        account: &'a str,
    ) -> BoxFuture<'a, Result<Vec<HubConnection>, String>>;

    /// The page on which a person connects.
    ///
    /// # Errors
    /// Why there is none, and what to do, in words.
    fn page<'a>(
        &'a self,
        account: &'a str,
        person: &'a str,
    ) -> BoxFuture<'a, Result<HubPage, String>>;
}

/// One connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubConnection {
    /// Its id.
    pub id: String,
    /// The account there.
    pub username: Option<String>,
}

/// Where a person connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubPage {
    /// The page.
    pub url: String,
    /// Whom the connection will be of.
    pub end_user: String,
}

/// There are none, and nobody can connect.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHub;

const NONE: &str = "this server has no connection to GitHub";

impl Hub for NoHub {
    fn connections<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<HubConnection>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn page<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<HubPage, String>> {
        Box::pin(async { Err(NONE.to_owned()) })
    }
}

/// Who does not answer.
const GITHUB: &str = "GitHub";

impl Gateway {
    /// The newest connection of the caller's organization.
    ///
    /// # Errors
    /// [`Error::Outside`].
    pub async fn github(&self, caller: &Caller) -> Result<Option<HubConnection>, Error> {
        let owner = Owner::of(caller);
        let connections = self.inner.connections(&owner).await?;
        Ok(connections.into_iter().next())
    }

    /// The page on which the caller connects.
    ///
    /// # Errors
    /// [`Error::Outside`].
    pub async fn github_page(&self, caller: &Caller) -> Result<HubPage, Error> {
        let owner = Owner::of(caller);
        let page = self.inner.parts.hub.page(owner.account(), caller.person());
        page.await.map_err(|reason| Error::Outside {
            who: GITHUB,
            reason,
        })
    }

    /// Keeps which connection the caller has chosen, for [`github_chosen`](Self::github_chosen).
    ///
    /// # Errors
    /// [`Error::NotFound`] when the organization has no such connection; [`Error::Outside`].
    pub async fn choose_github(&self, caller: &Caller, connection: &str) -> Result<(), Error> {
        let inner = &self.inner;
        let owner = Owner::of(caller);
        inner.check_connection(&owner, connection).await?;
        let note = Note {
            detail: Some(connection.to_owned()),
            ..Note::by(caller)
        };
        inner.record("github.chosen", &note)?;
        let expires_ms = inner.now_ms().saturating_add(ms(SELECTION_LIFETIME));
        let database = &inner.parts.database;
        database
            .put_selection(&owner.organization, &owner.person, connection, expires_ms)
            .await?;
        Ok(())
    }

    /// The connection that the caller has just chosen, which is given out once; or else the newest
    /// one.
    ///
    /// # Errors
    /// [`Error::Outside`]: then a choice waits on.
    pub async fn github_chosen(&self, caller: &Caller) -> Result<Option<String>, Error> {
        let inner = &self.inner;
        let owner = Owner::of(caller);
        let connections = inner.connections(&owner).await?;
        let database = &inner.parts.database;
        let taken = database.take_selection(&owner.organization, &owner.person, inner.now_ms());
        let chosen = taken.await?;
        let chosen = chosen.filter(|id| connections.iter().any(|it| it.id == *id));
        Ok(chosen.or_else(|| connections.into_iter().next().map(|it| it.id)))
    }
}

impl Inner {
    async fn connections(&self, owner: &Owner) -> Result<Vec<HubConnection>, Error> {
        let connections = self.parts.hub.connections(owner.account()).await;
        connections.map_err(|reason| Error::Outside {
            who: GITHUB,
            reason,
        })
    }

    pub(crate) async fn check_connection(
        &self,
        owner: &Owner,
        connection: &str,
    ) -> Result<(), Error> {
        let unknown = Error::NotFound("connection");
        if connection.is_empty() || connection.len() > NAME_CHARS_MAX {
            return Err(unknown);
        }
        let connections = self.connections(owner).await?;
        let known = connections.iter().any(|it| it.id == connection);
        known.then_some(()).ok_or(unknown)
    }
}
