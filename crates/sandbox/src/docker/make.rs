//! Making a sandbox, finding it again, and starting it from its files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bollard::models::{ContainerCreateBody, HostConfig};
use wharf_model::Secret;

use super::engine::{Engine, SANDBOX_LABEL, SERVER_LABEL};
use super::record::Record;
use super::{Inner, Live, NAME, Slot, direct, words};
use crate::check;
use crate::error::Error;
use crate::id::SandboxId;
use crate::launcher::plan::{Entry, Step};
use crate::local::dial::Way;
use crate::local::record::{HostKey, Stage};
use crate::local::relay::{Activity, Inside, Relay};
use crate::provider::{Capability, Egress, Health, Limits, Sandbox, Source, Spec};

/// Where sshd would listen inside; nothing does, since each connection has its own.
const SSH_PORT: u16 = 22;
/// How long everything that a sandbox needs may take to be put in.
const SETUP_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// What root may do inside: what [`crate::launcher`] leaves to the root of a local sandbox, less
/// what reaches past a container where nobody maps users (`DAC_READ_SEARCH` opens the machine's
/// files by their handles, `SYS_PTRACE` needs none of them), and with what sshd and sudo end
/// without where the kernel keeps an audit log.
const KEPT: [&str; 12] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "SETFCAP",
    "AUDIT_WRITE",
];

/// The way in over the engine: an sshd for each connection.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) engine: Engine,
    pub(super) container: String,
}

impl Inside for Door {
    type Stream = super::exec::Streams;

    async fn enter(&self) -> Result<Self::Stream, Error> {
        let words = ["/bin/sh", "-c", &words::enter()];
        self.engine.exec(&self.container, words).await
    }
}

impl Inner {
    pub(super) async fn create(&self, id: SandboxId, spec: Spec) -> Result<Sandbox, Error> {
        check::spec(&spec)?;
        self.check_possible(&spec)?;
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        match self.record(&id).await {
            Ok(record) => match self.bring_up(&slot, record).await {
                // Somebody has removed it behind our back, with its files.
                Err(Error::NotFound) => self.destroy(&id).await?,
                other => return other,
            },
            Err(Error::NotFound) => self.destroy(&id).await?,
            Err(error) => return Err(error),
        }
        let mut record = self.new_record(&id, spec)?;
        if let Err(error) = self.take_place(&record).await {
            self.forget_slot(&id);
            return Err(error);
        }
        if let Err(error) = self.make(&slot, &mut record).await {
            slot.set(None);
            if let Err(left) = self.destroy(&id).await {
                tracing::warn!(sandbox = %id, error = %left, "what was half made is left behind");
            }
            self.forget_slot(&id);
            return Err(error);
        }
        Ok(self.facts(&record, Health::Running))
    }

    pub(super) async fn connect(&self, id: SandboxId) -> Result<Sandbox, Error> {
        let slot = self.slot(&id);
        let _turn = slot.turn.lock().await;
        let record = self.record_to_change(&id).await?;
        self.bring_up(&slot, record).await
    }

    /// Makes a sandbox that was made once reachable: as it runs, or started again.
    async fn bring_up(&self, slot: &Slot, mut record: Record) -> Result<Sandbox, Error> {
        let name = self.container(&record.id);
        let state = self.engine.state(&name).await?.ok_or(Error::NotFound)?;
        let is_whole = state.started.is_some() && state.started == record.started;
        match state.health {
            Health::Paused => {}
            Health::Running if is_whole => {}
            // Somebody else has started it, and what is in memory is not there.
            Health::Running => self.put_in(&mut record).await?,
            Health::Stopped => {
                self.engine.start(&name).await?;
                self.put_in(&mut record).await?;
            }
        }
        match slot.live() {
            Some(live) if live.way().is_some() => {}
            Some(live) => live.set_way(self.way(&record.id).await?),
            None => self.open_way(slot, &mut record).await?,
        }
        self.write(&record).await?;
        let health = match state.health {
            Health::Stopped => Health::Running,
            other => other,
        };
        Ok(self.facts(&record, health))
    }

