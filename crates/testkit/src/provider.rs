//! A provider of sandboxes that makes none: what it was asked is remembered, and it fails as a test
//! says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use wharf_model::Timestamp;
use wharf_sandbox::provider::{AGENT_PORT, Capability};
use wharf_sandbox::{
    BoxFuture, Capabilities, Connection, Error, Health, Provider, Sandbox, SandboxId, SnapshotId,
    Source, Spec, Swept, User,
};

/// The host key that its sandboxes show.
pub const FAKE_HOST_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

/// What goes wrong the next time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It says no.
    Refuses,
    /// It has done it and fails then.
    FailsHalfWay,
    /// It has done it and never says so.
    Hangs,
    /// It has done it and says so when the test lets it ([`FakeProvider::go_on`]).
    Waits,
    /// It never says so, and does it when nobody waits any more ([`FakeProvider::arrive`]). Of
    /// `create` alone.
    ComesLate,
}

/// A provider in memory. Cheap to clone: all clones are one.
#[derive(Clone, Default)]
pub struct FakeProvider(Arc<Inner>);

struct Inner {
    held: Mutex<Held>,
    hanging: Notify,
    going_on: Semaphore,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            hanging: Notify::new(),
            going_on: Semaphore::new(0),
        }
    }
}

#[derive(Default)]
struct Held {
    sandboxes: BTreeMap<SandboxId, Made>,
    late: Vec<(SandboxId, Made)>,
    snapshots: Vec<SnapshotId>,
    calls: Vec<String>,
    faults: Vec<(&'static str, Fault)>,
    cannot: Vec<Capability>,
    notes: Vec<String>,
    idle: Option<Duration>,
    agent: Option<SocketAddr>,
    port: u16,
}

#[derive(Clone)]
struct Made {
    spec: Spec,
    health: Health,
    port: u16,
}

impl FakeProvider {
    /// The next call of that name goes wrong in this way; several wait for their turn.
    pub fn fail(&self, call: &'static str, fault: Fault) {
        self.held().faults.push((call, fault));
    }

    /// It says that it cannot do that.
    pub fn cannot(&self, capability: Capability) {
        self.held().cannot.push(capability);
    }

    /// Its sandboxes say from now on that this could not be had.
    pub fn note(&self, note: &str) {
        self.held().notes.push(note.to_owned());
    }

    /// Waits until a call hangs, or waits for the test.
    pub async fn hangs(&self) {
        self.0.hanging.notified().await;
    }

    /// One call that waits for the test goes on.
    pub fn go_on(&self) {
        self.0.going_on.add_permits(1);
    }

    /// What comes late is there.
    pub fn arrive(&self) {
        let mut held = self.held();
        let late = std::mem::take(&mut held.late);
        held.sandboxes.extend(late);
    }

    /// What it was asked, in order, each with the key or id.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.held().calls.clone()
    }

    /// How often it was asked for something.
    #[must_use]
    pub fn count(&self, call: &str) -> usize {
        let calls = self.held().calls.clone();
        let names = calls.iter().filter_map(|it| it.split(' ').next());
        names.filter(|name| *name == call).count()
    }

    /// The sandboxes that there are.
    #[must_use]
    pub fn there(&self) -> Vec<SandboxId> {
        self.held().sandboxes.keys().cloned().collect()
    }

    /// The snapshots that there are.
    #[must_use]
    pub fn snapshots(&self) -> Vec<SnapshotId> {
        self.held().snapshots.clone()
    }

    /// What the sandbox of that key was made from.
    #[must_use]
    pub fn spec(&self, key: &str) -> Option<Spec> {
        let held = self.held();
        let made = held.sandboxes.get(&SandboxId::of(key));
        made.map(|made| made.spec.clone())
    }

    /// How the sandbox of that key is.
    #[must_use]
    pub fn health_of(&self, key: &str) -> Option<Health> {
        let held = self.held();
        held.sandboxes.get(&SandboxId::of(key)).map(|it| it.health)
    }

    /// Ends the processes of the sandbox of that key, as a crash would.
    pub fn stop(&self, key: &str) {
        self.stop_of(&SandboxId::of(key));
    }

