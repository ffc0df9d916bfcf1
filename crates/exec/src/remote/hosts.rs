//! All hosts: the way to each is resolved, its connections are shared, what it is is asked once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::OnceCell;
use wharf_model::Entropy;
use wharf_ssh::settings::Proxy;
use wharf_ssh::{
    Connector, Destination, HostKey, HostOpener, Pool, PoolLimits, Settings, TrustError, Trusted,
};

use super::{RemoteExecutor, facts, test};
use crate::executor::{BoxFuture, Facts, HostConnection, Hosts, LaunchError, Place, Tested, Way};
use crate::files::{Files, RemoteFiles};

/// Hosts, or identities on them, that are known at once. The one that was unused for the longest
/// time is forgotten for a new one, together with its idle connections.
pub const MAX_PLACES: usize = 256;
/// How long what the configuration said of a host is taken for granted.
const RESOLVED: Duration = Duration::from_secs(2);
/// Resolved ways that are remembered.
const MAX_RESOLVED: usize = 256;
/// From the end of the work to the end of all connections.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Hosts over SSH.
pub struct SshHosts {
    connector: Connector,
    pool: Mutex<Option<Arc<Pool>>>,
    entropy: Arc<dyn Entropy>,
    known: Mutex<HashMap<String, Arc<Known>>>,
    /// Ways without secrets of their own, which are most.
    resolved: Mutex<HashMap<String, (Instant, HostOpener)>>,
}

/// One identity on one host.
struct Known {
    key: Arc<str>,
    opener: HostOpener,
    executor: Arc<RemoteExecutor>,
    files: Arc<RemoteFiles>,
    facts: OnceCell<Arc<Facts>>,
    used: Mutex<Used>,
}

struct Used {
    at: Instant,
    commands: u64,
    directory: Option<String>,
}

impl fmt::Debug for SshHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshHosts").finish_non_exhaustive()
    }
}

impl SshHosts {
    /// Hosts that `connector` can reach. Must be called in a runtime.
    #[must_use]
    pub fn new(connector: Connector, limits: PoolLimits, entropy: Arc<dyn Entropy>) -> Arc<Self> {
        Arc::new(Self {
            pool: Mutex::new(Some(Arc::new(Pool::new(connector.clone(), limits)))),
            connector,
            entropy,
            known: Mutex::default(),
            resolved: Mutex::default(),
        })
    }

    /// Ends what runs on the hosts and closes all connections.
    pub async fn shutdown(&self) {
        let known: Vec<Arc<Known>> = lock(&self.known).drain().map(|(_, known)| known).collect();
        lock(&self.resolved).clear();
        let ends = known.iter().map(|known| async {
            known.files.shutdown().await;
            known.executor.shutdown().await;
        });
        join_all(ends).await;
        drop(known);
        let pool = lock(&self.pool).take();
        if let Some(pool) = pool {
            pool.shut_down(CLOSE_PATIENCE).await;
        }
    }

    fn pool(&self) -> Result<Arc<Pool>, LaunchError> {
        let pool = lock(&self.pool).clone();
        pool.ok_or_else(|| LaunchError::System(std::io::Error::other("the server is stopping")))
    }

    async fn opener(&self, way: &Way) -> Result<HostOpener, LaunchError> {
        let plain = way.access.is_empty().then(|| {
            let parts = [&way.name, &way.jump, &way.identity];
            let parts = parts.map(|part| part.as_deref().unwrap_or_default());
            let pinned = way.pinned.join("\n");
            format!("{}\n{}\n{pinned}", way.target, parts.join("\n"))
        });
        if let Some(plain) = &plain
            && let Some((at, opener)) = lock(&self.resolved).get(plain)
            && at.elapsed() < RESOLVED
        {
            return Ok(opener.clone());
        }
        let pool = self.pool()?;
        let settings = self.settings(way).await.map_err(host_error)?;
        let mut access = way.access.clone();
        if let (None, Some(identity)) = (&access.key, &way.identity) {
            access.key = Some(self.connector.world().path(identity));
        }
        let opener = pool.opener_for(settings, access);
        if let Some(plain) = plain {
            let mut resolved = lock(&self.resolved);
            if resolved.len() >= MAX_RESOLVED {
                resolved.clear();
            }
            resolved.insert(plain, (Instant::now(), opener.clone()));
        }
        Ok(opener)
    }

    /// What the way says, and for the rest the configuration.
    async fn settings(&self, way: &Way) -> Result<Settings, wharf_ssh::Error> {
        if !way.pinned.is_empty() {
            return Ok(pinned(way));
        }
        let destination = Destination {
            host: way.target.host().to_owned(),
            user: way.target.user().map(str::to_owned),
            port: way.target.port(),
        };
        let mut settings = self.connector.resolve(&destination).await?;
        if let Some(name) = &way.name {
            settings.alias.clone_from(name);
        }
        if let Some(jump) = &way.jump {
            let hops = wharf_ssh::config::hops(jump).ok_or_else(|| wharf_ssh::Error::Connect {
                host: settings.shown(),
                address: "it".to_owned(),
                what: format!("{jump:?} is no list of hosts on the way"),
            })?;
            settings.proxy = Proxy::Jump(hops);
        }
        Ok(settings)
    }

