//! The connections of one identity to one host.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use wharf_model::Timestamp;

use super::{Inner, SessionInfo, SessionState};
use crate::connection::{Connection, Refused, Start};
use crate::error::{Error, Step};
use crate::opener::{BoxFuture, Channel};
use crate::settings::{Credentials, Settings};

/// How often a server may refuse a channel on a connection that has none before that is believed.
/// sshd frees a place some time after it has closed the channel.
const MAX_REFUSALS: u32 = 5;

/// What is waited after the first of these refusals; longer after the next.
const REFUSAL_PAUSE: Duration = Duration::from_millis(20);

/// How often a connection that turns out to be dead is replaced for one command.
const MAX_STALE: u32 = 3;

/// For how long a server that hangs up at once, or has just gone, is tried again.
const RETRY_SPAN: Duration = Duration::from_secs(3);

/// What is waited before the second try; twice that before the next.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

type Connecting = Shared<BoxFuture<'static, Result<(), Error>>>;

/// The connections of one identity to one host.
pub(crate) struct Host {
    key: String,
    settings: Settings,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    connections: Vec<Pooled>,
    connecting: Option<Connecting>,
    next: u64,
    was_connected: bool,
    lost: Option<String>,
}

/// A connection with its channels counted.
pub(crate) struct Pooled {
    id: u64,
    connection: Arc<Connection>,
    in_use: usize,
    capacity: usize,
    _budget: OwnedSemaphorePermit,
}

impl Pooled {
    pub(crate) async fn close(self) {
        match Arc::try_unwrap(self.connection) {
            Ok(connection) => connection.close().await,
            // Somebody opens a channel just now, and is told.
            Err(shared) => shared.cut("closed on request"),
        }
    }
}

/// A channel's place. It is given back when the channel has ended on both sides.
struct Place {
    host: Weak<Host>,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(host) = self.host.upgrade() else {
            return;
        };
        host.with(|state| {
            if let Some(pooled) = state.find(self.id) {
                pooled.in_use = pooled.in_use.saturating_sub(1);
                pooled.connection.touch();
            }
        });
        host.changed.notify_waiters();
    }
}

enum Pick {
    Use(Arc<Connection>, u64, Place),
    Wait(Connecting),
    Full,
}

impl State {
    fn find(&mut self, id: u64) -> Option<&mut Pooled> {
        self.connections.iter_mut().find(|pooled| pooled.id == id)
    }

    /// Forgets what is over.
    fn prune(&mut self) {
        let lost = &mut self.lost;
        self.connections.retain(|pooled| {
            let is_over = pooled.connection.is_over();
            if is_over {
                *lost = Some(pooled.connection.why());
            }
            !is_over
        });
    }
}

