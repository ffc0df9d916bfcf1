//! Bringing a session's machine up: making it, waking it, or finding that it is there.
//!
//! One at a time for each session; whoever comes second finds what the first one made. What fails
//! half-way is taken back at the provider before anybody is told, and the session says why.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use wharf_model::{Caller, Secret, Timestamp};
use wharf_sandbox::{
    Error as ProviderError, Health, Provider, SandboxId, SnapshotId, Source, Spec,
};
use wharf_store::db::GatewaySessionRow;

use crate::Error;
use crate::gateway::{Gateway, Inner};
use crate::limits::{KEYS_MAX, PROVIDER_GRACE, ms};
use crate::live::Live;
use crate::machine::{Asked, Machine};
use crate::owner::{Owner, Use};
use crate::rest::is_held;
use crate::state::State;
use crate::steps::Step;
use crate::views::ConnectionView;

/// What a machine is made with that is kept nowhere.
#[derive(Default)]
pub(crate) struct Spare {
    pub(crate) variables: Vec<(String, Secret)>,
}

/// Why a provider did not do it in time.
pub(crate) enum Missed {
    /// It said so.
    Refused(ProviderError),
    /// It took too long.
    Late(Duration),
    /// The session is to end, or the server is.
    GivenUp,
}

impl Missed {
    fn reason(&self, closing: bool) -> String {
        match self {
            Self::Refused(error) => error.to_string(),
            Self::Late(limit) => format!("the provider took longer than {} s", limit.as_secs()),
            Self::GivenUp if closing => "the server stopped while it was being made".to_owned(),
            Self::GivenUp => "it was ended while it was being made".to_owned(),
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused(ProviderError::NotFound))
    }
}

/// Why a session ended whose machine is not there any more.
pub(crate) const GONE: &str = "its sandbox is gone";
/// Why a machine that is there is of no use.
pub(crate) const NO_ADDRESS: &str = "its provider says no address for it";

impl Gateway {
    /// Where a session's machine is. It is made, or goes on, where it is not there.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`]; [`Error::Billing`]; [`Error::Failed`].
    pub async fn connect(&self, caller: &Caller, id: &str) -> Result<ConnectionView, Error> {
        let live = self.inner.living(caller, id, Use::Enter).await?;
        let row = self.inner.up(live, Some(caller.clone())).await?;
        let machine = Machine::of_row(&row).ok_or(Error::Conflict("the sandbox is not there"))?;
        Ok(ConnectionView {
            session: row.id,
            machine,
            expires: Timestamp::from_millis(row.expires_ms),
        })
    }
}

impl Gateway {
    /// Whether a caller may run things in a session's machine.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Forbidden`]; [`Error::Ended`]; [`Error::Elsewhere`].
    pub async fn enter(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        self.inner.living(caller, id, Use::Enter).await.map(drop)
    }

    /// A session's machine, which is brought up where it is not there. Whether somebody may was asked
    /// before.
    ///
    /// # Errors
    /// As for [`connect`](Self::connect).
    pub async fn machine(&self, id: &str) -> Result<Machine, Error> {
        let live = match self.inner.lives.get(id) {
            Some(live) => live,
            None => {
                let found = self.inner.parts.database.gateway_session(id).await?;
                let row = found.ok_or(Error::NotFound("session"))?;
                self.inner.live_of(&row)?
            }
        };
        let row = self.inner.up(live, None).await?;
        Machine::of_row(&row).ok_or(Error::Conflict("the sandbox is not there"))
    }
}

impl Inner {
    /// As [`bring_up`](Self::bring_up), and goes on when whoever asked is gone.
    pub(crate) async fn up(
        self: &Arc<Self>,
        live: Arc<Live>,
        caller: Option<Caller>,
    ) -> Result<GatewaySessionRow, Error> {
        let inner = Arc::clone(self);
        let going = self.tasks.spawn(async move {
            inner
                .bring_up(&live, caller.as_ref(), Spare::default())
                .await?;
            Ok(live.row())
        });
        going.await.unwrap_or(Err(Error::Closing))
    }

