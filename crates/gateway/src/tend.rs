//! Looking after sessions: what is due is done, a look at a time.

use std::sync::Arc;

use futures_util::StreamExt as _;
use wharf_sandbox::provider::Capability;
use wharf_sandbox::{Error as ProviderError, Health, SandboxId};
use wharf_store::db::GatewaySessionRow;

use crate::Error;
use crate::Offer;
use crate::billing::GateError;
use crate::gateway::{Gateway, Inner};
use crate::limits::{AT_ONCE, CHARGED_EVERY, USED_EVERY, WARNING, ms};
use crate::live::Live;
use crate::state::State;
use crate::steps::Step;
use crate::up::{GONE, Missed, state};

impl Gateway {
    /// One look at all living sessions: what has outlived its time ends, what ends soon says so,
    /// what nobody uses is paused, what runs is charged, and what is gone is told.
    pub async fn tend(&self) {
        let inner = &self.inner;
        let lives = futures_util::stream::iter(inner.lives.all());
        lives
            .for_each_concurrent(AT_ONCE, |live| async move {
                // Somebody is at it: there is another look soon.
                if live.turn.try_lock().is_err() {
                    return;
                }
                if let Err(error) = inner.look_after(&live).await {
                    let session = live.row().id;
                    tracing::warn!(target: "sandbox", session, %error, "not looked after");
                }
            })
            .await;
    }

    /// Ends at the providers what no living session is of, and forgets what ended long ago.
    pub async fn sweep(&self) {
        let inner = &self.inner;
        for offer in &inner.parts.offers {
            let Offer::Ready(provider) = offer else {
                continue;
            };
            inner.end_strays(provider).await;
            match provider.sweep(inner.now()).await {
                Ok(swept) if swept.stuck.is_empty() => {}
                Ok(swept) => {
                    let stuck = swept.stuck.join("; ");
                    tracing::warn!(target: "sandbox", stuck, "something of sandboxes is left");
                }
                Err(error) => tracing::warn!(target: "sandbox", %error, "sandboxes were not swept"),
            }
        }
        loop {
            match inner.parts.database.sweep_gateway(inner.now_ms()).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(target: "sandbox", %error, "sessions were not swept");
                    return;
                }
            }
        }
    }
}

impl Inner {
    async fn look_after(&self, live: &Arc<Live>) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let row = live.row();
        if now_ms >= row.expires_ms {
            return self.end(live, None, "its time was over").await;
        }
        if State::read(&row.state) == State::Running {
            self.look_at_machine(live, &row).await?;
        }
        let row = live.row();
        let _turn = live.turn.lock().await;
        let left_ms = row.expires_ms.saturating_sub(now_ms);
        if !row.warned && left_ms <= ms(WARNING) && !State::read(&row.state).is_over() {
            let words = format!("it ends in {} s unless it is extended", left_ms / 1_000);
            let step = Step {
                kind: "warning",
                words: Some(&words),
                ..Step::default()
            };
            self.step(live, step, |row| row.warned = true).await?;
        }
        if State::read(&live.row().state) != State::Running {
            return Ok(());
        }
        self.charge(live).await?;
        self.rest(live).await
    }

    /// Asks a provider how a machine is that is to run.
    async fn look_at_machine(
        &self,
        live: &Arc<Live>,
        row: &GatewaySessionRow,
    ) -> Result<(), Error> {
        let Ok(provider) = self.provider(Some(&row.provider)) else {
            return Ok(());
        };
        let id = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok());
        let Some(id) = id else {
            return Ok(());
        };
        let limit = self.options.bring_up.ask;
        let asked = async {
            let health = provider.health(&id).await?;
            Ok((health, provider.idle(&id).await))
        };
        let found = self.within(live, limit, asked).await;
        let _turn = live.turn.lock().await;
        if State::read(&live.row().state) != State::Running {
            return Ok(());
        }
        match found {
            Ok((Health::Running, idle)) => {
                if let Some(idle) = idle {
                    live.touch(self.now_ms().saturating_sub(ms(idle)));
                }
                Ok(())
            }
            Ok((Health::Paused | Health::Stopped, _)) => {
                let step = Step {
                    kind: "paused",
                    ..Step::default()
                };
                let reason = "its processes ended; it is started again when it is used";
                self.step(live, step, |row| {
                    state(row, State::Paused, Some(reason.to_owned()));
                })
                .await
                .map(drop)
            }
            Err(Missed::Refused(ProviderError::NotFound)) => self.ended_by_itself(live, GONE).await,
            Err(_) => Ok(()),
        }
    }

    /// Charges what ran, and stops what nobody pays for any more.
    async fn charge(&self, live: &Arc<Live>) -> Result<(), Error> {
        let (row, now_ms) = (live.row(), self.now_ms());
        let due = |since_ms: i64, every| now_ms.saturating_sub(since_ms) >= ms(every);
        let charged = row
            .running_ms
            .is_some_and(|since| due(since, CHARGED_EVERY));
        let used = live.active_ms().saturating_sub(row.active_ms) >= ms(USED_EVERY);
        if !charged && !used {
            return Ok(());
        }
        self.note_use(live).await?;
        match self.parts.gate.admit(&row.account).await {
            Err(GateError::Refused(refusal)) => {
                let reason = format!("there is no credit any more: {refusal}");
                self.stop_using(live, &reason).await
            }
            // Who cannot be asked takes nothing away.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Pauses what nobody uses.
    async fn rest(&self, live: &Arc<Live>) -> Result<(), Error> {
        let Some(idle) = self.options.idle else {
            return Ok(());
        };
        let row = live.row();
        if State::read(&row.state) != State::Running {
            return Ok(());
        }
        let active_ms = row.active_ms.max(live.active_ms());
        if self.now_ms().saturating_sub(active_ms) < ms(idle) || !self.pauses(&row) {
            return Ok(());
        }
        let reason = format!("nobody used it for {} s", idle.as_secs());
        self.pause(live, None, &reason).await
    }

    /// Pauses a machine, or ends it where its provider cannot.
    async fn stop_using(&self, live: &Arc<Live>, reason: &str) -> Result<(), Error> {
        if self.pauses(&live.row()) {
            return self.pause(live, None, reason).await;
        }
        self.end_with_turn(live, None, reason).await
    }

    fn pauses(&self, row: &GatewaySessionRow) -> bool {
        let provider = self.provider(Some(&row.provider));
        provider.is_ok_and(|provider| provider.capabilities().has(Capability::Pause))
    }
}
