//! Sandboxes of a Docker engine: containers on this machine or wherever its socket leads.
//!
//! Everything goes through the engine's API, so that it works with any engine, without a network
//! in the container and without rights here beyond the socket: a container is made, what a
//! sandbox needs is put in by a script on the standard input of the image's own `sh`, and each
//! connection is an `sshd -i` that the engine starts. The price is some 100 ms for a connection,
//! and that every byte goes through the engine. Only ports are reached without it where that can
//! be done (`direct`).
//!
//! What is written down is on this machine (`record`); the container has a label that says which
//! server and which sandbox it is, by which a sweep finds what a crash has left. Changes of one
//! sandbox happen one after the other (its slot's turn), and each is carried through by a task of
//! its own, so that a request that is cut off leaves nothing half done.
//!
//! What it does not do: sockets of engines over TCP (whoever reaches one is root there, and TLS
//! would be a second stack of it), a list of allowed hosts, and `no-new-privileges`, with which
//! sudo would not work.

mod archive;
mod direct;
mod end;
mod engine;
mod exec;
mod image;
mod make;
mod record;
mod words;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_model::{Entropy, Timestamp};

pub use image::Image;

use crate::error::Error;
use crate::id::{SandboxId, SnapshotId};
use crate::launcher::plan::Step;
use crate::launcher::skeleton::WORKSPACE;
use crate::local::DEFAULT_MOST;
use crate::local::dial::{Dialer, Way};
use crate::local::launch::blocking;
use crate::local::record::Stage;
use crate::local::relay::{Activity, Counted, Relay};
use crate::provider::{
    BoxFuture, Capabilities, Capability, Connection, Health, Provider, Sandbox, Spec, Swept, User,
};
use engine::{Engine, Facts};
use record::{Ledger, Record};

/// Where an engine is if nobody says.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// How long a connection to a port inside may take.
const DIAL_PATIENCE: Duration = Duration::from_secs(10);
/// How this provider is called.
const NAME: &str = "docker";

/// Said of every engine.
const NO_LIST: &str = "a Docker engine has no list of hosts; set sandbox.egress to `*` for any or to nothing for \
     none, or sandbox.provider to local";
const NO_NETWORK: &str = "the engine has no network of the kind `bridge`";
const NOT_MAPPED: &str = "root in a container is root of the engine's machine, held by what a \
     container may do alone; an engine that is rootless or has `userns-remap` keeps more apart";

/// How sandboxes of an engine are made.
#[derive(Debug, Clone)]
pub struct DockerOptions {
    /// A directory of the provider's own.
    pub state: PathBuf,
    /// The engine's socket.
    pub socket: PathBuf,
    /// What they start from.
    pub image: Image,
    /// Most sandboxes at once.
    pub most: usize,
    /// Ports inside are reached without the engine, where root runs this on the machine of the
    /// containers.
    pub direct: bool,
    /// Fails after this step of starting; for tests.
    pub fail_after: Option<Step>,
}

impl DockerOptions {
    /// Sandboxes of our own image at this machine's engine.
    #[must_use]
    pub fn new(state: PathBuf) -> Self {
        Self {
            state,
            socket: DEFAULT_SOCKET.into(),
            image: Image::Own,
            most: DEFAULT_MOST,
            direct: true,
            fail_after: None,
        }
    }
}

/// The socket that `DOCKER_HOST` or a path names.
///
/// # Errors
/// In words, when that is no socket of this machine.
pub fn socket(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix://").unwrap_or(text);
    if Path::new(path).is_absolute() {
        return Ok(path.into());
    }
    Err(format!(
        "`{}` is no socket of this machine; write unix:///PATH, and bring the socket of another \
         machine here with `ssh -nNT -L /PATH:{DEFAULT_SOCKET} HOST`",
        text.escape_debug()
    ))
}

/// Makes sandboxes at a Docker engine. Cheap to clone.
#[derive(Clone)]
pub struct DockerProvider {
    inner: Arc<Inner>,
}

struct Inner {
    options: DockerOptions,
    engine: Engine,
    known: Facts,
    /// Who enters the networks of containers, if anybody may.
    dialer: Option<Dialer>,
    ledger: Ledger,
    /// By which this server's containers are told from another's.
    server: String,
    entropy: Arc<dyn Entropy>,
    capabilities: Capabilities,
    /// Held by whoever brings the image to the engine.
    building: tokio::sync::Mutex<()>,
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

/// What of a sandbox is in this process.
struct Live {
    relay: Relay,
    activity: Arc<Activity>,
    /// The way past the engine, as long as the container is not started anew.
    way: Mutex<Option<Way>>,
}

impl Live {
    fn way(&self) -> Option<Way> {
        let way = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        way.as_ref().filter(|way| way.leads_somewhere()).cloned()
    }