    pub(crate) async fn bring_up(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        spare: Spare,
    ) -> Result<(), Error> {
        let _turn = self.turn(live).await?;
        self.bring_up_with_turn(live, caller, spare).await
    }

    /// As [`bring_up`](Self::bring_up), for a client that may come by itself: what a person holds
    /// still stays so.
    pub(crate) async fn bring_up_unless_held(&self, live: &Arc<Live>) -> Result<(), Error> {
        let _turn = self.turn(live).await?;
        let row = live.row();
        if is_held(&row) {
            return Err(Error::Held {
                reason: row.reason.unwrap_or_default(),
                session: row.id,
            });
        }
        self.bring_up_with_turn(live, None, Spare::default()).await
    }

    async fn bring_up_with_turn(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        spare: Spare,
    ) -> Result<(), Error> {
        live.touch(self.now_ms());
        if State::read(&live.row().state) == State::Running && live.is_lost() {
            self.take_up(live).await?;
        }
        let row = live.row();
        match State::read(&row.state) {
            State::Stopped | State::Failed => Err(ended(&row)),
            State::Pending => {
                let most = self.parts.gate.admit(&row.account).await?.concurrent_max;
                // Before it is said to start: what cannot be had now may be had the next time.
                let spec = self.spec(&row, caller, spare).await?;
                let step = Step {
                    kind: "starting",
                    caller,
                    most,
                    ..Step::default()
                };
                self.step(live, step, |row| state(row, State::Starting, None))
                    .await?;
                self.make(live, caller, Ok(spec)).await
            }
            State::Starting if row.sandbox.is_none() => {
                let spec = self.spec(&row, caller, spare).await;
                self.make(live, caller, spec).await
            }
            State::Running if self.may_run(live, &row).await => Ok(()),
            State::Starting | State::Running | State::Paused => self.wake(live, caller).await,
        }
    }

    /// Makes the machine of a session that is said to start. Whatever stands in the way of it, the
    /// session does not stay so: it would take a place of its account until its time is over.
    async fn make(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        spec: Result<Spec, Error>,
    ) -> Result<(), Error> {
        live.set_unwritten(None);
        let making = async { self.make_of(live, caller, spec?).await };
        let Err(error) = making.await else {
            return Ok(());
        };
        let is_to_end = live.ending().is_cancelled() && !self.closing.is_cancelled();
        // Whoever ends it writes it down.
        if !is_to_end && State::read(&live.row().state) == State::Starting {
            let reason = match &error {
                Error::Failed { reason } => reason.clone(),
                other => other.to_string(),
            };
            if let Err(unwritten) = self.failed(live, caller, reason.clone()).await {
                let session = live.row().id;
                tracing::warn!(target: "sandbox", session, error = %unwritten,
                    "that a session failed could not be written down");
                live.set_unwritten(Some(reason));
            }
        }
        Err(error)
    }

    async fn make_of(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        spec: Spec,
    ) -> Result<(), Error> {
        let row = live.row();
        let provider = Arc::clone(self.provider(Some(&row.provider))?);
        let limit = self.options.bring_up.make;
        let mut made = self
            .within(live, limit, provider.create(&row.id, spec.clone()))
            .await;
        let mut snapshot = row.snapshot.clone();
        if matches!(made, Err(Missed::Refused(ProviderError::NoSnapshot))) {
            // Somebody removed it there. The work of now is worth more than that of then.
            self.forget_snapshot(&row).await;
            snapshot = None;
            let fresh = Spec {
                source: Source::Fresh,
                ..spec
            };
            made = self
                .within(live, limit, provider.create(&row.id, fresh))
                .await;
        }
        let machine = match made {
            Ok(sandbox) => Machine::of(&sandbox).ok_or_else(|| NO_ADDRESS.to_owned()),
            Err(missed) => Err(missed.reason(self.closing.is_cancelled())),
        };
        let done = match machine {
            Ok(machine) => {
                let snapshot = |row: &mut GatewaySessionRow| row.snapshot = snapshot;
                self.is_up(live, caller, &machine, None, snapshot).await
            }
            Err(reason) if live.ending().is_cancelled() && !self.closing.is_cancelled() => {
                Err(Error::Ended { reason })
            }
            Err(reason) => Err(Error::Failed { reason }),
        };
        if done.is_err() {
            // Nobody would know of it.
            self.take_back(&provider, &row.id).await;
        }
        done
    }