    /// Writes the record, by which a sandbox counts, where there is room for one more.
    async fn take_place(&self, record: &Record) -> Result<(), Error> {
        let _alone = self.counting.lock().await;
        let there = self.ids().await?.len();
        if there >= self.options.most {
            return Err(Error::Full(there));
        }
        self.write(record).await
    }

    async fn make(&self, slot: &Slot, record: &mut Record) -> Result<(), Error> {
        self.passed(Step::Record)?;
        let image = match &record.source {
            Source::Fresh => {
                let _alone = self.building.lock().await;
                self.options.image.ensure(&self.engine).await?
            }
            Source::Snapshot(from) => self.kept(from).join(":"),
        };
        // Of what has lost its name meanwhile a sandbox must not be made.
        let image = self.engine.image(&image).await?;
        let image = match (image, &record.source) {
            (Some(image), _) => image,
            (None, Source::Snapshot(_)) => return Err(Error::NoSnapshot),
            (None, Source::Fresh) => {
                let what = format!("there is no image {}", self.options.image);
                return Err(Error::Invalid(what));
            }
        };
        record.image = Some(image.clone());
        self.write(record).await?;
        let name = self.container(&record.id);
        self.engine.create(&name, self.body(record, image)).await?;
        self.passed(Step::Root)?;
        self.engine.start(&name).await?;
        self.passed(Step::Clone)?;
        self.put_in(record).await?;
        self.passed(Step::Files)?;
        self.open_way(slot, record).await?;
        self.passed(Step::Relay)?;
        record.stage = Stage::Made;
        self.write(record).await
    }

