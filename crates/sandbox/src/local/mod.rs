//! Sandboxes of namespaces on this machine.
//!
//! [`LocalProvider`] keeps the ways into sandboxes open and their records true. What is inside is
//! made by [`crate::launcher`] and needs nothing of this process afterwards: sandboxes go on when
//! the server ends, and the next one finds them by their records. How one is made and started again
//! is in `start`, how it ends in `end`.
//!
//! Changes of one sandbox happen one after the other (its slot's turn), and each is carried through
//! by a task of its own, so that a request that is cut off leaves nothing half done.

mod cgroup;
pub(crate) mod dial;
mod end;
pub(crate) mod ground;
pub(crate) mod launch;
mod network;
mod owners;
pub(crate) mod process;
mod proxy;
pub(crate) mod record;
pub(crate) mod relay;
mod snapshot;
mod start;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::{Entropy, Timestamp};

pub use launch::LauncherProgram;

use crate::error::Error;
use crate::id::{SandboxId, SnapshotId};
use crate::launcher::plan::{Base, Fault, Owners};
use crate::launcher::skeleton::WORKSPACE;
use crate::provider::{
    BoxFuture, Capabilities, Capability, Connection, Health, Provider, Sandbox, Spec, Swept, User,
};
use cgroup::Cgroups;
use dial::{Dialer, Way};
use ground::Ground;
use launch::blocking;
use network::Outward;
use process::Held;
use record::{Record, Stage, boot};
use relay::{Activity, Counted, Relay};

/// Sandboxes of one server where nothing else is said.
pub const DEFAULT_MOST: usize = 256;
/// The first id of sandboxes' users outside. What is given to others from there on is left out.
pub const DEFAULT_FIRST_ID: u32 = 100_000;
/// Where sshd listens inside.
const SSH_PORT: u16 = 22;
/// How this provider is called.
const NAME: &str = "local";

/// How sandboxes of this machine are made.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// A directory of the provider's own, on a file system that carries overlays: a disk's.
    pub state: PathBuf,
    /// The program that is started as the launcher.
    pub launcher: LauncherProgram,
    /// Where the programs inside come from.
    pub base: Base,
    /// Programs of this machine's, each one file that needs no other, that every sandbox has
    /// besides, by the names that they have there, on the path.
    pub programs: BTreeMap<String, PathBuf>,
    /// The first id from which on each sandbox has 65,536 of its own for its users; only where root
    /// runs this.
    pub first_id: u32,
    /// Most sandboxes at once.
    pub most: usize,
    /// A fault that a test makes.
    pub fault: Option<Fault>,
}

impl LocalOptions {
    /// Sandboxes with this machine's programs.
    #[must_use]
    pub fn new(state: PathBuf, launcher: LauncherProgram) -> Self {
        Self {
            state,
            launcher,
            base: Base::Host,
            programs: BTreeMap::new(),
            first_id: DEFAULT_FIRST_ID,
            most: DEFAULT_MOST,
            fault: None,
        }
    }
}

/// Makes sandboxes on this machine. Cheap to clone.
#[derive(Clone)]
pub struct LocalProvider {
    inner: Arc<Inner>,
}

struct Inner {
    options: LocalOptions,
    ground: Ground,
    owners: Owners,
    groups: Cgroups,
    boot: String,
    dialer: Dialer,
    entropy: Arc<dyn Entropy>,
    capabilities: Capabilities,
    /// Held by whoever copies files; a sweep must not take a copy under way for a remainder.
    copying: tokio::sync::Mutex<()>,
    /// Held from counting sandboxes to there being one more.
    counting: tokio::sync::Mutex<()>,
    slots: Mutex<HashMap<SandboxId, Arc<Slot>>>,
    tasks: TaskTracker,
    cancel: CancellationToken,
    /// Held as long as this provider lives: two would take each other's sandboxes for remains.
    _alone: File,
}

/// One sandbox, for whoever changes it and for whoever uses it.
#[derive(Default)]
struct Slot {
    turn: tokio::sync::Mutex<()>,
    live: Mutex<Option<Arc<Live>>>,
}

/// What of a running sandbox is in this process.
struct Live {
    held: Arc<Held>,
    way: Way,
    relay: Relay,
    activity: Arc<Activity>,
    network: Mutex<Outward>,
}

impl Live {
    fn network(&self) -> std::sync::MutexGuard<'_, Outward> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn live(&self) -> Option<Arc<Live>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.as_ref().filter(|live| live.held.is_alive()).cloned()
    }

    fn set(&self, live: Option<Arc<Live>>) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }
}

