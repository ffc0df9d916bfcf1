//! Looking after sessions: what is due is done, a look at a time.

use std::sync::Arc;

use futures_util::StreamExt as _;
use wharf_sandbox::provider::Capability;
use wharf_sandbox::{Health, SandboxId};
use wharf_store::db::GatewaySessionRow;

use crate::Error;
use crate::Offer;
use crate::billing::GateError;
use crate::gateway::{Gateway, Inner};
use crate::limits::{AT_ONCE, CHARGED_EVERY, PAUSES_TRIED, USED_EVERY, WARNING, ms};
use crate::live::Live;
use crate::state::State;
use crate::steps::Step;
use crate::up::{GONE, state};

/// How the reason begins why a machine stops that nobody pays for.
const NO_CREDIT: &str = "there is no credit any more";

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

    /// Ends at the providers what no living session is of, removes the snapshots that no configuration
    /// has, and forgets what ended long ago.
    pub async fn sweep(&self) {
        let inner = &self.inner;
        for offer in &inner.parts.offers {
            let Offer::Ready(provider) = offer else {
                continue;
            };
            inner.end_strays(provider).await;
            inner.forget_strays(provider).await;
            let sweeping = provider.sweep(inner.now());
            match tokio::time::timeout(inner.options.bring_up.keep, sweeping).await {
                Ok(Ok(swept)) if swept.stuck.is_empty() => {}
                Ok(Ok(swept)) => {
                    let stuck = swept.stuck.join("; ");
                    tracing::warn!(target: "sandbox", stuck, "something of sandboxes is left");
                }
                Ok(Err(error)) => {
                    tracing::warn!(target: "sandbox", %error, "sandboxes were not swept");
                }
                Err(_) => {
                    tracing::warn!(target: "sandbox", "sandboxes were not swept in time");
                }
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
        if live.is_doubted() {
            let _turn = self.turn(live).await?;
        }
        let now_ms = self.now_ms();
        let row = live.row();
        match State::read(&row.state) {
            State::Stopped | State::Failed => return Ok(()),
            _ if now_ms >= row.expires_ms => return self.end_in_time(live).await,
            State::Pending => {}
            State::Starting => return self.look_at_start(live).await,
            State::Running | State::Paused => self.look_at_machine(live, &row).await?,
        }
        // Whoever has its turn may wait for a provider; there is another look soon.
        let Ok(_turn) = live.turn.try_lock() else {
            return Ok(());
        };
        let row = live.row();
        let state = State::read(&row.state);
        let left_ms = row.expires_ms.saturating_sub(now_ms);
        if !row.warned && left_ms <= ms(WARNING) && !state.is_over() {
            let words = format!("it ends in {} s unless it is extended", left_ms / 1_000);
            let step = Step {
                kind: "warning",
                words: Some(&words),
                ..Step::default()
            };
            self.step(live, step, |row| row.warned = true).await?;
        }
        if state != State::Running {
            return Ok(());
        }
        self.charge(live).await?;
        self.rest(live).await
    }

    /// Ends what has outlived its time. What is in a machine that ends for want of credit is kept
    /// before that, where it can be: nobody has chosen that moment.
    async fn end_in_time(&self, live: &Arc<Live>) -> Result<(), Error> {
        let now_ms = self.now_ms();
        let Ok(_turn) = live.turn.try_lock() else {
            return Ok(());
        };
        let row = live.row();
        // Somebody may have extended it a moment ago.
        if now_ms < row.expires_ms || !live.ends.is_due(now_ms) {
            return Ok(());
        }
        let mut reason = "its time was over";
        if is_broke(&row) {
            reason = row.reason.as_deref().unwrap_or(reason);
            if self.can(&row, Capability::Snapshot)
                && let Err(error) = self.keep(live, None).await
            {
                tracing::warn!(target: "sandbox", session = row.id, %error,
                    "not kept before its end");
            }
        }
        let done = self.end_with_turn(live, None, reason).await;
        live.ends.note(now_ms, done.is_ok());
        done
    }

    /// Looks for what was to start when an earlier process ended, and writes down what failed and
    /// could not be written down at the time. What somebody is waiting for has its turn held.
    async fn look_at_start(&self, live: &Arc<Live>) -> Result<(), Error> {
        let Ok(_turn) = live.turn.try_lock() else {
            return Ok(());
        };
        let row = live.row();
        if State::read(&row.state) != State::Starting {
            return Ok(());
        }
        if let Some(reason) = live.unwritten() {
            if let Ok(provider) = self.provider(Some(&row.provider)) {
                self.take_back(&Arc::clone(provider), &row.id).await;
            }
            return self.failed(live, None, reason).await;
        }
        if live.is_lost() {
            return self.take_up(live).await;
        }
        Ok(())
    }

    /// Asks a provider how a machine is that is to run, or to be held still.
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
        let Ok(_turn) = live.turn.try_lock() else {
            return Ok(());
        };
        // What was said is of the session as it was.
        if live.row().version != row.version {
            return Ok(());
        }
        let was_to_run = State::read(&row.state) == State::Running;
        match found {
            // Nobody has asked since an earlier process wrote it down: more than this is to be said.
            Ok(_) if was_to_run && live.is_lost() => self.take_up(live).await,
            Err(missed) if missed.is_gone() && live.is_lost() => self.take_up(live).await,
            Ok((Health::Running, idle)) if was_to_run => {
                if let Some(idle) = idle {
                    live.touch(self.now_ms().saturating_sub(ms(idle)));
                }
                Ok(())
            }
            // It went on after all, where that could not be found out; it is charged from now on.
            Ok((Health::Running, _)) => self.take_up(live).await,
            Ok((Health::Paused | Health::Stopped, _)) if was_to_run => {
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
            Err(missed) if missed.is_gone() => self.ended_by_itself(live, GONE, None).await,
            Ok(_) | Err(_) => Ok(()),
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
                let reason = format!("{NO_CREDIT}: {refusal}");
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
        let (row, now_ms) = (live.row(), self.now_ms());
        let active_ms = row.active_ms.max(live.active_ms());
        let rests = State::read(&row.state) == State::Running
            && now_ms.saturating_sub(active_ms) >= ms(idle)
            && self.can(&row, Capability::Pause);
        if !rests || !live.pauses.is_due(now_ms) {
            return Ok(());
        }
        let reason = format!("nobody used it for {} s", idle.as_secs());
        let done = self.pause(live, None, &reason).await;
        live.pauses.note(now_ms, done.is_ok());
        done
    }

    /// Pauses a machine. Where its provider cannot, or does not after several tries, it ends a little
    /// later, with the reason told at once, so that whoever works in it can bring the work home.
    async fn stop_using(&self, live: &Arc<Live>, reason: &str) -> Result<(), Error> {
        let now_ms = self.now_ms();
        if self.can(&live.row(), Capability::Pause) {
            let mut done = Ok(());
            if live.pauses.is_due(now_ms) {
                done = self.pause(live, None, reason).await;
                live.pauses.note(now_ms, done.is_ok());
            }
            if live.pauses.failures() < PAUSES_TRIED {
                return done;
            }
        }
        let row = live.row();
        if is_broke(&row) {
            return Ok(());
        }
        let expires_ms = row.expires_ms.min(now_ms.saturating_add(ms(WARNING)));
        let left = expires_ms.saturating_sub(now_ms) / 1_000;
        let words =
            format!("{reason}; it ends in {left} s unless there is some and it is extended");
        let step = Step {
            kind: "warning",
            words: Some(&words),
            ..Step::default()
        };
        self.step(live, step, |row| {
            row.reason = Some(reason.to_owned());
            row.expires_ms = expires_ms;
            row.warned = true;
        })
        .await
        .map(drop)
    }

    fn can(&self, row: &GatewaySessionRow, what: Capability) -> bool {
        let provider = self.provider(Some(&row.provider));
        provider.is_ok_and(|provider| provider.capabilities().has(what))
    }
}

/// Whether a session runs that is to end for want of credit, which its reason says then.
fn is_broke(row: &GatewaySessionRow) -> bool {
    let reason = row.reason.as_deref();
    State::read(&row.state) == State::Running && reason.is_some_and(|it| it.starts_with(NO_CREDIT))
}
