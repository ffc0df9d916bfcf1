//! One step of a session: recorded, written with its event, told.
//!
//! An answer of the database can get lost while what was asked is done. Whoever is refused a step
//! reads again what is written, so that one lost answer costs one step and not all that follow.

use std::sync::Arc;

use tokio::sync::MutexGuard;
use wharf_model::Caller;
use wharf_store::db::{Begun, GatewayEventRow, GatewaySessionRow};

use crate::Error;
use crate::billing::Refusal;
use crate::gateway::Inner;
use crate::live::Live;
use crate::record::Note;
use crate::state::State;
use crate::views::uncharged;

/// What a step is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Step<'a> {
    /// What the event is called, and behind `sandbox.` the entry.
    pub(crate) kind: &'static str,
    /// Who asks; the server where nobody does.
    pub(crate) caller: Option<&'a Caller>,
    /// How many machines of the account may run, where this one comes to run by it.
    pub(crate) most: Option<u32>,
    /// It was recorded before.
    pub(crate) recorded: bool,
    /// What the event and the entry say, where that is not the reason why the session is as it is.
    pub(crate) words: Option<&'a str>,
    /// When its machine was last known to run, where that is not now: it is charged until then.
    pub(crate) seen_ms: Option<i64>,
}

impl Inner {
    /// A session's turn, with what is written of it known.
    pub(crate) async fn turn<'a>(&self, live: &'a Arc<Live>) -> Result<MutexGuard<'a, ()>, Error> {
        let turn = live.turn.lock().await;
        self.be_sure(live).await?;
        Ok(turn)
    }

    /// Reads a session again of which it is not known what was written last. With its turn.
    pub(crate) async fn be_sure(&self, live: &Arc<Live>) -> Result<(), Error> {
        if !live.is_doubted() {
            return Ok(());
        }
        let id = live.row().id;
        let database = &self.parts.database;
        let Some(row) = database.gateway_session(&id).await? else {
            // It was never written.
            self.lives.remove(&id);
            return Err(Error::NotFound("session"));
        };
        let number = database.last_gateway_event(&id).await?;
        let is_over = State::read(&row.state).is_over();
        live.read(row, number);
        if is_over {
            self.lives.remove(&id);
            self.after_the_end(live).await;
        }
        Ok(())
    }

    /// Takes a step, with the session's turn. `change` says what is different afterwards.
    pub(crate) async fn step(
        &self,
        live: &Arc<Live>,
        step: Step<'_>,
        change: impl FnOnce(&mut GatewaySessionRow),
    ) -> Result<GatewaySessionRow, Error> {
        let mut row = live.row();
        let charge_ms = self.account_for(&mut row, live, step.seen_ms);
        change(&mut row);
        if State::read(&row.state) != State::Running {
            row.running_ms = None;
            // A machine that goes on may have lost its agent.
            live.set_agent(None);
        }
        if !step.recorded {
            let kind = format!("sandbox.{}", step.kind);
            let note = Note::of(step.caller, &row);
            let reason = step.words.or(note.reason);
            self.record(&kind, &Note { reason, ..note })?;
        }
        let mut event = self.event(&row, step.kind, *live.number.borrow() + 1);
        if let Some(words) = step.words {
            event.reason = Some(words.to_owned());
        }
        self.write(live, row, Some(&event), step.most, charge_ms)
            .await
    }

    /// Writes down what a session has used until now, without an event.
    pub(crate) async fn note_use(&self, live: &Arc<Live>) -> Result<(), Error> {
        let mut row = live.row();
        let charge_ms = self.account_for(&mut row, live, None);
        self.write(live, row, None, None, charge_ms).await.map(drop)
    }

    /// Moves the time that its machine ran since it was last charged to what it has used.
    fn account_for(&self, row: &mut GatewaySessionRow, live: &Live, seen_ms: Option<i64>) -> i64 {
        row.active_ms = row.active_ms.max(live.active_ms());
        if row.running_ms.is_none() {
            return 0;
        }
        let now_ms = self.now_ms();
        let charge_ms = uncharged(row, seen_ms.unwrap_or(now_ms));
        row.used_ms = row.used_ms.saturating_add(charge_ms);
        row.running_ms = Some(now_ms);
        charge_ms
    }

    async fn write(
        &self,
        live: &Arc<Live>,
        mut row: GatewaySessionRow,
        event: Option<&GatewayEventRow>,
        most: Option<u32>,
        charge_ms: i64,
    ) -> Result<GatewaySessionRow, Error> {
        row.version += 1;
        let database = &self.parts.database;
        let written = database.update_gateway_session(&row, event, most, charge_ms);
        let error = match written.await {
            Ok(Begun::Done) => {
                live.set(row.clone());
                if let Some(event) = event {
                    live.number.send_replace(event.number);
                }
                if State::read(&row.state).is_over() {
                    self.lives.remove(&row.id);
                }
                return Ok(row);
            }
            Ok(Begun::Full) => return Err(Error::Billing(Refusal::concurrent(most.unwrap_or(0)))),
            Ok(Begun::Waiting | Begun::Crowded) => {
                return Err(Error::Crowded(self.options.max));
            }
            Ok(Begun::Changed) => None,
            Err(error) => Some(error),
        };
        // Whoever has the next turn reads it again, where that cannot be done now.
        live.doubt();
        let is_sure = self.be_sure(live).await.is_ok();
        match error {
            Some(_) if is_sure && is_written(&row, &live.row()) => Ok(row),
            Some(error) => Err(error.into()),
            None => Err(Error::Conflict(
                "the session was changed by another server; ask again",
            )),
        }
    }

    pub(crate) fn event(
        &self,
        row: &GatewaySessionRow,
        kind: &str,
        number: i64,
    ) -> GatewayEventRow {
        GatewayEventRow {
            session: row.id.clone(),
            number,
            kind: kind.to_owned(),
            at_ms: self.now_ms(),
            state: row.state.clone(),
            reason: row.reason.clone(),
            expires_ms: row.expires_ms,
        }
    }
}

/// Whether a step was taken after all.
fn is_written(step: &GatewaySessionRow, written: &GatewaySessionRow) -> bool {
    let step = GatewaySessionRow {
        // The database says whose it is.
        server: written.server.clone(),
        ..step.clone()
    };
    step == *written
}

/// When a machine was last known to run, by what is written.
pub(crate) fn last_seen(row: &GatewaySessionRow) -> i64 {
    row.active_ms.max(row.running_ms.unwrap_or_default())
}
