//! Holding a session's machine still, and living longer.

use std::sync::Arc;
use std::time::Duration;

use wharf_model::Caller;
use wharf_sandbox::SandboxId;
use wharf_sandbox::provider::Capability;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::limits::LIFETIME_MIN;
use crate::live::Live;
use crate::owner::Use;
use crate::record::Note;
use crate::state::State;
use crate::steps::Step;
use crate::up::{Missed, ended, provider_end, state};
use crate::views::SessionView;

impl Gateway {
    /// Holds a session's machine still. One that is held still stays so.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Unsupported`]; [`Error::Conflict`] where it
    /// does not run; [`Error::Failed`].
    pub async fn pause(&self, caller: &Caller, id: &str) -> Result<SessionView, Error> {
        let inner = Arc::clone(&self.inner);
        let live = inner.living(caller, id, Use::Manage).await?;
        let caller = caller.clone();
        let going = self.inner.tasks.spawn(async move {
            let _turn = live.turn.lock().await;
            let reason = format!("{} paused it", caller.name());
            inner.pause(&live, Some(&caller), &reason).await?;
            Ok(inner.view(&live.row()))
        });
        going.await.unwrap_or(Err(Error::Closing))
    }

    /// Lets a session's machine go on.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn resume(&self, caller: &Caller, id: &str) -> Result<SessionView, Error> {
        let live = self.inner.living(caller, id, Use::Enter).await?;
        let row = self.inner.up(live, Some(caller.clone())).await?;
        Ok(self.inner.view(&row))
    }

    /// Lets a session live for so long from now on, as far as the options allow. It never ends
    /// earlier for it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Invalid`] for less than the shortest time.
    pub async fn extend(
        &self,
        caller: &Caller,
        id: &str,
        span: Duration,
    ) -> Result<SessionView, Error> {
        let inner = &self.inner;
        let live = inner.living(caller, id, Use::Manage).await?;
        if span < LIFETIME_MIN {
            let least = LIFETIME_MIN.as_secs();
            return Err(Error::invalid(
                "seconds",
                format!("must be at least {least}"),
            ));
        }
        let _turn = live.turn.lock().await;
        let row = live.row();
        if State::read(&row.state).is_over() {
            return Err(ended(&row));
        }
        let expires_ms = inner.until(Some(span)).max(row.expires_ms);
        let step = Step {
            kind: "extended",
            caller: Some(caller),
            ..Step::default()
        };
        let row = inner
            .step(&live, step, |row| {
                row.expires_ms = expires_ms;
                row.warned = false;
            })
            .await?;
        if let Some(id) = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok())
        {
            let provider = Arc::clone(inner.provider(Some(&row.provider))?);
            let until = Some(provider_end(row.expires_ms));
            let asked = inner.within(
                &live,
                inner.options.bring_up.ask,
                provider.extend(&id, until),
            );
            if let Err(missed) = asked.await {
                // The provider's own end lies an hour behind ours, and the session is ended by this
                // server; what is lost is the time that it may be away.
                let reason = missed_words(&missed);
                tracing::warn!(target: "sandbox", session = row.id, reason, "not extended there");
            }
        }
        Ok(inner.view(&row))
    }
}

impl Inner {
    /// Holds a machine still, with the session's turn.
    pub(crate) async fn pause(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        reason: &str,
    ) -> Result<(), Error> {
        let row = live.row();
        match State::read(&row.state) {
            State::Stopped | State::Failed => return Err(ended(&row)),
            State::Paused => return Ok(()),
            State::Pending | State::Starting => {
                return Err(Error::Conflict("the session does not run yet"));
            }
            State::Running => {}
        }
        let provider = Arc::clone(self.provider(Some(&row.provider))?);
        if !provider.capabilities().has(Capability::Pause) {
            return Err(Error::Unsupported("pause it"));
        }
        let id = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok());
        let id = id.ok_or(Error::Conflict("the session has no sandbox"))?;
        let note = Note {
            reason: Some(reason),
            ..Note::of(caller, &row)
        };
        self.record("sandbox.paused", &note)?;
        let asked = self.within(live, self.options.bring_up.ask, provider.pause(&id));
        match asked.await {
            Ok(()) => {}
            Err(missed) => {
                let reason = missed_words(&missed);
                return Err(Error::Failed { reason });
            }
        }
        let step = Step {
            kind: "paused",
            caller,
            recorded: true,
            ..Step::default()
        };
        let reason = reason.to_owned();
        self.step(live, step, |row| state(row, State::Paused, Some(reason)))
            .await
            .map(drop)
    }
}

pub(crate) fn missed_words(missed: &Missed) -> String {
    match missed {
        Missed::Refused(error) => error.to_string(),
        Missed::Late(limit) => format!("the provider took longer than {} s", limit.as_secs()),
        Missed::GivenUp => "the session is ending".to_owned(),
    }
}
