//! Ending a session.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_sandbox::SandboxId;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::live::Live;
use crate::owner::{self, Owner, Use};
use crate::record::Note;
use crate::state::State;
use crate::steps::Step;
use crate::up::state;
use crate::views::{Elsewhere, EndedAll, SessionView};

impl Gateway {
    /// Ends a session and its machine, with all that is in it. One that has ended stays as it is.
    /// What is being made of it is given up.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Forbidden`]; when it cannot be recorded or written down.
    pub async fn end(&self, caller: &Caller, id: &str) -> Result<SessionView, Error> {
        let inner = Arc::clone(&self.inner);
        let row = inner.find(caller, id, Use::Manage).await?;
        let live = match inner.live_of(&row) {
            Ok(live) => live,
            Err(Error::Ended { .. }) => return Ok(inner.view(&row)),
            Err(error) => return Err(error),
        };
        let reason = format!("{} ended it", caller.name());
        let caller = caller.clone();
        let going = self.inner.tasks.spawn(async move {
            inner.end(&live, Some(&caller), &reason).await?;
            Ok(inner.view(&live.row()))
        });
        going.await.unwrap_or(Err(Error::Closing))
    }

    /// Ends all of a caller's sessions that are here; says how many, and which are not here.
    ///
    /// # Errors
    /// The first that stood in the way; the others have ended all the same.
    pub async fn end_all(&self, caller: &Caller) -> Result<EndedAll, Error> {
        let inner = &self.inner;
        let owner = Owner::of(caller);
        let ask = owner::own_sessions(&owner, caller);
        let ask = ask.ask(None, false);
        let rows = inner.parts.database.gateway_sessions(&ask).await?;
        let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
        let endings = ids.iter().map(|id| self.end(caller, id));
        let endings = futures_util::future::join_all(endings).await;
        let mut all = EndedAll::default();
        let mut failed = None;
        for (session, done) in ids.iter().zip(endings) {
            match done {
                Ok(_) => all.ended += 1,
                Err(Error::Elsewhere { server }) => all.elsewhere.push(Elsewhere {
                    session: session.clone(),
                    server,
                }),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(all), Err)
    }
}

impl Inner {
    pub(crate) async fn end(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        reason: &str,
    ) -> Result<(), Error> {
        live.ending().cancel();
        let _turn = live.turn.lock().await;
        self.end_with_turn(live, caller, reason).await
    }

    pub(crate) async fn end_with_turn(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        reason: &str,
    ) -> Result<(), Error> {
        live.ending().cancel();
        let ending = async {
            self.be_sure(live).await?;
            self.end_surely(live, caller, reason).await
        };
        let done = ending.await;
        if done.is_err() {
            live.not_ending(&self.closing);
        }
        done
    }

    async fn end_surely(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        reason: &str,
    ) -> Result<(), Error> {
        let row = live.row();
        if State::read(&row.state).is_over() {
            return Ok(());
        }
        let note = Note {
            reason: Some(reason),
            ..Note::of(caller, &row)
        };
        self.record("sandbox.ended", &note)?;
        // Before its machine goes, so that whoever is attached hears why.
        live.over().cancel();
        let provider = self.provider(Some(&row.provider));
        if let (Ok(provider), State::Running | State::Paused | State::Starting) =
            (provider, State::read(&row.state))
        {
            // What it does not end now, a sweep does: no living session will be of it.
            self.take_back(&Arc::clone(provider), &row.id).await;
        }
        let step = Step {
            kind: "ended",
            caller,
            recorded: true,
            ..Step::default()
        };
        let now_ms = self.now_ms();
        let done = self.step(live, step, |row| {
            state(row, State::Stopped, Some(reason.to_owned()));
            row.ended_ms = Some(now_ms);
        });
        if let Err(error) = done.await {
            let why = error.to_string();
            let note = Note {
                reason: Some(&why),
                ..Note::of(caller, &row)
            };
            self.record("sandbox.end_failed", &note)?;
            return Err(error);
        }
        self.after_the_end(live).await;
        Ok(())
    }

    /// What went with a session.
    pub(crate) async fn after_the_end(&self, live: &Arc<Live>) {
        live.ending().cancel();
        live.over().cancel();
        live.set_agent(None);
        let id = live.row().id;
        self.tickets.forget(&id);
        self.holders.forget(&id);
        if let Err(error) = self.parts.database.remove_tickets(&id).await {
            // They open nothing: their session is over.
            tracing::warn!(target: "sandbox", session = id, %error, "tickets were not removed");
        }
    }

    /// Which machines a provider may have: those of living sessions.
    pub(crate) fn wanted_at(&self, provider: &str) -> Vec<SandboxId> {
        let lives = self.lives.all();
        let rows = lives.iter().map(|live| live.row());
        rows.filter(|row| row.provider == provider)
            .map(|row| SandboxId::of(&row.id))
            .collect()
    }
}
