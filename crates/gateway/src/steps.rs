//! One step of a session: recorded, written with its event, told.

use std::sync::Arc;

use wharf_model::Caller;
use wharf_store::db::{Begun, GatewayEventRow, GatewaySessionRow};

use crate::Error;
use crate::billing::Refusal;
use crate::gateway::Inner;
use crate::live::Live;
use crate::record::Note;
use crate::state::State;

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
}

impl Inner {
    /// Takes a step, with the session's turn. `change` says what is different afterwards.
    pub(crate) async fn step(
        &self,
        live: &Arc<Live>,
        step: Step<'_>,
        change: impl FnOnce(&mut GatewaySessionRow),
    ) -> Result<GatewaySessionRow, Error> {
        let mut row = live.row();
        let charge_ms = self.account_for(&mut row, live);
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
        let number = event.number;
        self.write(live, row, Some(&event), step.most, charge_ms)
            .await
            .inspect(|_| {
                live.number.send_replace(number);
            })
    }

    /// Writes down what a session has used until now, without an event.
    pub(crate) async fn note_use(&self, live: &Arc<Live>) -> Result<(), Error> {
        let mut row = live.row();
        let charge_ms = self.account_for(&mut row, live);
        self.write(live, row, None, None, charge_ms).await.map(drop)
    }

    /// Moves the time that its machine ran since it was last charged to what it has used.
    fn account_for(&self, row: &mut GatewaySessionRow, live: &Live) -> i64 {
        row.active_ms = row.active_ms.max(live.active_ms());
        let now_ms = self.now_ms();
        let Some(since_ms) = row.running_ms else {
            return 0;
        };
        // A clock that went back charges nothing.
        let charge_ms = now_ms.saturating_sub(since_ms).max(0);
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
        match written.await? {
            Begun::Done => {}
            Begun::Full => return Err(Error::Billing(Refusal::concurrent(most.unwrap_or(0)))),
            Begun::Crowded => return Err(Error::Crowded(self.options.max)),
            Begun::Changed => {
                return Err(Error::Conflict("the session was changed by another server"));
            }
        }
        live.set(row.clone());
        if State::read(&row.state).is_over() {
            self.lives.remove(&row.id);
        }
        Ok(row)
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