impl LocalProvider {
    /// Takes up the sandboxes of a state directory. Must be called on the runtime; blocks for a
    /// moment.
    ///
    /// # Errors
    /// When the directory cannot be used, or another server uses it.
    pub fn open(options: LocalOptions, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let files = |source| Error::Files {
            what: "the state directory",
            source,
        };
        let ground = Ground::open(&options.state).map_err(files)?;
        let alone = File::create(ground.state().join("lock")).map_err(files)?;
        flock(&alone, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Error::Invalid(format!(
                "another server uses the sandboxes in {}",
                options.state.display()
            ))
        })?;
        let owners = owners::find(options.first_id);
        let tag = SandboxId::of(&ground.state().to_string_lossy());
        let tag: String = tag.as_str().chars().skip(4).take(8).collect();
        let groups = Cgroups::find(&tag);
        let capabilities = capabilities(owners, &groups);
        let dialer = Dialer::start().map_err(|source| Error::System {
            what: "the thread that reaches sandboxes",
            source,
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                ground,
                owners,
                groups,
                boot: boot(),
                dialer,
                entropy,
                capabilities,
                copying: tokio::sync::Mutex::default(),
                counting: tokio::sync::Mutex::default(),
                slots: Mutex::default(),
                tasks: TaskTracker::new(),
                cancel: CancellationToken::new(),
                _alone: alone,
                options,
            }),
        })
    }

    /// Carries something through, whether or not whoever asked stays.
    async fn through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let task = self.inner.tasks.spawn(work);
        task.await.map_err(|error| Error::System {
            what: "a task of the provider's",
            source: std::io::Error::other(error),
        })?
    }
}

fn capabilities(owners: Owners, groups: &Cgroups) -> Capabilities {
    let mut capabilities = Capabilities::default();
    let can = &mut capabilities.can;
    can.extend([
        Capability::Isolation,
        Capability::Snapshot,
        Capability::AllowList,
        Capability::Processes,
    ]);
    for wanted in [
        Capability::Memory,
        Capability::Processors,
        Capability::Pause,
    ] {
        if groups.can(wanted) {
            can.insert(wanted);
        } else {
            let what = wanted.to_string();
            let note = format!("it cannot {what}: no control group can be made for that here");
            capabilities.notes.push(note);
        }
    }
    let can = &mut capabilities.can;
    if owners.has_root() {
        can.insert(Capability::Root);
    } else {
        capabilities.notes.push(owners::SINGLE.to_owned());
    }
    match network::slirp() {
        Some(_) => {
            capabilities.can.insert(Capability::OpenNetwork);
        }
        None => capabilities.notes.push(network::NO_SLIRP.to_owned()),
    }
    capabilities
}

impl Inner {
    fn slot(&self, id: &SandboxId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(id.clone()).or_default())
    }

    fn known(&self, id: &SandboxId) -> Option<Arc<Slot>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(id).cloned()
    }

    /// Lets go of the slot of a sandbox that is gone, called by whoever has its turn. One that
    /// others wait for stays: with a second one for the same sandbox there would be two turns.
    fn forget_slot(&self, id: &SandboxId) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // The map's and that of whoever calls this.
        if slots
            .get(id)
            .is_some_and(|slot| Arc::strong_count(slot) <= 2)
        {
            slots.remove(id);
        }
    }

    /// The record of a sandbox that is to be changed, by whoever has its turn.
    async fn record_to_change(&self, id: &SandboxId) -> Result<Record, Error> {
        let record = self.record(id).await;
        if let Err(Error::NotFound) = record {
            self.forget_slot(id);
        }
        record
    }

    /// The record of a sandbox that was made.
    async fn record(&self, id: &SandboxId) -> Result<Record, Error> {
        let directory = self.ground.of(id);
        match blocking(move || Record::read(&directory)).await? {
            Ok(record) if record.stage == Stage::Made => Ok(record),
            Ok(_) => Err(Error::NotFound),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::NotFound),
            Err(source) => Err(Error::Files {
                what: "the record",
                source,
            }),
        }
    }

    async fn write(&self, record: &Record) -> Result<(), Error> {
        let directory = self.ground.of(&record.id);
        let record = record.clone();
        let written = blocking(move || record.write(&directory)).await?;
        written.map_err(|source| Error::Files {
            what: "the record",
            source,
        })
    }

    /// The first process, where it runs.
    fn process(&self, record: &Record) -> Option<Held> {
        let init = record.init.filter(|_| record.boot == self.boot)?;
        Held::take(init)
    }

    fn health(&self, record: &Record) -> Health {
        match self.process(record) {
            Some(_) if record.paused => Health::Paused,
            Some(_) => Health::Running,
            None => Health::Stopped,
        }
    }

    fn facts(&self, record: &Record) -> Sandbox {
        let live = self.known(&record.id).and_then(|slot| slot.live());
        let has_root = record.owners.has_root();
        let root = has_root.then(|| User {
            name: "root".to_owned(),
            root: true,
        });
        let user = User {
            name: "user".to_owned(),
            root: has_root,
        };
        Sandbox {
            id: record.id.clone(),
            provider: NAME,
            ssh_host: "127.0.0.1".to_owned(),
            ssh_port: live.map(|live| live.relay.port),
            host_key: record.host_key.public.clone(),
            fingerprint: record.host_key.fingerprint.clone(),
            users: root.into_iter().chain([user]).collect(),
            workspace: WORKSPACE.to_owned(),
            agent_port: record.agent_port,
            health: self.health(record),
            expires_at: record.expires_at,
            notes: record.notes.clone(),
        }
    }
}