impl Host {
    pub(super) fn new(key: &str, settings: &Settings) -> Self {
        Self {
            key: key.to_owned(),
            settings: settings.clone(),
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection is there, or was just made.
    pub(super) async fn ready(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        settings: &Arc<Settings>,
        credentials: &Arc<Credentials>,
    ) -> Result<(), Error> {
        let connecting = self.with(|state| {
            state.prune();
            state
                .connections
                .is_empty()
                .then(|| self.connecting(state, inner, settings, credentials))
        });
        match connecting {
            Some(connecting) => connecting.await,
            None => Ok(()),
        }
    }

    pub(super) async fn open(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        settings: &Arc<Settings>,
        credentials: &Arc<Credentials>,
        start: Start,
    ) -> Result<Channel, Error> {
        let deadline = Instant::now() + inner.limits.wait;
        let (mut refusals, mut stale) = (0, 0);
        let mut last = None;
        loop {
            if inner.stop.is_cancelled() {
                let host = settings.shown();
                return Err(Error::Closed { host });
            }
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let is_alone = last.is_none();
            match self.pick(inner, settings, credentials, is_alone) {
                Pick::Use(connection, id, place) => {
                    let opened = connection.open_in(start.clone(), Box::new(place)).await;
                    match opened {
                        Ok(channel) => return Ok(channel),
                        Err(Refused::For(error)) => return Err(error),
                        // Nothing of the command was sent.
                        Err(Refused::Stale(error)) => {
                            stale += 1;
                            if stale > MAX_STALE {
                                return Err(error);
                            }
                        }
                        Err(Refused::Room(what)) => {
                            if self.refused(id) {
                                refusals += 1;
                                if refusals > MAX_REFUSALS {
                                    let host = settings.shown();
                                    return Err(Error::Channel { host, what });
                                }
                                tokio::time::sleep(REFUSAL_PAUSE * refusals * refusals).await;
                            }
                        }
                    }
                }
                Pick::Wait(connecting) => {
                    let made = tokio::select! {
                        made = connecting => made,
                        () = changed => continue,
                        () = inner.stop.cancelled() => continue,
                    };
                    if let Err(error) = made {
                        if self.is_empty() {
                            return Err(error);
                        }
                        // Those that are there serve: one of their channels will end.
                        last = Some(error);
                    }
                }
                Pick::Full => {
                    let waiting = async {
                        tokio::select! {
                            () = changed => {}
                            () = inner.stop.cancelled() => {}
                        }
                    };
                    if tokio::time::timeout_at(deadline, waiting).await.is_err() {
                        return Err(full(settings, inner, last));
                    }
                }
            }
        }
    }

    fn pick(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        settings: &Arc<Settings>,
        credentials: &Arc<Credentials>,
        may_connect: bool,
    ) -> Pick {
        self.with(|state| {
            state.prune();
            let free = state
                .connections
                .iter_mut()
                .find(|pooled| pooled.in_use < pooled.capacity);
            if let Some(pooled) = free {
                pooled.in_use += 1;
                let place = Place {
                    host: Arc::downgrade(self),
                    id: pooled.id,
                };
                return Pick::Use(Arc::clone(&pooled.connection), pooled.id, place);
            }
            let is_first = state.connections.is_empty();
            if state.connections.len() >= inner.limits.per_host || !(may_connect || is_first) {
                return Pick::Full;
            }
            Pick::Wait(self.connecting(state, inner, settings, credentials))
        })
    }

    /// The server opens no more on this connection. True when nothing else is open on it.
    fn refused(&self, id: u64) -> bool {
        self.with(|state| match state.find(id) {
            Some(pooled) => {
                // The place of the refused one is given back already.
                pooled.capacity = pooled.in_use.max(1);
                pooled.in_use == 0
            }
            None => false,
        })
    }

    /// The one attempt that is going on, or a new one. It goes on when whoever asked goes away:
    /// others wait for it.
    fn connecting(
        self: &Arc<Self>,
        state: &mut State,
        inner: &Arc<Inner>,
        settings: &Arc<Settings>,
        credentials: &Arc<Credentials>,
    ) -> Connecting {
        if let Some(connecting) = &state.connecting {
            return connecting.clone();
        }
        let (done, is_done) = oneshot::channel();
        let host = settings.shown();
        let connecting = async move { is_done.await.unwrap_or(Err(Error::Closed { host })) };
        let connecting: Connecting = connecting.boxed().shared();
        state.connecting = Some(connecting.clone());
        let attempt = Attempt {
            host: Arc::clone(self),
            inner: Arc::clone(inner),
            settings: Arc::clone(settings),
            credentials: Arc::clone(credentials),
            was_connected: state.was_connected,
        };
        inner.connector.tasks().spawn(async move {
            let made = attempt.run().await;
            let host = Arc::clone(&attempt.host);
            // The secrets go before anybody goes on.
            drop(attempt);
            host.with(|state| state.connecting = None);
            let _nobody = done.send(made);
            host.changed.notify_waiters();
        });
        connecting
    }

    pub(super) fn is_empty(&self) -> bool {
        self.with(|state| {
            state.prune();
            state.connections.is_empty() && state.connecting.is_none()
        })
    }

    pub(super) fn take_all(&self) -> Vec<Pooled> {
        let taken = self.with(|state| std::mem::take(&mut state.connections));
        self.changed.notify_waiters();
        taken
    }

    /// Since when the longest idle connection is without channels.
    pub(super) fn idle_since(&self) -> Option<Timestamp> {
        self.with(|state| {
            let idle = state.connections.iter().filter(|pooled| pooled.in_use == 0);
            idle.map(|pooled| pooled.connection.last_used_at()).min()
        })
    }

    /// A connection that has been without channels since before that moment.
    pub(super) fn take_idle(&self, before: Timestamp) -> Option<Pooled> {
        self.with(|state| {
            state.prune();
            let index = state.connections.iter().position(|pooled| {
                pooled.in_use == 0 && pooled.connection.last_used_at() <= before
            })?;
            Some(state.connections.remove(index))
        })
    }

    pub(super) fn infos(&self) -> Vec<SessionInfo> {
        let Settings {
            alias,
            host,
            port,
            user,
            ..
        } = &self.settings;
        let info = |state, channels, connected_at, last_used_at| SessionInfo {
            key: self.key.clone(),
            alias: alias.clone(),
            host: host.clone(),
            port: *port,
            user: user.clone(),
            state,
            channels,
            connected_at,
            last_used_at,
        };
        self.with(|state| {
            state.prune();
            let mut infos: Vec<SessionInfo> = state
                .connections
                .iter()
                .map(|pooled| {
                    info(
                        SessionState::Connected,
                        pooled.in_use,
                        Some(pooled.connection.connected_at()),
                        Some(pooled.connection.last_used_at()),
                    )
                })
                .collect();
            if state.connecting.is_some() {
                infos.push(info(SessionState::Connecting, 0, None, None));
            }
            if let (true, Some(why)) = (infos.is_empty(), &state.lost) {
                infos.push(info(SessionState::Lost(why.clone()), 0, None, None));
            }
            infos
        })
    }
}

/// One attempt to connect, with what it takes.
struct Attempt {
    host: Arc<Host>,
    inner: Arc<Inner>,
    settings: Arc<Settings>,
    credentials: Arc<Credentials>,
    was_connected: bool,
}

impl Attempt {
    async fn run(&self) -> Result<(), Error> {
        let closed = || Error::Closed {
            host: self.settings.shown(),
        };
        tokio::select! {
            made = self.connect() => made,
            () = self.inner.stop.cancelled() => Err(closed()),
        }
    }

    async fn connect(&self) -> Result<(), Error> {
        let budget = self.budget().await?;
        let connection = self.persist().await?;
        self.host.with(|state| {
            if self.inner.stop.is_cancelled() {
                let host = self.settings.shown();
                return Err(Error::Closed { host });
            }
            let id = state.next;
            state.next += 1;
            state.was_connected = true;
            state.lost = None;
            state.connections.push(Pooled {
                id,
                connection: Arc::new(connection),
                in_use: 0,
                capacity: self.inner.limits.channels,
                _budget: budget,
            });
            Ok(())
        })
    }

    /// Tries again for a short while where a server hangs up at once (it has too many that are not
    /// authenticated yet) or where one that we knew has just gone (it is being started again).
    async fn persist(&self) -> Result<Connection, Error> {
        let began = Instant::now();
        let mut pause = RETRY_PAUSE;
        loop {
            let connecting = self
                .inner
                .connector
                .connect(&self.settings, &self.credentials);
            let error = match connecting.await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let may_pass = match error.step() {
                Step::Banner => !matches!(error, Error::TooSlow { .. }),
                Step::Connect => self.was_connected && !matches!(error, Error::TooSlow { .. }),
                _ => false,
            };
            if !may_pass || began.elapsed() + pause > RETRY_SPAN {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn budget(&self) -> Result<OwnedSemaphorePermit, Error> {
        let budget = Arc::clone(&self.inner.budget);
        if let Ok(permit) = Arc::clone(&budget).try_acquire_owned() {
            return Ok(permit);
        }
        let full = || Error::Full {
            host: self.settings.shown(),
            what: format!(
                "{} connections are open, which is as many as may be, and none is idle",
                self.inner.limits.connections
            ),
        };
        if !self.inner.evict().await {
            return Err(full());
        }
        let waiting = tokio::time::timeout(self.inner.limits.wait, budget.acquire_owned());
        match waiting.await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(full()),
        }
    }
}

fn full(settings: &Settings, inner: &Inner, last: Option<Error>) -> Error {
    let host = settings.shown();
    let within = crate::error::seconds(inner.limits.wait);
    match last {
        Some(error) => Error::Full {
            host,
            what: format!("no channel was free for {within}, and no more connections: {error}"),
        },
        None => Error::Full {
            host,
            what: format!(
                "no channel was free for {within}: {} connections with {} channels each are busy",
                inner.limits.per_host, inner.limits.channels
            ),
        },
    }
}