    fn set_way(&self, way: Option<Way>) {
        *self.way.lock().unwrap_or_else(PoisonError::into_inner) = way;
    }
}

impl Slot {
    fn live(&self) -> Option<Arc<Live>> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.clone()
    }

    fn set(&self, live: Option<Arc<Live>>) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = live;
    }
}

impl DockerProvider {
    /// Takes up the sandboxes of a state directory at the engine that has them.
    ///
    /// # Errors
    /// When the directory cannot be used, another server uses it, or no engine answers.
    pub async fn open(options: DockerOptions, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let files = |source| Error::Files {
            what: "the state directory",
            source,
        };
        let ledger = Ledger::open(&options.state).map_err(files)?;
        let alone = File::create(ledger.state().join("lock")).map_err(files)?;
        flock(&alone, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Error::Invalid(format!(
                "another server uses the sandboxes in {}",
                options.state.display()
            ))
        })?;
        let engine = Engine::connect(&options.socket).await?;
        let known = engine.facts().await?;
        let tag = SandboxId::of(&ledger.state().to_string_lossy());
        Ok(Self {
            inner: Arc::new(Inner {
                capabilities: capabilities(&known),
                server: tag.short(),
                dialer: options.direct.then(direct::dialer).flatten(),
                engine,
                known,
                ledger,
                entropy,
                building: tokio::sync::Mutex::default(),
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

fn capabilities(known: &Facts) -> Capabilities {
    let mut capabilities = Capabilities::default();
    let always = [
        Capability::Isolation,
        Capability::Root,
        Capability::Snapshot,
    ];
    capabilities.can.extend(always.iter().chain(&known.can));
    let notes = &mut capabilities.notes;
    for missing in [
        Capability::Pause,
        Capability::Memory,
        Capability::Processors,
        Capability::Processes,
    ] {
        if !known.can.contains(&missing) {
            notes.push(format!(
                "it cannot {missing}: the engine has no control group for that"
            ));
        }
    }
    if !known.can.contains(&Capability::OpenNetwork) {
        notes.push(NO_NETWORK.to_owned());
    }
    notes.push(NO_LIST.to_owned());
    if !known.maps_users {
        notes.push(NOT_MAPPED.to_owned());
    }
    capabilities
}

impl Inner {
    fn slot(&self, id: &SandboxId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(id.clone()).or_default())
    }

    fn known(&self, id: &SandboxId) -> Option<Arc<Live>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get(id).and_then(|slot| slot.live())
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

    /// How the container of a sandbox is called.
    fn container(&self, id: &SandboxId) -> String {
        let digits = id.as_str().rsplit('_').next().unwrap_or_default();
        format!("wharf-{}-{digits}", self.server)
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
        let (ledger, looked) = (self.ledger.clone(), id.clone());
        match blocking(move || ledger.read(&looked)).await? {
            Ok(record) => {
                self.check_engine(&record)?;
                if record.stage == Stage::Made {
                    return Ok(record);
                }
                Err(Error::NotFound)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Error::NotFound),
            Err(source) => Err(Error::Files {
                what: "the record",
                source,
            }),
        }
    }

    /// What is at another engine is not gone because this one does not know it.
    fn check_engine(&self, record: &Record) -> Result<(), Error> {
        if record.engine == self.known.id {
            return Ok(());
        }
        Err(Error::Host(format!(
            "the sandbox is at another Docker engine ({}), and sandbox.docker_host names this one",
            record.engine
        )))
    }

    async fn write(&self, record: &Record) -> Result<(), Error> {
        let (ledger, record) = (self.ledger.clone(), record.clone());
        let written = blocking(move || ledger.write(&record)).await?;
        written.map_err(|source| Error::Files {
            what: "the record",
            source,
        })
    }

    /// Of which there are records.
    async fn ids(&self) -> Result<Vec<SandboxId>, Error> {
        let ledger = self.ledger.clone();
        let listed = blocking(move || ledger.ids()).await?;
        listed.map_err(|source| Error::Files {
            what: "the records",
            source,
        })
    }

    async fn list(&self) -> Result<Vec<Sandbox>, Error> {
        let there = self.there().await?;
        let mut all = Vec::new();
        for id in self.ids().await? {
            match (self.record(&id).await, there.get(&id)) {
                (Ok(record), Some(health)) => all.push(self.facts(&record, *health)),
                // Made or removed at this moment, or a remainder.
                (Ok(_) | Err(Error::NotFound), _) => {}
                // The others are there; a sweep names this one.
                (Err(error), _) => {
                    tracing::warn!(sandbox = %id, %error, "a record is not readable");
                }
            }
        }
        Ok(all)
    }

    async fn dial(
        &self,
        live: &Live,
        id: &SandboxId,
        port: u16,
    ) -> Result<Box<dyn Connection>, Error> {
        if let Some(way) = live.way() {
            let stream = way.connect(port).await?;
            return Ok(Box::new(Counted::new(stream, Arc::clone(&live.activity))));
        }
        let words = ["bash", "-c", &words::dial(port)];
        let name = self.container(id);
        let dialed = async {
            let mut stream = self.engine.exec(&name, words).await?;
            // One byte says that there is somebody; without it nothing comes at all.
            let mut first = [0];
            match stream.read_exact(&mut first).await {
                Ok(_) => Ok(stream),
                Err(_) => Err(Error::Refused(port)),
            }
        };
        match tokio::time::timeout(DIAL_PATIENCE, dialed).await {
            Ok(stream) => Ok(Box::new(Counted::new(stream?, Arc::clone(&live.activity)))),
            Err(_) => Err(Error::Late {
                what: "a connection into the sandbox",
                limit: DIAL_PATIENCE,
            }),
        }
    }

    fn facts(&self, record: &Record, health: Health) -> Sandbox {
        let live = self.known(&record.id);
        let user = |name: &str| User {
            name: name.to_owned(),
            root: true,
        };
        Sandbox {
            id: record.id.clone(),
            provider: NAME,
            ssh_host: "127.0.0.1".to_owned(),
            ssh_port: live.map(|live| live.relay.port),
            host_key: record.host_key.public.clone(),
            fingerprint: record.host_key.fingerprint.clone(),
            users: vec![user("root"), user("user")],
            workspace: WORKSPACE.to_owned(),
            agent_port: record.agent_port,
            health,
            expires_at: record.expires_at,
            notes: record.notes.clone(),
        }
    }
}

impl Provider for DockerProvider {
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
            self.inner.record(id).await?;
            let state = self.inner.engine.state(&self.inner.container(id)).await?;
            state.map(|state| state.health).ok_or(Error::NotFound)
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
            let state = inner.engine.state(&inner.container(&id)).await?;
            let state = state.ok_or(Error::NotFound)?;
            record.expires_at = until;
            inner.write(&record).await?;
            Ok(inner.facts(&record, state.health))
        }))
    }

