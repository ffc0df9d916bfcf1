//! Holding a session's machine still, and living longer.

use std::sync::Arc;
use std::time::Duration;

use wharf_model::Caller;
use wharf_sandbox::SandboxId;
use wharf_sandbox::provider::Capability;
use wharf_store::db::GatewaySessionRow;

use crate::Error;
use crate::billing::GateError;
use crate::gateway::{Gateway, Inner};
use crate::limits::LIFETIME_MIN;
use crate::live::Live;
use crate::owner::Use;
use crate::record::Note;
use crate::state::State;
use crate::steps::Step;
use crate::up::{Missed, ended, provider_end, state};
use crate::views::SessionView;

/// How the reason ends why a machine rests that a person holds still.
const BY_A_PERSON: &str = " paused it";

/// Whether a person holds a session's machine still, and not the time for which nobody used it. It
/// is a person, too, who lets it go on: a client that is attached comes again by itself, and would
/// wake it at once.
pub(crate) fn is_held(row: &GatewaySessionRow) -> bool {
    let reason = row.reason.as_deref();
    State::read(&row.state) == State::Paused && reason.is_some_and(|it| it.ends_with(BY_A_PERSON))
}

impl Gateway {
    /// Holds a session's machine still, until somebody connects to it or resumes it. One that is
    /// held still stays so.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Unsupported`]; [`Error::Conflict`] where it
    /// does not run; [`Error::Failed`].
    pub async fn pause(&self, caller: &Caller, id: &str) -> Result<SessionView, Error> {
        let inner = Arc::clone(&self.inner);
        let live = inner.living(caller, id, Use::Manage).await?;
        let caller = caller.clone();
        let going = self.inner.tasks.spawn(async move {
            let _turn = inner.turn(&live).await?;
            let reason = format!("{}{BY_A_PERSON}", caller.name());
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
    /// earlier for it. One that runs needs credit for it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Invalid`] for less than the shortest time;
    /// [`Error::Billing`].
    pub async fn extend(
        &self,
        caller: &Caller,
        id: &str,
        span: Duration,
    ) -> Result<SessionView, Error> {
        let inner = Arc::clone(&self.inner);
        let live = inner.living(caller, id, Use::Manage).await?;
        if span < LIFETIME_MIN {
            let least = LIFETIME_MIN.as_secs();
            return Err(Error::invalid(
                "seconds",
                format!("must be at least {least}"),
            ));
        }
        let caller = caller.clone();
        let going = self.inner.tasks.spawn(async move {
            let row = inner.extend(&live, &caller, span).await?;
            Ok(inner.view(&row))
        });
        going.await.unwrap_or(Err(Error::Closing))
    }
}

impl Inner {
    async fn extend(
        &self,
        live: &Arc<Live>,
        caller: &Caller,
        span: Duration,
    ) -> Result<GatewaySessionRow, Error> {
        let _turn = self.turn(live).await?;
        let row = live.row();
        let before = State::read(&row.state);
        if before.is_over() {
            return Err(ended(&row));
        }
        if before == State::Running
            && let Err(GateError::Refused(refusal)) = self.parts.gate.admit(&row.account).await
        {
            return Err(Error::Billing(refusal));
        }
        let expires_ms = self.until(Some(span)).max(row.expires_ms);
        let step = Step {
            kind: "extended",
            caller: Some(caller),
            ..Step::default()
        };
        let row = self
            .step(live, step, |row| {
                row.expires_ms = expires_ms;
                row.warned = false;
                if before == State::Running {
                    // It was to end for want of credit, and there is some.
                    row.reason = None;
                }
            })
            .await?;
        let id = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok());
        if let (Some(id), Ok(provider)) = (id, self.provider(Some(&row.provider))) {
            let until = Some(provider_end(row.expires_ms));
            let limit = self.options.bring_up.ask;
            let asked = self.within(live, limit, provider.extend(&id, until));
            if let Err(missed) = asked.await {
                // The provider's own end lies an hour behind ours, and the session is ended by this
                // server; what is lost is the time that it may be away.
                let reason = missed_words(&missed);
                tracing::warn!(target: "sandbox", session = row.id, reason, "not extended there");
            }
        }
        Ok(row)
    }

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
            State::Paused if caller.is_none() || is_held(&row) => return Ok(()),
            State::Paused => {
                let step = Step {
                    kind: "paused",
                    caller,
                    ..Step::default()
                };
                let reason = reason.to_owned();
                let done = self.step(live, step, |row| state(row, State::Paused, Some(reason)));
                return done.await.map(drop);
            }
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
        if let Err(missed) = asked.await {
            let reason = missed_words(&missed);
            let note = Note {
                reason: Some(&reason),
                ..Note::of(caller, &row)
            };
            self.record("sandbox.pause_failed", &note)?;
            return Err(Error::Failed { reason });
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