    fn known(&self, opener: HostOpener) -> Arc<Known> {
        let mut all = lock(&self.known);
        if let Some(known) = all.get(opener.key()) {
            return Arc::clone(known);
        }
        if all.len() >= MAX_PLACES {
            // Those that somebody holds besides this table are in use.
            let idle = all
                .values()
                .filter(|known| Arc::strong_count(&known.executor) == 1);
            let oldest = idle.min_by_key(|known| lock(&known.used).at);
            if let Some(key) = oldest.map(|known| known.key.to_string()) {
                all.remove(&key);
            }
        }
        let key: Arc<str> = Arc::from(opener.key());
        let known = Arc::new(Known {
            executor: RemoteExecutor::new(Arc::new(opener.clone()), Arc::clone(&self.entropy)),
            files: Arc::new(RemoteFiles::new(
                Arc::new(opener.clone()),
                Arc::clone(&self.entropy),
            )),
            opener,
            facts: OnceCell::new(),
            used: Mutex::new(Used {
                at: Instant::now(),
                commands: 0,
                directory: None,
            }),
            key: Arc::clone(&key),
        });
        all.insert(key.to_string(), Arc::clone(&known));
        known
    }
}

impl Hosts for SshHosts {
    fn key<'a>(&'a self, way: &'a Way) -> BoxFuture<'a, Result<HostKey, LaunchError>> {
        Box::pin(async move {
            let settings = self.settings(way).await.map_err(host_error)?;
            self.connector.look(&settings).await.map_err(host_error)
        })
    }

    fn trust<'a>(
        &'a self,
        way: &'a Way,
        fingerprint: &'a str,
        replace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Trusted, TrustError>> {
        Box::pin(async move {
            let settings = self.settings(way).await?;
            self.connector.trust(&settings, fingerprint, replace).await
        })
    }

    fn test<'a>(&'a self, way: &'a Way) -> BoxFuture<'a, Tested> {
        Box::pin(async move {
            match self.opener(way).await {
                Ok(opener) => test::test(&self.connector, &opener).await,
                Err(error) => Tested {
                    error: Some(error),
                    ..Tested::default()
                },
            }
        })
    }

    fn at<'a>(&'a self, way: &'a Way) -> BoxFuture<'a, Result<Place, LaunchError>> {
        Box::pin(async move {
            let opener = self.opener(way).await?;
            let known = self.known(opener);
            let asked = known.facts.get_or_try_init(|| facts::ask(&known.opener));
            let facts = Arc::clone(asked.await?);
            let executor = Arc::clone(&known.executor);
            Ok(Place {
                executor,
                facts,
                files: Arc::clone(&known.files) as Arc<dyn Files>,
                key: Arc::clone(&known.key),
            })
        })
    }

    fn used(&self, key: &str, directory: Option<&str>) {
        if let Some(known) = lock(&self.known).get(key) {
            let mut used = lock(&known.used);
            used.at = Instant::now();
            used.commands += 1;
            used.directory = directory.map(str::to_owned);
        }
    }

    fn connections(&self) -> Vec<HostConnection> {
        let Ok(pool) = self.pool() else {
            return Vec::new();
        };
        let known = lock(&self.known);
        let with_use = |info: wharf_ssh::SessionInfo| {
            let used = known.get(&info.key).map(|known| lock(&known.used));
            HostConnection {
                commands: used.as_ref().map_or(0, |used| used.commands),
                directory: used.and_then(|used| used.directory.clone()),
                info,
            }
        };
        pool.list().into_iter().map(with_use).collect()
    }

    fn close<'a>(&'a self, key: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Ok(pool) = self.pool() else { return false };
            // What it is may be another when it is reached again.
            let known = lock(&self.known).remove(key);
            lock(&self.resolved).retain(|_, (_, opener)| opener.key() != key);
            if let Some(known) = known
                && Arc::strong_count(&known.executor) == 1
            {
                known.executor.shutdown().await;
            }
            pool.close(key).await
        })
    }
}

/// A machine of which all is said already.
fn pinned(way: &Way) -> Settings {
    let target = &way.target;
    let plain = Settings::plain(target.host(), target.user().unwrap_or_default());
    Settings {
        alias: way.name.clone().unwrap_or_else(|| plain.alias.clone()),
        port: target.port().unwrap_or(plain.port),
        pinned: way.pinned.clone(),
        identities_only: true,
        ..plain
    }
}

pub(super) fn host_error(error: wharf_ssh::Error) -> LaunchError {
    LaunchError::Host(Box::new(error))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