impl Provider for LocalProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities.clone()
    }

    fn create<'a>(&'a self, key: &'a str, spec: Spec) -> BoxFuture<'a, Result<Sandbox, Error>> {
        let inner = Arc::clone(&self.inner);
        let id = SandboxId::of(key);
        Box::pin(self.through(async move { inner.create(id, spec).await }))
    }

    fn connect<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Sandbox, Error>> {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        Box::pin(self.through(async move { inner.connect(id).await }))
    }

    fn health<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Health, Error>> {
        Box::pin(async move {
            let record = self.inner.record(id).await?;
            Ok(self.inner.health(&record))
        })
    }

    fn pause<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        Box::pin(self.through(async move { inner.hold(id, true).await }))
    }

    fn resume<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        Box::pin(self.through(async move { inner.hold(id, false).await }))
    }

    fn snapshot<'a>(
        &'a self,
        id: &'a SandboxId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<SnapshotId, Error>> {
        let (inner, id, to) = (Arc::clone(&self.inner), id.clone(), SnapshotId::of(key));
        Box::pin(self.through(async move { inner.snapshot(id, to).await }))
    }

    fn forget<'a>(&'a self, snapshot: &'a SnapshotId) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, snapshot) = (Arc::clone(&self.inner), snapshot.clone());
        Box::pin(self.through(async move { inner.forget(snapshot).await }))
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<SnapshotId>, Error>> {
        Box::pin(self.inner.copies())
    }

    fn extend<'a>(
        &'a self,
        id: &'a SandboxId,
        until: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sandbox, Error>> {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        Box::pin(self.through(async move {
            let slot = inner.slot(&id);
            let _turn = slot.turn.lock().await;
            let mut record = inner.record_to_change(&id).await?;
            record.expires_at = until;
            inner.write(&record).await?;
            Ok(inner.facts(&record))
        }))
    }

    fn terminate<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        Box::pin(self.through(async move { inner.terminate(id).await }))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Sandbox>, Error>> {
        Box::pin(async move {
            let mut all = Vec::new();
            for id in self.inner.ids().await? {
                match self.inner.record(&id).await {
                    Ok(record) => all.push(self.inner.facts(&record)),
                    // Made or removed at this moment.
                    Err(Error::NotFound) => {}
                    // The others are there; a sweep names this one.
                    Err(error) => tracing::warn!(sandbox = %id, %error, "a record is not readable"),
                }
            }
            Ok(all)
        })
    }

    fn sweep(&self, now: Timestamp) -> BoxFuture<'_, Result<Swept, Error>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(self.through(async move { inner.sweep(now).await }))
    }

    fn dial<'a>(
        &'a self,
        id: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, Error>> {
        Box::pin(async move {
            let live = self.inner.known(id).and_then(|slot| slot.live());
            let Some(live) = live else {
                self.inner.record(id).await?;
                return Err(Error::NotRunning);
            };
            let stream = live.way.connect(port).await?;
            let counted = Counted::new(stream, Arc::clone(&live.activity));
            Ok(Box::new(counted) as Box<dyn Connection>)
        })
    }

    fn idle<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Option<Duration>> {
        let live = self.inner.known(id).and_then(|slot| slot.live());
        Box::pin(std::future::ready(live.map(|live| live.activity.idle())))
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.inner.cancel.cancel();
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
            let mut slots = self
                .inner
                .slots
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            slots.clear();
        })
    }
}
