//! Connections that are shared and kept.
//!
//! One connection serves all that is done at a host by one identity; a further one is made when
//! the server opens no more channels on it. What a caller holds is a [`HostOpener`]: it makes
//! connections when they are needed and holds the secrets, which are gone with it.

mod host;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use wharf_model::Timestamp;

use crate::config::Destination;
use crate::connect::Connector;
use crate::connection::Start;
use crate::error::Error;
use crate::opener::{BoxFuture, Channel, Opener};
use crate::settings::{Credentials, Settings};
use host::Host;

/// How many channels one connection carries. sshd's `MaxSessions` is 10, and it frees a place only
/// some time after a channel has ended.
pub const CHANNELS_PER_CONNECTION: usize = 6;

/// How many connections one identity has to a host. sshd's `MaxStartups` begins to refuse at 10
/// that are not authenticated yet.
pub const CONNECTIONS_PER_HOST: usize = 8;

/// How many connections there are at once, each with a descriptor or three.
pub const MAX_CONNECTIONS: usize = 256;

/// How long a connection without channels is kept.
pub const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// How long a command waits for a channel when all are taken.
pub const SLOT_WAIT: Duration = Duration::from_secs(30);

/// The bounds of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Channels on one connection.
    pub channels: usize,
    /// Connections to one host by one identity.
    pub per_host: usize,
    /// Connections at once.
    pub connections: usize,
    /// How long a connection without channels is kept.
    pub idle: Duration,
    /// How long a command waits for a channel when all are taken.
    pub wait: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            channels: CHANNELS_PER_CONNECTION,
            per_host: CONNECTIONS_PER_HOST,
            connections: MAX_CONNECTIONS,
            idle: IDLE_LIMIT,
            wait: SLOT_WAIT,
        }
    }
}

/// One connection, or one that is being made, for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// What [`Pool::close`] takes. The same for all connections of one identity to one host.
    pub key: String,
    /// The name that was asked for.
    pub alias: String,
    /// The name or address behind it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// How it is.
    pub state: SessionState,
    /// Channels that are open on it.
    pub channels: usize,
    /// When it was authenticated.
    pub connected_at: Option<Timestamp>,
    /// When a channel was last opened on it.
    pub last_used_at: Option<Timestamp>,
}

/// How a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionState {
    /// It is being made.
    Connecting,
    /// It can be used.
    Connected,
    /// It broke, and nobody has asked for another yet.
    Lost(String),
}

/// All connections. Dropping it cuts them.
pub struct Pool {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) connector: Connector,
    pub(crate) limits: PoolLimits,
    pub(crate) stop: CancellationToken,
    /// One permit a connection.
    pub(crate) budget: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
    salt: [u8; 32],
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.inner.stop.cancel();
        for host in self.inner.take_hosts() {
            drop(host.take_all());
        }
    }
}

impl Pool {
    /// A pool without connections. Must be called in a runtime.
    #[must_use]
    pub fn new(connector: Connector, limits: PoolLimits) -> Self {
        let mut salt = [0; 32];
        connector.world().entropy.fill(&mut salt);
        let inner = Arc::new(Inner {
            budget: Arc::new(Semaphore::new(limits.connections)),
            stop: CancellationToken::new(),
            hosts: Mutex::default(),
            connector,
            limits,
            salt,
        });
        let tasks = inner.connector.tasks().clone();
        tasks.spawn(close_idle(Arc::clone(&inner)));
        Self { inner }
    }

    /// What starts commands at a destination. Nothing is connected to yet.
    ///
    /// # Errors
    /// When the configuration cannot be understood.
    pub async fn opener(
        &self,
        destination: &Destination,
        credentials: Credentials,
    ) -> Result<HostOpener, Error> {
        let settings = self.inner.connector.resolve(destination).await?;
        Ok(self.opener_for(settings, credentials))
    }

    /// As [`Pool::opener`], for a destination that is resolved already.
    #[must_use]
    pub fn opener_for(&self, settings: Settings, credentials: Credentials) -> HostOpener {
        let key = self.inner.key(&settings, &credentials);
        HostOpener {
            host: self.inner.host(&key, &settings),
            inner: Arc::clone(&self.inner),
            settings: Arc::new(settings),
            credentials: Arc::new(credentials),
        }
    }

    /// All connections, and those that are being made.
    #[must_use]
    pub fn list(&self) -> Vec<SessionInfo> {
        let mut all: Vec<SessionInfo> = self
            .inner
            .all_hosts()
            .iter()
            .flat_map(|host| host.infos())
            .collect();
        all.sort_by(|a, b| (&a.alias, &a.key).cmp(&(&b.alias, &b.key)));
        all
    }

    /// Closes the connections of one identity to one host. False when there are none.
    pub async fn close(&self, key: &str) -> bool {
        let host = self.inner.with(|hosts| hosts.remove(key));
        let Some(host) = host else { return false };
        let connections = host.take_all();
        let were_any = !connections.is_empty();
        let closing = connections.into_iter().map(host::Pooled::close);
        futures_util::future::join_all(closing).await;
        were_any
    }