    fn terminate<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        Box::pin(self.through(async move { inner.terminate(id).await }))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Sandbox>, Error>> {
        Box::pin(self.inner.list())
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
            let Some(live) = self.inner.known(id) else {
                self.inner.record(id).await?;
                return Err(Error::NotRunning);
            };
            self.inner.dial(&live, id, port).await
        })
    }

    fn idle<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Option<Duration>> {
        let live = self.inner.known(id);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_by_its_socket() {
        for right in ["unix:///run/x.sock", "/run/x.sock"] {
            assert_eq!(socket(right), Ok("/run/x.sock".into()));
        }
        for wrong in ["tcp://10.0.0.1:2375", "unix://x", "x", ""] {
            let said = socket(wrong).unwrap_err();
            assert!(
                said.contains("no socket of this machine"),
                "{wrong}: {said}"
            );
        }
    }

    #[test]
    fn what_an_engine_cannot_do_is_said() {
        let engine = |can: Vec<Capability>, maps_users| {
            capabilities(&Facts {
                id: String::new(),
                can,
                maps_users,
            })
        };
        let least = engine(Vec::new(), false);
        assert!(!least.has(Capability::Pause) && least.has(Capability::Isolation));
        let notes = least.notes.join("\n");
        assert!(notes.contains("cannot bound the memory"), "{notes}");
        assert!(
            notes.contains(NOT_MAPPED) && notes.contains(NO_NETWORK),
            "{notes}"
        );
        let all = vec![
            Capability::Pause,
            Capability::Memory,
            Capability::Processors,
            Capability::Processes,
            Capability::OpenNetwork,
        ];
        let most = engine(all, true);
        assert!(most.has(Capability::Memory) && !most.has(Capability::AllowList));
        assert_eq!(most.notes, [NO_LIST]);
    }
}
