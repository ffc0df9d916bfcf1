//! The first look after a start: what the database says against what the providers have.
//!
//! A machine outlives the server. One of a living session is taken up again; one that was being
//! made is taken up if it is there, and its session has failed if it is not; what is of no living
//! session is ended. Where a provider cannot say, nothing is written, and it is asked again at each
//! look: a session that is said to rest while its machine runs would run for nothing.

use std::sync::Arc;

use futures_util::StreamExt as _;
use wharf_sandbox::{Health, Provider, SandboxId};

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::limits::AT_ONCE;
use crate::live::Live;
use crate::machine::Machine;
use crate::rest::missed_words;
use crate::state::State;
use crate::steps::{Step, last_seen};
use crate::up::{GONE, NO_ADDRESS, state};

impl Gateway {
    /// Takes up the sessions of an earlier process of this server, and ends what it left.
    pub async fn recover(&self) {
        let inner = &self.inner;
        let lives = futures_util::stream::iter(inner.lives.all());
        lives
            .for_each_concurrent(AT_ONCE, |live| async move {
                if let Err(error) = inner.recover(&live).await {
                    let session = live.row().id;
                    tracing::warn!(target: "sandbox", session, %error, "not taken up again");
                }
            })
            .await;
        self.sweep().await;
    }
}

impl Inner {
    /// Reads which sessions live, and gives back keys of requests that nobody answers any more
    /// and of which there is no session. Of the others their sessions answer.
    pub(crate) async fn read_living(&self) -> Result<(), Error> {
        let database = &self.parts.database;
        database.release_open_gateway_keys().await?;
        for row in database.living_gateway_sessions().await? {
            let number = database.last_gateway_event(&row.id).await?;
            let id = row.id.clone();
            let live = Live::new(row, number, &self.closing);
            live.set_lost(true);
            self.lives.put(id, Arc::new(live));
        }
        Ok(())
    }

    async fn recover(&self, live: &Arc<Live>) -> Result<(), Error> {
        let _turn = self.turn(live).await?;
        match live.state() {
            State::Starting | State::Running => self.take_up(live).await,
            _ => Ok(()),
        }
    }

    /// Finds out how a machine is of which only the provider knows, and writes it down. With the
    /// session's turn.
    pub(crate) async fn take_up(&self, live: &Arc<Live>) -> Result<(), Error> {
        let row = live.row();
        let provider = match self.provider(Some(&row.provider)) {
            Ok(provider) => Arc::clone(provider),
            Err(error) => {
                let reason = format!("its provider is not there: {error}");
                if row.sandbox.is_none() {
                    return self.failed(live, None, reason).await;
                }
                // It may be there again at the next start, and so may what is in the machine.
                return self.leave_paused(live, reason).await;
            }
        };
        let id = SandboxId::of(&row.id);
        let limit = self.options.bring_up.make;
        let finding = async {
            let health = provider.health(&id).await?;
            // One that is held still goes on when it is used.
            let there = match health {
                Health::Paused => None,
                Health::Running | Health::Stopped => Some(provider.connect(&id).await?),
            };
            Ok((health, there))
        };
        let found = self.within(live, limit, finding).await;
        let seen_ms = last_seen(&row);
        match found {
            Ok((health, Some(sandbox))) => match Machine::of(&sandbox) {
                Some(machine) => {
                    let seen_ms = (health != Health::Running).then_some(seen_ms);
                    self.taken_up(live, &machine, seen_ms).await
                }
                None => Err(Error::Failed {
                    reason: NO_ADDRESS.to_owned(),
                }),
            },
            Ok((_, None)) => {
                self.leave_paused(live, "it was held still".to_owned())
                    .await
            }
            Err(missed) if missed.is_gone() && row.sandbox.is_none() => {
                let reason = "the server stopped while it was being made";
                self.failed(live, None, reason.to_owned()).await
            }
            Err(missed) if missed.is_gone() => {
                self.ended_by_itself(live, GONE, Some(seen_ms)).await
            }
            Err(missed) => Err(Error::Failed {
                reason: missed_words(&missed),
            }),
        }
    }

    async fn taken_up(
        &self,
        live: &Arc<Live>,
        machine: &Machine,
        seen_ms: Option<i64>,
    ) -> Result<(), Error> {
        let row = live.row();
        let same = Machine::of_row(&row).as_ref() == Some(machine);
        if same && seen_ms.is_none() && State::read(&row.state) == State::Running {
            live.set_lost(false);
            return Ok(());
        }
        self.is_up(live, None, machine, seen_ms, |_| {}).await
    }

    /// What is in it is not lost: it goes on, where it can, when it is used.
    async fn leave_paused(&self, live: &Arc<Live>, reason: String) -> Result<(), Error> {
        let step = Step {
            kind: "paused",
            seen_ms: Some(last_seen(&live.row())),
            ..Step::default()
        };
        self.step(live, step, |row| state(row, State::Paused, Some(reason)))
            .await
            .map(drop)
    }

    /// Ends what a provider has that no living session is of.
    pub(crate) async fn end_strays(&self, provider: &Arc<dyn Provider>) {
        let listing = tokio::time::timeout(self.options.bring_up.keep, provider.list());
        let there = match listing.await {
            Ok(Ok(there)) => there,
            Ok(Err(error)) => {
                tracing::warn!(target: "sandbox", %error, "sandboxes cannot be listed");
                return;
            }
            Err(_) => {
                tracing::warn!(target: "sandbox", "sandboxes were not listed in time");
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