    fn body(&self, record: &Record, image: String) -> ContainerCreateBody {
        let Limits {
            memory,
            processes,
            processors,
        } = record.limits;
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let in_memory = |mode: &str| {
            let size = memory.map_or(String::new(), |most| format!(",size={}", most / 4 * 3));
            format!("rw,nosuid,nodev,exec,mode={mode}{size}")
        };
        let network = match record.egress {
            Egress::On => "default",
            _ => "none",
        };
        let host = HostConfig {
            network_mode: Some(network.to_owned()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(KEPT.map(str::to_owned).into()),
            memory: memory.map(signed),
            // The same: no swap beside it.
            memory_swap: memory.map(signed),
            nano_cpus: processors.map(|thousandths| signed(thousandths.saturating_mul(1_000_000))),
            pids_limit: processes.map(signed),
            tmpfs: Some(HashMap::from([
                ("/run".to_owned(), in_memory("755")),
                ("/tmp".to_owned(), in_memory("1777")),
            ])),
            ..HostConfig::default()
        };
        let labels = [
            (SERVER_LABEL, self.server.as_str()),
            (SANDBOX_LABEL, record.id.as_str()),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ContainerCreateBody {
            image: Some(image),
            hostname: Some(record.id.host_name()),
            user: Some("0".to_owned()),
            working_dir: Some("/".to_owned()),
            entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
            cmd: Some(vec![words::REST.to_owned()]),
            labels: Some(HashMap::from(labels)),
            // The first process hears nothing else, and nobody is to wait for it.
            stop_signal: Some("SIGKILL".to_owned()),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        }
    }

    /// Puts into a container that was started what it needs, and notes for which start that was.
    async fn put_in(&self, record: &mut Record) -> Result<(), Error> {
        let name = self.container(&record.id);
        let state = self.engine.state(&name).await?.ok_or(Error::NotFound)?;
        let mut environment = record.environment.clone();
        // sshd knows nothing of what an image has for all that runs in it. What the caller says
        // comes first, and so holds.
        environment.extend(state.environment.into_iter().filter(check::is_variable));
        let entry = Entry {
            port: SSH_PORT,
            host_key: record.host_key.private.clone(),
            authorized: record.public_keys.clone(),
            environment,
        };
        let script = words::setup(&entry);
        let spoken = async {
            let shell = self.engine.exec(&name, ["/bin/sh", "-s", "wharf"]).await?;
            shell.converse(&script).await
        };
        let spoken = tokio::time::timeout(SETUP_PATIENCE, spoken).await;
        let (printed, said) = spoken.unwrap_or(Err(Error::Late {
            what: "what is put into the sandbox",
            limit: SETUP_PATIENCE,
        }))?;
        let mut lines: Vec<&str> = printed.lines().collect();
        if lines.pop() != Some(words::DONE) {
            let what = if said.is_empty() {
                "it has no sh that works"
            } else {
                &said
            };
            return Err(failed(Step::Files, what));
        }
        record.notes = lines.into_iter().map(str::to_owned).collect();
        record.notes.extend(self.shortcomings(record));
        record.started = state.started;
        Ok(())
    }

    async fn open_way(&self, slot: &Slot, record: &mut Record) -> Result<(), Error> {
        let activity = Activity::begin();
        let door = Door {
            engine: self.engine.clone(),
            container: self.container(&record.id),
        };
        let cancel = self.cancel.child_token();
        let counted = Arc::clone(&activity);
        let relay = Relay::open(record.port, door, counted, &self.tasks, cancel).await?;
        record.port = Some(relay.port);
        let way = self.way(&record.id).await?;
        slot.set(Some(Arc::new(Live {
            relay,
            activity,
            way: Mutex::new(way),
        })));
        Ok(())
    }

    /// The way past the engine, where there is one.
    async fn way(&self, id: &SandboxId) -> Result<Option<Way>, Error> {
        if self.dialer.is_none() {
            return Ok(None);
        }
        let state = self.engine.state(&self.container(id)).await?;
        let process = state.and_then(|state| state.process);
        let dialer = self.dialer.as_ref();
        Ok(process.and_then(|(container, pid)| direct::way(dialer, &container, pid)))
    }

    fn new_record(&self, id: &SandboxId, spec: Spec) -> Result<Record, Error> {
        let host_key =
            HostKey::of(id, &*self.entropy).map_err(|error| failed(Step::Record, error))?;
        let exposed = |(name, value): (String, Secret)| (name, value.expose().to_owned());
        Ok(Record {
            version: Record::VERSION,
            id: id.clone(),
            stage: Stage::Making,
            engine: self.known.id.clone(),
            image: None,
            started: None,
            source: spec.source,
            limits: spec.limits,
            egress: spec.egress,
            agent_port: spec.agent_port,
            expires_at: spec.expires_at,
            public_keys: spec.public_keys,
            environment: spec.environment.into_iter().map(exposed).collect(),
            host_key,
            port: None,
            notes: Vec::new(),
        })
    }

    /// Whether this provider can do what is asked for at all.
    fn check_possible(&self, spec: &Spec) -> Result<(), Error> {
        let cannot = |what, hint: &str| {
            Err(Error::Unsupported {
                provider: NAME,
                what,
                hint: format!(": {hint}"),
            })
        };
        match spec.egress {
            Egress::Only(_) => cannot(Capability::AllowList, super::NO_LIST),
            Egress::On if !self.capabilities.has(Capability::OpenNetwork) => {
                cannot(Capability::OpenNetwork, super::NO_NETWORK)
            }
            _ => Ok(()),
        }
    }

    /// Limits that were asked for and that this engine does not keep.
    fn shortcomings(&self, record: &Record) -> Vec<String> {
        let limits = record.limits;
        let wanted = [
            (limits.memory, Capability::Memory, "its memory has"),
            (
                limits.processors,
                Capability::Processors,
                "its processors have",
            ),
            (
                limits.processes,
                Capability::Processes,
                "its processes have",
            ),
        ];
        let missing = wanted.into_iter().filter(|(limit, capability, _)| {
            limit.is_some() && !self.capabilities.has(*capability)
        });
        missing
            .map(|(_, _, what)| {
                format!("{what} no bound: the engine has no control group for that")
            })
            .collect()
    }

    fn passed(&self, step: Step) -> Result<(), Error> {
        if self.options.fail_after == Some(step) {
            return Err(failed(step, "this is as far as it was to go"));
        }
        Ok(())
    }
}

fn failed(step: Step, what: impl std::fmt::Display) -> Error {
    Error::Start {
        step,
        what: what.to_string(),
    }
}
