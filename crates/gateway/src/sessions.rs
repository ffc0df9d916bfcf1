//! Finding sessions, for those who may see them.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_sandbox::provider::Capability;
use wharf_sandbox::{Health, SandboxId};
use wharf_store::db::GatewaySessionRow;

use crate::gateway::{Gateway, Inner};
use crate::limits::{CHECKED_MAX, ms};
use crate::live::Live;
use crate::owner::{self, Owner, Use};
use crate::state::State;
use crate::up::{Missed, ended};
use crate::views::{SessionView, StatusView, SupportView};
use crate::{Error, Offer};

impl Gateway {
    /// One session; nothing is brought up for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's.
    pub async fn show(&self, caller: &Caller, id: &str) -> Result<SessionView, Error> {
        let row = self.inner.find(caller, id, Use::Look).await?;
        Ok(self.inner.view(&row))
    }

    /// A caller's sessions, the newest first: of one directory or all, with those that have ended or
    /// without.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(
        &self,
        caller: &Caller,
        path_hash: Option<&str>,
        ended: bool,
    ) -> Result<Vec<SessionView>, Error> {
        if caller.grants().scopes.confine() {
            return Ok(Vec::new());
        }
        let inner = &self.inner;
        let ask = owner::own_sessions(&Owner::of(caller), caller);
        let ask = ask.ask(path_hash, ended);
        let rows = inner.parts.database.gateway_sessions(&ask).await?;
        Ok(rows
            .iter()
            .map(|row| inner.view(&inner.newest(row)))
            .collect())
    }

    /// How a session is, with what its provider says. Nothing is brought up for it.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it is somebody else's.
    pub async fn status(&self, caller: &Caller, id: &str) -> Result<StatusView, Error> {
        let row = self.inner.find(caller, id, Use::Look).await?;
        let alive = match self.inner.lives.get(&row.id) {
            Some(live) => self.inner.is_alive(&live, &row).await,
            None => None,
        };
        Ok(StatusView {
            state: State::read(&row.state),
            reason: row.reason,
            sandbox: row.sandbox,
            alive,
        })
    }

    /// Which of these machines, by their providers' names, are there and the caller's. One of another
    /// server's is there for as long as its session lives: only that server can ask its provider.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more than [`CHECKED_MAX`].
    pub async fn alive(&self, caller: &Caller, sandboxes: &[String]) -> Result<Vec<String>, Error> {
        if sandboxes.len() > CHECKED_MAX {
            return Err(Error::invalid(
                "sandboxIds",
                format!("must be at most {CHECKED_MAX}"),
            ));
        }
        let inner = &self.inner;
        let lives = inner.lives.all().into_iter().filter_map(|live| {
            let row = live.row();
            let named = row
                .sandbox
                .as_ref()
                .is_some_and(|it| sandboxes.contains(it));
            let seen = named && owner::may(caller, &row, Use::Look).is_ok();
            seen.then_some((live, row))
        });
        let asked = lives.map(|(live, row)| async move {
            let alive = inner.is_alive(&live, &row).await;
            row.sandbox.filter(|_| alive == Some(true))
        });
        let found = futures_util::future::join_all(asked).await;
        let mut found: Vec<String> = found.into_iter().flatten().collect();
        let database = &inner.parts.database;
        if sandboxes.iter().any(|id| !found.contains(id)) {
            let ask = owner::own_sessions(&Owner::of(caller), caller);
            let rows = database.gateway_sessions(&ask.ask(None, false)).await?;
            let others = rows.into_iter().filter(|row| {
                row.server != database.server() && owner::may(caller, row, Use::Look).is_ok()
            });
            found.extend(others.filter_map(|row| row.sandbox));
        }
        let asked_for = sandboxes.iter().filter(|id| found.contains(id));
        Ok(asked_for.cloned().collect())
    }

    /// What can be made here.
    #[must_use]
    pub fn support(&self) -> Vec<SupportView> {
        let offers = self.inner.parts.offers.iter();
        let views = offers.map(|offer| match offer {
            Offer::Ready(provider) => {
                let can = provider.capabilities();
                SupportView {
                    provider: provider.name().to_owned(),
                    unavailable: None,
                    pauses: can.has(Capability::Pause),
                    snapshots: can.has(Capability::Snapshot),
                }
            }
            Offer::Unavailable { name, reason } => SupportView {
                provider: name.clone(),
                unavailable: Some(reason.clone()),
                pauses: false,
                snapshots: false,
            },
        });
        views.collect()
    }
}

impl Inner {
    /// A session that the caller may do that with.
    pub(crate) async fn find(
        &self,
        caller: &Caller,
        id: &str,
        wanted: Use,
    ) -> Result<GatewaySessionRow, Error> {
        let row = match self.lives.get(id) {
            Some(live) => live.row(),
            None => {
                let found = self.parts.database.gateway_session(id).await?;
                found.ok_or(Error::NotFound("session"))?
            }
        };
        owner::may(caller, &row, wanted)?;
        Ok(row)
    }

    /// The same, where it has not ended.
    pub(crate) async fn living(
        &self,
        caller: &Caller,
        id: &str,
        wanted: Use,
    ) -> Result<Arc<Live>, Error> {
        let row = self.find(caller, id, wanted).await?;
        self.live_of(&row)
    }

    /// A session's life here.
    pub(crate) fn live_of(&self, row: &GatewaySessionRow) -> Result<Arc<Live>, Error> {
        match self.lives.get(&row.id) {
            Some(live) => Ok(live),
            None if row.ended_ms.is_some() => Err(ended(row)),
            None => Err(Error::Elsewhere {
                server: row.server.clone(),
            }),
        }
    }

    /// A row that was read, or what has become of it meanwhile.
    fn newest(&self, row: &GatewaySessionRow) -> GatewaySessionRow {
        let live = self.lives.get(&row.id);
        live.map_or_else(|| row.clone(), |live| live.row())
    }

    pub(crate) fn view(&self, row: &GatewaySessionRow) -> SessionView {
        let mut row = row.clone();
        if let Some(live) = self.lives.get(&row.id) {
            row.active_ms = row.active_ms.max(live.active_ms());
        }
        SessionView::of(&row, self.now_ms(), self.options.idle.map(ms))
    }

    /// Whether a provider says that a session's machine is there.
    pub(crate) async fn is_alive(&self, live: &Live, row: &GatewaySessionRow) -> Option<bool> {
        let id = SandboxId::parse(row.sandbox.as_deref()?).ok()?;
        let provider = self.provider(Some(&row.provider)).ok()?;
        let asked = self.within(live, self.options.bring_up.ask, provider.health(&id));
        match asked.await {
            Ok(Health::Running | Health::Paused) => Some(true),
            Ok(Health::Stopped) => Some(false),
            Err(Missed::Refused(wharf_sandbox::Error::NotFound)) => Some(false),
            Err(_) => None,
        }
    }
}
