//! Making a sandbox, finding it again, and starting it from its files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::process::Signal;
use wharf_model::Secret;

use super::dial::{Helper, Way};
use super::ground;
use super::launch::{START_PATIENCE, blocking};
use super::process::Held;
use super::record::{HostKey, Record, Stage, VERSION};
use super::relay::{Activity, Relay};
use super::{Inner, Live, NAME, SSH_PORT, network, owners};
use crate::check;
use crate::error::Error;
use crate::id::SandboxId;
use crate::launcher::plan::{Answer, Entry, How, Init, Owners, Plan, Start, Step};
use crate::provider::{Capability, Egress, Sandbox, Source, Spec};

impl Inner {
    pub(super) async fn create(&self, id: SandboxId, spec: Spec) -> Result<Sandbox, Error> {
        check::spec(&spec)?;
        self.check_possible(&spec)?;
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        match self.record(&id).await {
            Ok(record) => return self.bring_up(&slot, record).await,
            Err(Error::NotFound) => self.destroy(&id).await?,
            Err(error) => return Err(error),
        }
        let mut record = self.new_record(&id, spec)?;
        match self.take_place(&id).await {
            Ok(owners) => record.owners = owners,
            Err(error) => {
                self.forget_slot(&id);
                return Err(error);
            }
        }
        let made = self.make(&slot, &mut record).await;
        if let Err(error) = made {
            slot.set(None);
            if let Err(left) = self.destroy(&id).await {
                tracing::warn!(sandbox = %id, error = %left, "what was half made is left behind");
            }
            self.forget_slot(&id);
            return Err(error);
        }
        Ok(self.facts(&record))
    }

    pub(super) async fn connect(&self, id: SandboxId) -> Result<Sandbox, Error> {
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        let record = self.record_to_change(&id).await?;
        self.bring_up(&slot, record).await
    }

    /// Makes a sandbox that was made once reachable: as it runs, or started again.
    async fn bring_up(&self, slot: &super::Slot, mut record: Record) -> Result<Sandbox, Error> {
        if !record.paused {
            // A server that ended while it copied or held it has left it standing still.
            let _there_is_none_to_let_go = self.groups.hold(record.id.as_str(), false);
        }
        if let Some(live) = slot.live().filter(|live| live.way.is_alive()) {
            if !live.network().is_open() {
                // The way in stays as it is: people are on it.
                let network = self.open_way_out(&mut record, &live.way, &live.held).await;
                *live.network() = network;
                self.write(&record).await?;
            }
            return Ok(self.facts(&record));
        }
        slot.set(None);
        if let Some(held) = self.process(&record) {
            self.open_ways(slot, &mut record, held).await?;
            self.write(&record).await?;
            return Ok(self.facts(&record));
        }
        self.stop(&mut record).await?;
        if let Err(error) = self.start(slot, &mut record).await {
            slot.set(None);
            self.stop(&mut record).await?;
            return Err(error);
        }
        Ok(self.facts(&record))
    }

    /// Makes the directory, by which a sandbox counts and has its users, where there is room for one
    /// more; says who they are.
    async fn take_place(&self, id: &SandboxId) -> Result<Owners, Error> {
        let _alone = self.counting.lock().await;
        let there = self.ids().await?.len();
        if there >= self.options.most {
            return Err(Error::Full(there));
        }
        let (home, sandboxes) = (self.ground.of(id), self.ground.sandboxes());
        let owners = self.owners;
        let made = blocking(move || {
            let owners = match owners {
                Owners::Range { first, count } => {
                    let used = ground::ranges(&sandboxes)?;
                    let first = owners::free(first, &used, Path::new("/etc"));
                    let first = first.ok_or_else(|| io::Error::other(owners::NONE_FREE))?;
                    Owners::Range { first, count }
                }
                one => one,
            };
            ground::make_home(&home, owners).map(|()| owners)
        });
        made.await?.map_err(|error| failed(Step::Record, error))
    }

    async fn make(&self, slot: &super::Slot, record: &mut Record) -> Result<(), Error> {
        let directory = self.ground.of(&record.id);
        self.write(record).await?;
        self.passed(Step::Record)?;
        self.start_made(slot, record, directory).await
    }

    async fn start_made(
        &self,
        slot: &super::Slot,
        record: &mut Record,
        directory: std::path::PathBuf,
    ) -> Result<(), Error> {
        if let Source::Snapshot(from) = record.source.clone() {
            self.copy_in(&from, &directory, record.owners).await?;
        }
        let (base, owners) = (record.base.clone(), record.owners);
        let made = blocking(move || ground::make_inside(&directory, &base, owners)).await?;
        made.map_err(|error| failed(Step::Directories, error))?;
        self.passed(Step::Directories)?;
        self.start(slot, record).await
    }

    /// Starts what has its files. What fails half-way is for the caller to end.
    async fn start(&self, slot: &super::Slot, record: &mut Record) -> Result<(), Error> {
        record.boot.clone_from(&self.boot);
        record.paused = false;
        record.groups = self
            .groups
            .make(record.id.as_str(), record.limits)
            .map_err(|error| failed(Step::Groups, error))?;
        self.write(record).await?;
        self.passed(Step::Groups)?;
        let (init, mut notes) = self.launch(record).await?;
        notes.extend(self.shortcomings(record));
        record.notes = notes;
        record.init = Some(init);
        let held = Held::take(init).ok_or_else(|| failed(Step::Listen, "it ended at once"))?;
        self.open_ways(slot, record, held).await?;
        record.stage = Stage::Made;
        self.write(record).await
    }

