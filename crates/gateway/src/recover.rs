//! The first look after a start: what the database says against what the providers have.
//!
//! A machine outlives the server. One of a living session is taken up again; one that was being
//! made is taken up if it is there, and its session has failed if it is not; what is of no living
//! session is ended.

use std::sync::Arc;

use futures_util::StreamExt as _;
use wharf_sandbox::{Error as ProviderError, Provider, SandboxId};

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::limits::AT_ONCE;
use crate::live::Live;
use crate::machine::Machine;
use crate::rest;
use crate::state::State;
use crate::steps::Step;
use crate::up::{GONE, Missed, runs, state};

impl Gateway {
    /// Takes up the sessions of an earlier process of this server, and ends what it left.
    pub async fn recover(&self) {
        let inner = &self.inner;
        let lives = futures_util::stream::iter(inner.lives.all());
        lives
            .for_each_concurrent(AT_ONCE, |live| async move {
                if let Err(error) = inner.take_up(&live).await {
                    let session = live.row().id;
                    tracing::warn!(target: "sandbox", session, %error, "not taken up again");
                }
            })
            .await;
        self.sweep().await;
    }
}

impl Inner {
    /// Reads which sessions live, and gives back keys of requests that nobody answers any more.
    pub(crate) async fn read_living(&self) -> Result<(), Error> {
        let database = &self.parts.database;
        database.release_open_gateway_keys().await?;
        for row in database.living_gateway_sessions().await? {
            let number = database.last_gateway_event(&row.id).await?;
            let id = row.id.clone();
            let live = Live::new(row, number, &self.closing);
            self.lives.put(id, Arc::new(live));
        }
        Ok(())
    }

    async fn take_up(&self, live: &Arc<Live>) -> Result<(), Error> {
        let _turn = live.turn.lock().await;
        let row = live.row();
        let before = State::read(&row.state);
        if !matches!(before, State::Starting | State::Running) {
            return Ok(());
        }
        let provider = match self.provider(Some(&row.provider)) {
            Ok(provider) => Arc::clone(provider),
            Err(error) => {
                // It may be there again at the next start, and so may what is in the machine.
                let reason = format!("its provider is not there: {error}");
                return self.leave_paused(live, reason).await;
            }
        };
        let id = SandboxId::of(&row.id);
        let limit = self.options.bring_up.make;
        let found = self.within(live, limit, provider.connect(&id)).await;
        match found {
            Ok(sandbox) => match Machine::of(&sandbox) {
                Some(machine) => self.taken_up(live, &machine).await,
                None => {
                    let reason = "its provider says no address for it".to_owned();
                    self.leave_paused(live, reason).await
                }
            },
            Err(Missed::Refused(ProviderError::NotFound)) if before == State::Starting => {
                let reason = "the server stopped while it was being made";
                self.ended_as_failed(live, reason).await
            }
            Err(Missed::Refused(ProviderError::NotFound)) => self.ended_by_itself(live, GONE).await,
            Err(missed) => {
                let reason = format!("it did not go on: {}", rest::missed_words(&missed));
                self.leave_paused(live, reason).await
            }
        }
    }

    async fn taken_up(&self, live: &Arc<Live>, machine: &Machine) -> Result<(), Error> {
        let row = live.row();
        let same = Machine::of_row(&row).as_ref() == Some(machine);
        if same && State::read(&row.state) == State::Running {
            return Ok(());
        }
        let step = Step {
            kind: "running",
            ..Step::default()
        };
        let now_ms = self.now_ms();
        self.step(live, step, |row| runs(row, machine, now_ms))
            .await
            .map(drop)
    }

    async fn leave_paused(&self, live: &Arc<Live>, reason: String) -> Result<(), Error> {
        let step = Step {
            kind: "paused",
            ..Step::default()
        };
        self.step(live, step, |row| state(row, State::Paused, Some(reason)))
            .await
            .map(drop)
    }

    async fn ended_as_failed(&self, live: &Arc<Live>, reason: &str) -> Result<(), Error> {
        let step = Step {
            kind: "failed",
            ..Step::default()
        };
        let now_ms = self.now_ms();
        self.step(live, step, |row| {
            state(row, State::Failed, Some(reason.to_owned()));
            row.ended_ms = Some(now_ms);
        })
        .await?;
        self.after_the_end(live).await;
        Ok(())
    }

    /// Ends what a provider has that no living session is of.
    pub(crate) async fn end_strays(&self, provider: &Arc<dyn Provider>) {
        let there = match provider.list().await {
            Ok(there) => there,
            Err(error) => {
                tracing::warn!(target: "sandbox", %error, "sandboxes cannot be listed");
                return;
            }
        };
        // After the list: a session is kept before its machine is made.
        let wanted = self.wanted_at(provider.name());
        for sandbox in there.iter().filter(|it| !wanted.contains(&it.id)) {
            let ending = provider.terminate(&sandbox.id);
            match tokio::time::timeout(self.options.bring_up.end, ending).await {
                Ok(Ok(())) => {
                    tracing::info!(target: "sandbox", sandbox = %sandbox.id, "ended what nobody has");
                }
                Ok(Err(error)) => {
                    tracing::warn!(target: "sandbox", sandbox = %sandbox.id, %error,
                        "what nobody has was not ended");
                }
                Err(_) => {
                    tracing::warn!(target: "sandbox", sandbox = %sandbox.id,
                        "what nobody has was not ended in time");
                }
            }
        }
    }
}