    fn stop_of(&self, id: &SandboxId) {
        if let Some(made) = self.held().sandboxes.get_mut(id) {
            made.health = Health::Stopped;
        }
    }

    /// Removes the sandbox of that key behind everybody's back.
    pub fn lose(&self, key: &str) {
        self.held().sandboxes.remove(&SandboxId::of(key));
    }

    /// Removes all snapshots behind everybody's back.
    pub fn lose_snapshots(&self) {
        self.held().snapshots.clear();
    }

    /// A sandbox that nobody asked for.
    pub fn stray(&self, key: &str) {
        let made = Made {
            spec: Spec::for_keys(Vec::new()),
            health: Health::Running,
            port: 1,
        };
        self.held().sandboxes.insert(SandboxId::of(key), made);
    }

    /// Its connections have been silent for so long.
    pub fn idle_for(&self, idle: Option<Duration>) {
        self.held().idle = idle;
    }

    /// Connections into sandboxes lead there; nothing listens in them where there is none.
    pub fn lead_to(&self, agent: Option<SocketAddr>) {
        self.held().agent = agent;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap()
    }

    /// Remembers a call; its fault, where it has one.
    fn called(&self, call: &'static str, what: &str) -> Option<Fault> {
        let mut held = self.held();
        held.calls.push(format!("{call} {what}"));
        let at = held.faults.iter().position(|fault| fault.0 == call)?;
        Some(held.faults.remove(at).1)
    }

    /// A call that is refused does nothing.
    async fn begins(&self, fault: Option<Fault>) -> Result<(), Error> {
        match fault {
            Some(Fault::Refuses) => self.done(fault).await,
            _ => Ok(()),
        }
    }

    async fn done(&self, fault: Option<Fault>) -> Result<(), Error> {
        match fault {
            None => Ok(()),
            Some(Fault::Refuses | Fault::FailsHalfWay) => {
                Err(Error::Host("the test said no".to_owned()))
            }
            Some(Fault::Hangs | Fault::ComesLate) => {
                self.0.hanging.notify_one();
                std::future::pending().await
            }
            Some(Fault::Waits) => {
                self.0.hanging.notify_one();
                let permit = self.0.going_on.acquire().await;
                permit.unwrap().forget();
                Ok(())
            }
        }
    }

    fn sandbox(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let held = self.held();
        let made = held.sandboxes.get(id).ok_or(Error::NotFound)?;
        let user = |name: &str, root| User {
            name: name.to_owned(),
            root,
        };
        Ok(Sandbox {
            id: id.clone(),
            provider: "fake",
            ssh_host: "127.0.0.1".to_owned(),
            ssh_port: (made.health == Health::Running).then_some(made.port),
            host_key: FAKE_HOST_KEY.to_owned(),
            fingerprint: "SHA256:fake".to_owned(),
            users: vec![user("root", true), user("user", true)],
            workspace: "/home/user/workspace".to_owned(),
            agent_port: AGENT_PORT,
            health: made.health,
            expires_at: made.spec.expires_at,
            notes: held.notes.clone(),
        })
    }

    fn change(&self, id: &SandboxId, change: impl FnOnce(&mut Made)) -> Result<(), Error> {
        let mut held = self.held();
        let made = held.sandboxes.get_mut(id).ok_or(Error::NotFound)?;
        change(made);
        Ok(())
    }
}

impl Provider for FakeProvider {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn capabilities(&self) -> Capabilities {
        let cannot = self.held().cannot.clone();
        let all = [Capability::Pause, Capability::Snapshot, Capability::Root];
        Capabilities {
            can: all.into_iter().filter(|it| !cannot.contains(it)).collect(),
            notes: Vec::new(),
        }
    }

    fn create<'a>(&'a self, key: &'a str, spec: Spec) -> BoxFuture<'a, Result<Sandbox, Error>> {
        Box::pin(async move {
            let fault = self.called("create", key);
            self.begins(fault).await?;
            let id = SandboxId::of(key);
            {
                let mut held = self.held();
                if let Source::Snapshot(snapshot) = &spec.source
                    && !held.snapshots.contains(snapshot)
                {
                    return Err(Error::NoSnapshot);
                }
                held.port += 1;
                let port = 40_000 + held.port;
                let new = Made {
                    spec,
                    health: Health::Running,
                    port,
                };
                if fault == Some(Fault::ComesLate) {
                    held.late.push((id.clone(), new));
                } else {
                    let made = held.sandboxes.entry(id.clone()).or_insert(new);
                    made.health = Health::Running;
                }
            }
            self.done(fault).await?;
            self.sandbox(&id)
        })
    }

