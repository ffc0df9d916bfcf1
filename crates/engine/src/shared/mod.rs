//! Other servers on the same database: saying that this one is there, following what they change,
//! and knowing whose something is.
//!
//! A session's shell and a run's output are on one machine; everything else is everybody's. What
//! must happen once (a yes is used, a key is taken) is decided by one statement of the database.
//! What is kept in memory is followed by version: at the latest after [`FOLLOW`], and before each
//! decision that hangs on it.
//!
//! A server that is gone keeps what is its own: its sessions and runs wait for its return, since
//! nobody else can say what became of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use wharf_model::{Caller, SessionId};
use wharf_store::db::{ServerRow, Versions};

use crate::engine::{Engine, Inner};
use crate::error::Error;
use crate::sessions::state::Session;
use crate::view::ServerView;
use crate::{approvals, housekeeping};

/// How often a server says that it is there: a sixth of its lease, so that a few may be missed.
const BEAT: Duration = Duration::from_secs(5);
/// How far what is in memory may be behind what other servers have changed.
const FOLLOW: Duration = Duration::from_millis(500);
/// How far what was used today at other servers may be behind.
const SPENT: Duration = Duration::from_secs(60);
/// Requests that wait at once for a run that is not known yet; more are answered at once.
const MAX_WAITS: usize = 16;

/// What is known of the others.
pub(crate) struct Shared {
    /// The changes that memory has.
    seen: Mutex<Versions>,
    /// Places to wait for a run that another server may just have begun.
    pub(crate) waits: Semaphore,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            waits: Semaphore::new(MAX_WAITS),
        }
    }
}

impl Engine {
    /// The id of this server; empty where it has none.
    #[must_use]
    pub fn server(&self) -> &str {
        self.inner().parts.database.server()
    }

    /// The servers on this database, where there may be several.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn servers(&self) -> Result<Vec<ServerView>, Error> {
        let database = &self.inner().parts.database;
        if !database.is_shared() {
            return Ok(Vec::new());
        }
        let servers = database.servers().await.map_err(Error::from_database)?;
        Ok(servers.into_iter().map(view).collect())
    }
}

pub(crate) fn view(row: ServerRow) -> ServerView {
    ServerView {
        id: row.id,
        url: row.url,
        version: row.version,
        live: row.live,
    }
}

/// Says that this server is there, from now until it stops.
pub(crate) async fn start(inner: &Arc<Inner>) -> Result<(), Error> {
    if !inner.parts.database.is_shared() {
        return Ok(());
    }
    join(inner).await?;
    follow(inner).await?;
    housekeeping::spawn(inner, BEAT, |inner| async move {
        if let Err(error) = beat(&inner).await {
            tracing::warn!(target: "system", %error, "the other servers are not told that this one is there");
        }
    });
    housekeeping::spawn(inner, FOLLOW, |inner| async move {
        if let Err(error) = follow(&inner).await {
            tracing::warn!(target: "system", %error, "what other servers have changed is not known");
        }
    });
    housekeeping::spawn(inner, SPENT, |inner| async move {
        if let Err(error) = inner.quotas.follow(&inner).await {
            tracing::warn!(target: "system", %error, "what was used at other servers is not known");
        }
    });
    Ok(())
}

async fn join(inner: &Inner) -> Result<(), Error> {
    let joined = inner
        .parts
        .database
        .join(&inner.options.peer_url, &inner.options.version);
    joined.await.map_err(Error::from_database)
}

async fn beat(inner: &Inner) -> Result<(), Error> {
    let beat = inner.parts.database.beat().await;
    if beat.map_err(Error::from_database)? {
        return Ok(());
    }
    // Somebody has cleared the table.
    join(inner).await
}

/// This server stops. What is its own waits for it.
pub(crate) async fn leave(inner: &Inner) {
    if inner.parts.database.is_shared()
        && let Err(error) = inner.parts.database.leave().await
    {
        tracing::warn!(target: "system", %error, "the other servers notice by themselves that this one has stopped");
    }
}

/// Brings memory up to what other servers have changed.
pub(crate) async fn follow(inner: &Inner) -> Result<(), Error> {
    let database = &inner.parts.database;
    if !database.is_shared() {
        return Ok(());
    }
    let mut seen = inner.shared.seen.lock().await;
    let now = database.versions().await.map_err(Error::from_database)?;
    if now.hosts != seen.hosts {
        inner.hosts.reload(database).await?;
        seen.hosts = now.hosts;
    }
    if now.consents != seen.consents {
        approvals::keep::reload(inner).await?;
        seen.consents = now.consents;
    }
    Ok(())
}

impl Inner {
    /// A caller's living session on this server.
    ///
    /// # Errors
    /// [`Error::Elsewhere`] when it lives on another server.
    pub(crate) async fn session_here(
        &self,
        caller: &Caller,
        id: &SessionId,
    ) -> Result<Arc<Session>, Error> {
        let missing = match self.sessions.get(caller, id) {
            Ok(session) => return Ok(session),
            Err(missing) => missing,
        };
        match self.session_server(caller, id).await? {
            Some(server) => Err(self.elsewhere("session", id.as_str(), &server).await),
            None => Err(missing),
        }
    }

    /// The other server on which a caller's session lives, where it lives on one.
    pub(crate) async fn session_server(
        &self,
        caller: &Caller,
        id: &SessionId,
    ) -> Result<Option<String>, Error> {
        if !self.parts.database.is_shared() || !caller.reaches(Some(id)) {
            return Ok(None);
        }
        let row = self.parts.database.session(caller.name(), id.as_str());
        let row = row.await.map_err(Error::from_database)?;
        let row = row.filter(|row| row.ended_ms.is_none() && self.is_foreign(&row.server));
        Ok(row.map(|row| row.server))
    }

    /// Whether another server is there at this moment.
    pub(crate) async fn has_live_others(&self) -> Result<bool, Error> {
        let database = &self.parts.database;
        if !database.is_shared() {
            return Ok(false);
        }
        let servers = database.servers().await.map_err(Error::from_database)?;
        let own = database.server();
        Ok(servers.iter().any(|row| row.live && row.id != own))
    }

    /// Whether something is another server's.
    pub(crate) fn is_foreign(&self, server: &str) -> bool {
        self.parts.database.is_shared() && server != self.parts.database.server()
    }

    /// Why something cannot be had here: whose it is, and whether that server is there.
    pub(crate) async fn elsewhere(&self, what: &'static str, id: &str, server: &str) -> Error {
        let servers = match self.parts.database.servers().await {
            Ok(servers) => servers,
            Err(error) => return Error::from_database(error),
        };
        let found = servers.into_iter().find(|row| row.id == server);
        Error::Elsewhere {
            what,
            id: id.to_owned(),
            server: found.map_or_else(
                || ServerView {
                    id: server.to_owned(),
                    ..ServerView::default()
                },
                view,
            ),
        }
    }
}