    /// Writes down that a machine is there, and until when it is charged before that, where that is
    /// not now.
    pub(crate) async fn is_up(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        machine: &Machine,
        seen_ms: Option<i64>,
        change: impl FnOnce(&mut GatewaySessionRow),
    ) -> Result<(), Error> {
        let step = Step {
            kind: "running",
            caller,
            seen_ms,
            ..Step::default()
        };
        let now_ms = self.now_ms();
        let done = self.step(live, step, |row| {
            runs(row, machine, now_ms);
            change(row);
        });
        done.await?;
        live.set_lost(false);
        Ok(())
    }

    /// Lets a machine go on that was there before.
    async fn wake(&self, live: &Arc<Live>, caller: Option<&Caller>) -> Result<(), Error> {
        let row = live.row();
        let id = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok());
        let Some(id) = id else {
            self.ended_by_itself(live, GONE, None).await?;
            return Err(ended(&live.row()));
        };
        let provider = Arc::clone(self.provider(Some(&row.provider))?);
        if State::read(&row.state) != State::Starting {
            let most = self.parts.gate.admit(&row.account).await?.concurrent_max;
            let step = Step {
                kind: "starting",
                caller,
                most,
                ..Step::default()
            };
            self.step(live, step, |row| state(row, State::Starting, None))
                .await?;
        }
        let waking = async {
            if provider.health(&id).await? == Health::Paused {
                provider.resume(&id).await?;
            }
            provider.connect(&id).await
        };
        let woken = self.within(live, self.options.bring_up.make, waking).await;
        let why = match woken {
            Ok(sandbox) => match Machine::of(&sandbox) {
                Some(machine) => {
                    let done = self.is_up(live, caller, &machine, None, |_| {}).await;
                    if done.is_err() {
                        // It runs, and nobody says so: it is looked for again.
                        live.set_lost(true);
                    }
                    return done;
                }
                None => NO_ADDRESS.to_owned(),
            },
            Err(missed) if missed.is_gone() => {
                self.ended_by_itself(live, GONE, None).await?;
                return Err(ended(&live.row()));
            }
            Err(missed @ Missed::GivenUp) => {
                // Whoever ends it writes it down; the next start, or the next look, finds it.
                live.set_lost(true);
                let reason = missed.reason(self.closing.is_cancelled());
                return Err(Error::Ended { reason });
            }
            Err(missed) => missed.reason(false),
        };
        // What is in it is not lost: it is tried again when it is used again. Where it runs all the
        // same, the next look finds out.
        let step = Step {
            kind: "paused",
            ..Step::default()
        };
        let reason = format!("it did not go on: {why}");
        let done = self.step(live, step, |row| state(row, State::Paused, Some(reason)));
        if let Err(error) = done.await {
            live.set_lost(true);
            return Err(error);
        }
        Err(Error::Failed { reason: why })
    }

    /// Whether a machine runs, as far as can be known: a provider that does not answer, or fails, says
    /// nothing about the machine, and whoever is in it goes on.
    async fn may_run(&self, live: &Arc<Live>, row: &GatewaySessionRow) -> bool {
        let id = row
            .sandbox
            .as_deref()
            .and_then(|id| SandboxId::parse(id).ok());
        let (Some(id), Ok(provider)) = (id, self.provider(Some(&row.provider))) else {
            return false;
        };
        let asked = self.within(live, self.options.bring_up.ask, provider.health(&id));
        match asked.await {
            Ok(health) => health == Health::Running,
            Err(missed) => !missed.is_gone(),
        }
    }

    async fn spec(
        &self,
        row: &GatewaySessionRow,
        caller: Option<&Caller>,
        spare: Spare,
    ) -> Result<Spec, Error> {
        let mut keys = Asked::of_row(row).keys;
        // What was registered after the session was made.
        if let Some(caller) = caller.filter(|caller| Owner::of(caller).person == row.owner) {
            for key in self.keys_of(caller).await? {
                if !keys.contains(&key) && keys.len() < KEYS_MAX {
                    keys.push(key);
                }
            }
        }
        keys.extend(self.options.server_key.clone());
        let snapshot = row.snapshot.as_deref();
        let snapshot = snapshot.and_then(|it| SnapshotId::parse(it).ok());
        Ok(Spec {
            environment: spare.variables,
            source: snapshot.map_or(Source::Fresh, Source::Snapshot),
            limits: self.options.limits,
            egress: self.options.egress.clone(),
            expires_at: Some(provider_end(row.expires_ms)),
            ..Spec::for_keys(keys)
        })
    }

    /// Waits for a provider, and no longer than `limit` or the session lives.
    pub(crate) async fn within<T>(
        &self,
        live: &Live,
        limit: Duration,
        work: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, Missed> {
        let ending = live.ending();
        tokio::select! {
            biased;
            () = ending.cancelled() => Err(Missed::GivenUp),
            done = tokio::time::timeout(limit, work) => match done {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(error)) => Err(Missed::Refused(error)),
                Err(_) => Err(Missed::Late(limit)),
            },
        }
    }

    /// Ends at the provider what may have been made for a session. What cannot be ended now is found
    /// by a sweep.
    pub(crate) async fn take_back(&self, provider: &Arc<dyn Provider>, session: &str) {
        let id = SandboxId::of(session);
        let ending = tokio::time::timeout(self.options.bring_up.end, provider.terminate(&id));
        match ending.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(target: "sandbox", sandbox = %id, %error, "a sandbox was not ended");
            }
            Err(_) => {
                tracing::warn!(target: "sandbox", sandbox = %id, "a sandbox was not ended in time");
            }
        }
    }

    /// Writes down that a session is over whose machine could not be made.
    pub(crate) async fn failed(
        &self,
        live: &Arc<Live>,
        caller: Option<&Caller>,
        reason: String,
    ) -> Result<(), Error> {
        let step = Step {
            kind: "failed",
            caller,
            ..Step::default()
        };
        let now_ms = self.now_ms();
        self.step(live, step, |row| {
            state(row, State::Failed, Some(reason));
            row.ended_ms = Some(now_ms);
        })
        .await?;
        self.after_the_end(live).await;
        Ok(())
    }

    /// Writes down that a session is over whose machine nobody has to end, and until when that is
    /// charged, where that is not now.
    pub(crate) async fn ended_by_itself(
        &self,
        live: &Arc<Live>,
        reason: &str,
        seen_ms: Option<i64>,
    ) -> Result<(), Error> {
        let step = Step {
            kind: "ended",
            seen_ms,
            ..Step::default()
        };
        let now_ms = self.now_ms();
        self.step(live, step, |row| {
            state(row, State::Stopped, Some(reason.to_owned()));
            row.ended_ms = Some(now_ms);
        })
        .await?;
        self.after_the_end(live).await;
        Ok(())
    }
}

/// Until when a provider keeps a machine that this server does not end: it is to live on for a while
/// when the server is away, and not for ever.
pub(crate) fn provider_end(expires_ms: i64) -> Timestamp {
    Timestamp::from_millis(expires_ms.saturating_add(ms(PROVIDER_GRACE)))
}

pub(crate) fn state(row: &mut GatewaySessionRow, to: State, reason: Option<String>) {
    to.as_str().clone_into(&mut row.state);
    row.reason = reason;
}

/// A machine is there.
pub(crate) fn runs(row: &mut GatewaySessionRow, machine: &Machine, now_ms: i64) {
    state(row, State::Running, None);
    row.sandbox = Some(machine.sandbox.clone());
    row.place = machine.written();
    row.started_ms = row.started_ms.or(Some(now_ms));
    row.active_ms = now_ms;
    row.running_ms = row.running_ms.or(Some(now_ms));
}

pub(crate) fn ended(row: &GatewaySessionRow) -> Error {
    let reason = row.reason.clone();
    Error::Ended {
        reason: reason.unwrap_or_else(|| "nobody said why".to_owned()),
    }
}