    fn connect<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Sandbox, Error>> {
        Box::pin(async move {
            let fault = self.called("connect", id.as_str());
            self.begins(fault).await?;
            self.change(id, |made| {
                if made.health == Health::Stopped {
                    made.health = Health::Running;
                    made.port += 100;
                }
            })?;
            self.done(fault).await?;
            self.sandbox(id)
        })
    }

    fn health<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Health, Error>> {
        Box::pin(async move {
            let fault = self.called("health", id.as_str());
            self.done(fault).await?;
            self.sandbox(id).map(|sandbox| sandbox.health)
        })
    }

    fn pause<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let fault = self.called("pause", id.as_str());
            self.begins(fault).await?;
            self.change(id, |made| made.health = Health::Paused)?;
            self.done(fault).await
        })
    }

    fn resume<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let fault = self.called("resume", id.as_str());
            self.begins(fault).await?;
            self.change(id, |made| made.health = Health::Running)?;
            self.done(fault).await
        })
    }

    fn snapshot<'a>(
        &'a self,
        id: &'a SandboxId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<SnapshotId, Error>> {
        Box::pin(async move {
            let fault = self.called("snapshot", id.as_str());
            self.begins(fault).await?;
            self.sandbox(id)?;
            let snapshot = SnapshotId::of(key);
            self.held().snapshots.push(snapshot.clone());
            self.done(fault).await?;
            Ok(snapshot)
        })
    }

    fn forget<'a>(&'a self, snapshot: &'a SnapshotId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let fault = self.called("forget", snapshot.as_str());
            self.begins(fault).await?;
            self.held().snapshots.retain(|it| it != snapshot);
            self.done(fault).await
        })
    }

    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<SnapshotId>, Error>> {
        Box::pin(async move {
            let fault = self.called("snapshots", "");
            self.done(fault).await?;
            let mut all = self.held().snapshots.clone();
            all.sort_unstable();
            Ok(all)
        })
    }

    fn extend<'a>(
        &'a self,
        id: &'a SandboxId,
        until: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sandbox, Error>> {
        Box::pin(async move {
            let fault = self.called("extend", id.as_str());
            self.done(fault).await?;
            self.change(id, |made| made.spec.expires_at = until)?;
            self.sandbox(id)
        })
    }

    fn terminate<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let fault = self.called("terminate", id.as_str());
            self.begins(fault).await?;
            if fault == Some(Fault::FailsHalfWay) {
                self.stop_of(id);
            } else {
                self.held().sandboxes.remove(id);
            }
            self.done(fault).await
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Sandbox>, Error>> {
        Box::pin(async move {
            let fault = self.called("list", "");
            self.done(fault).await?;
            self.there().iter().map(|id| self.sandbox(id)).collect()
        })
    }

    fn sweep(&self, _: Timestamp) -> BoxFuture<'_, Result<Swept, Error>> {
        Box::pin(async move {
            let fault = self.called("sweep", "");
            self.done(fault).await?;
            Ok(Swept::default())
        })
    }

    fn dial<'a>(
        &'a self,
        id: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, Error>> {
        Box::pin(async move {
            let fault = self.called("dial", id.as_str());
            self.done(fault).await?;
            let agent = self.held().agent;
            let stream = match agent {
                Some(agent) => TcpStream::connect(agent).await.ok(),
                None => None,
            };
            let stream = stream.ok_or(Error::Refused(port))?;
            Ok(Box::new(stream) as Box<dyn Connection>)
        })
    }

    fn idle<'a>(&'a self, _: &'a SandboxId) -> BoxFuture<'a, Option<Duration>> {
        Box::pin(async move { self.held().idle })
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.called("shutdown", "");
        })
    }
}