    /// Closes all of them and waits until no task of theirs is left, at most `within`.
    pub async fn shut_down(&self, within: Duration) {
        self.inner.stop.cancel();
        let connections = self.inner.take_hosts().into_iter();
        let closing = connections
            .flat_map(|host| host.take_all())
            .map(host::Pooled::close);
        futures_util::future::join_all(closing).await;
        let tasks = self.inner.connector.tasks();
        tasks.close();
        // Whatever is left then is cut off from its line already.
        let _late = tokio::time::timeout(within, tasks.wait()).await;
    }
}

impl Inner {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<String, Arc<Host>>) -> T) -> T {
        act(&mut self.hosts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn all_hosts(&self) -> Vec<Arc<Host>> {
        self.with(|hosts| hosts.values().cloned().collect())
    }

    fn take_hosts(&self) -> Vec<Arc<Host>> {
        self.with(|hosts| hosts.drain().map(|(_, host)| host).collect())
    }

    fn host(&self, key: &str, settings: &Settings) -> Arc<Host> {
        self.with(|hosts| {
            let host = hosts
                .entry(key.to_owned())
                .or_insert_with(|| Arc::new(Host::new(key, settings)));
            Arc::clone(host)
        })
    }

    /// The host of an opener. It may have been closed and forgotten meanwhile.
    fn revive(&self, host: &Arc<Host>) -> Arc<Host> {
        self.with(|hosts| {
            let kept = hosts
                .entry(host.key().to_owned())
                .or_insert_with(|| Arc::clone(host));
            Arc::clone(kept)
        })
    }

    /// Who it is at which host. Two requests share a connection only if all of it is equal: also
    /// the secrets, lest somebody without a password rides on the connection of somebody with.
    /// Only a salted hash is kept.
    fn key(&self, settings: &Settings, credentials: &Credentials) -> String {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        let mut add = |part: Option<&[u8]>| {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hash.update(length.to_le_bytes());
            hash.update(part.unwrap_or_default());
        };
        let exposed = |secret: &Option<wharf_model::Secret>| {
            secret.as_ref().map(|secret| secret.expose().to_owned())
        };
        add(Some(format!("{settings:?}").as_bytes()));
        let key = credentials.key.as_ref();
        add(key.map(|path| path.as_os_str().as_encoded_bytes()));
        for secret in [&credentials.passphrase, &credentials.password] {
            let text = exposed(secret).map(zeroize::Zeroizing::new);
            add(text.as_ref().map(|text| text.as_bytes()));
        }
        let digest: [u8; 32] = hash.finalize().into();
        let short: String = digest
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let Settings {
            user, host, port, ..
        } = settings;
        format!("{user}@{host}:{port}~{short}")
    }

    /// Closes the connection that was idle for the longest time, to make room for another.
    pub(crate) async fn evict(&self) -> bool {
        let hosts = self.all_hosts();
        let oldest = hosts
            .iter()
            .filter_map(|host| Some((host.idle_since()?, host)))
            .min_by_key(|(since, _)| *since);
        let taken = oldest.and_then(|(_, host)| host.take_idle(Timestamp::from_millis(i64::MAX)));
        match taken {
            Some(pooled) => {
                pooled.close().await;
                true
            }
            None => false,
        }
    }
}

/// Closes connections on which nothing has been done for long, and forgets what broke.
async fn close_idle(inner: Arc<Inner>) {
    let pause = (inner.limits.idle / 4).max(Duration::from_millis(10));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = inner.stop.cancelled() => return,
        }
        let idle = i64::try_from(inner.limits.idle.as_millis()).unwrap_or(i64::MAX);
        let now = inner.connector.world().clock.now().millis();
        let before = Timestamp::from_millis(now.saturating_sub(idle));
        for host in inner.all_hosts() {
            while let Some(pooled) = host.take_idle(before) {
                pooled.close().await;
            }
        }
        // A host whose opener is gone and that has no connection is kept by the table alone.
        inner.with(|hosts| {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || !host.is_empty());
        });
    }
}

/// Starts commands at one destination, as one identity.
#[derive(Clone)]
pub struct HostOpener {
    inner: Arc<Inner>,
    host: Arc<Host>,
    settings: Arc<Settings>,
    credentials: Arc<Credentials>,
}

impl fmt::Debug for HostOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostOpener")
            .field("key", &self.host.key())
            .finish_non_exhaustive()
    }
}

impl HostOpener {
    /// What [`Pool::close`] takes.
    #[must_use]
    pub fn key(&self) -> &str {
        self.host.key()
    }

    /// The destination, resolved.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Connects, if there is no connection yet.
    ///
    /// # Errors
    /// With the step that failed.
    pub async fn connect(&self) -> Result<(), Error> {
        let host = self.inner.revive(&self.host);
        host.ready(&self.inner, &self.settings, &self.credentials)
            .await
    }

    /// Starts a command or a subsystem on a channel of its own.
    ///
    /// # Errors
    /// With the step that failed.
    pub async fn start(&self, start: Start) -> Result<Channel, Error> {
        let host = self.inner.revive(&self.host);
        host.open(&self.inner, &self.settings, &self.credentials, start)
            .await
    }
}

impl Opener for HostOpener {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let start = Start::Command(command.to_owned());
        Box::pin(self.start(start))
    }

    fn subsystem(&self, name: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let start = Start::Subsystem(name.to_owned());
        Box::pin(self.start(start))
    }
}