    async fn launch(&self, record: &Record) -> Result<(Init, Vec<String>), Error> {
        let directory = self.ground.of(&record.id);
        let home = directory.clone();
        let blank = blocking(move || ground::write_init(&home, None)).await?;
        blank.map_err(|error| failed(Step::Record, error))?;
        let mut environment = record.environment.clone();
        environment.extend(network::environment(&record.egress));
        let plan = Plan::Start(Box::new(Start {
            name: record.id.host_name(),
            directory,
            base: record.base.clone(),
            owners: record.owners,
            groups: record.groups.clone(),
            programs: self.options.programs.clone(),
            processes: record
                .limits
                .processes
                .filter(|_| !self.groups.can(Capability::Processes)),
            memory: record.limits.memory,
            entry: Entry {
                port: SSH_PORT,
                host_key: record.host_key.private.clone(),
                authorized: record.public_keys.clone(),
                environment,
            },
            name_server: network::name_server(&record.egress),
            fault: self.options.fault,
        }));
        let launcher = self.options.launcher.clone();
        match blocking(move || launcher.ask(&plan, START_PATIENCE)).await?? {
            Answer::Started { init, notes } => Ok((init, notes)),
            Answer::Failed(failure) => Err(match failure.step {
                Some(step) => failed(step, failure.what),
                None => Error::Launcher(failure.what),
            }),
            other => Err(Error::Launcher(format!("it answered {other:?}"))),
        }
    }

    /// Opens the way in and the way out of a sandbox that runs.
    async fn open_ways(
        &self,
        slot: &super::Slot,
        record: &mut Record,
        held: Held,
    ) -> Result<(), Error> {
        let held = Arc::new(held);
        let way = match record.owners {
            Owners::Range { .. } => Way::Thread(self.dialer.clone(), Arc::clone(&held)),
            _ => {
                let (launcher, held) = (self.options.launcher.clone(), Arc::clone(&held));
                let helper = blocking(move || Helper::start(&launcher, &held)).await??;
                Way::Helper(Arc::new(helper))
            }
        };
        let activity = Activity::begin();
        let to = (way.clone(), SSH_PORT);
        let cancel = self.cancel.child_token();
        let relay =
            Relay::open(record.port, to, Arc::clone(&activity), &self.tasks, cancel).await?;
        record.port = Some(relay.port);
        self.passed(Step::Relay)?;
        let network = self.open_way_out(record, &way, &held).await;
        self.passed(Step::Egress)?;
        slot.set(Some(Arc::new(Live {
            held,
            way,
            relay,
            activity,
            network: std::sync::Mutex::new(network),
        })));
        Ok(())
    }

    fn new_record(&self, id: &SandboxId, spec: Spec) -> Result<Record, Error> {
        let host_key =
            HostKey::of(id, &*self.entropy).map_err(|error| failed(Step::Record, error))?;
        let exposed = |(name, value): (String, Secret)| (name, value.expose().to_owned());
        Ok(Record {
            version: VERSION,
            id: id.clone(),
            stage: Stage::Making,
            boot: self.boot.clone(),
            init: None,
            helpers: Vec::new(),
            groups: Vec::new(),
            base: self.options.base.clone(),
            owners: self.owners,
            source: spec.source,
            limits: spec.limits,
            egress: spec.egress,
            agent_port: spec.agent_port,
            expires_at: spec.expires_at,
            public_keys: spec.public_keys,
            environment: spec.environment.into_iter().map(exposed).collect(),
            host_key,
            port: None,
            paused: false,
            notes: Vec::new(),
        })
    }

    /// Whether this provider can do what is asked for at all.
    fn check_possible(&self, spec: &Spec) -> Result<(), Error> {
        if spec.egress == Egress::On && !self.capabilities.has(Capability::OpenNetwork) {
            return Err(Error::Unsupported {
                provider: NAME,
                what: Capability::OpenNetwork,
                hint: format!(": {}", network::NO_SLIRP),
            });
        }
        Ok(())
    }

    /// Limits that were asked for and are not kept here.
    fn shortcomings(&self, record: &Record) -> Vec<String> {
        let mut notes = Vec::new();
        let mut missing = |wanted: bool, capability: Capability, what: &str| {
            if wanted && !self.groups.can(capability) {
                notes.push(format!(
                    "{what}: no control group can be made for that here"
                ));
            }
        };
        let limits = record.limits;
        missing(
            limits.memory.is_some(),
            Capability::Memory,
            "its memory has no bound",
        );
        missing(
            limits.processors.is_some(),
            Capability::Processors,
            "its processors have no bound",
        );
        if limits.processes.is_some()
            && !self.groups.can(Capability::Processes)
            && let Owners::Subordinate { .. } = record.owners
        {
            notes.push(
                "its processes are bounded for each of its users and not together: no control \
                 group can be made for that here"
                    .to_owned(),
            );
        }
        if !record.owners.has_root() {
            notes.push(owners::SINGLE.to_owned());
        }
        notes
    }

    /// Stands for a fault where a test wants one.
    pub(super) fn passed(&self, step: Step) -> Result<(), Error> {
        match self.options.fault.and_then(|fault| fault.at(step)) {
            Some(How::Fails) => Err(failed(step, "this is as far as it was to go")),
            Some(How::Ends | How::EndsServer) => {
                let ourselves = rustix::process::getpid();
                let ended = rustix::process::kill_process(ourselves, Signal::KILL);
                ended.map_err(|error| failed(step, error))
            }
            None => Ok(()),
        }
    }
}

fn failed(step: Step, what: impl std::fmt::Display) -> Error {
    Error::Start {
        step,
        what: what.to_string(),
    }
}
