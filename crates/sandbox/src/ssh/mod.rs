//! A host that is there already as a sandbox: a directory of its own, and the caller's keys in the
//! account's `authorized_keys`.
//!
//! Nothing is kept apart from the host, which its capabilities say: whoever enters is the account.
//! What this provider knows of a sandbox is in that directory, so that nothing here has to be found
//! again. Everything is done with plain commands over [`Opener`], whose connections check host keys
//! and are shared; a command that is given its input reads all of it before it changes anything.
//!
//! Limits: sessions do not have the variables of a spec, since sshd takes none from a key's line
//! unless it is told to; memory, processes and network are the host's.

mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;
use wharf_model::Timestamp;
use wharf_ssh::{Channel, Opener, RemoteExit};

use crate::check;
use crate::error::Error;
use crate::id::{SandboxId, SnapshotId};
use crate::provider::{
    BoxFuture, Capabilities, Capability, Connection, Egress, Health, Limits, Provider, Sandbox,
    Source, Spec, Swept, User,
};

/// How long one command on the host may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most that one command prints.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024;
/// How this provider is called.
const NAME: &str = "ssh";

/// What is said of every sandbox of this kind.
const NOTE: &str = "it is a directory on a host: whoever enters has all that the account has there";
const NO_VARIABLES: &str =
    "its sessions do not have the variables that were given: sshd takes none from a key";

const NOT_CLOSED: &str = "it has the host's network, though it was to have none";
const NO_LIMITS: &str = "its limits are not kept: it uses what the account may use there";

/// The host, as those who enter it see it.
#[derive(Debug, Clone)]
pub struct SshOptions {
    /// The name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// The host key that is known of it, as in `known_hosts` behind the name.
    pub host_key: String,
    /// `SHA256:…` of it.
    pub fingerprint: String,
}

/// Makes directories on a host.
pub struct SshProvider {
    options: SshOptions,
    host: Arc<dyn Opener>,
    /// Held while `authorized_keys` is changed, which is read and replaced.
    keys: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    id: SandboxId,
    directory: String,
    agent_port: u16,
    expires_at: Option<Timestamp>,
    notes: Vec<String>,
}

impl SshProvider {
    /// A provider for the host behind `host`.
    #[must_use]
    pub fn new(options: SshOptions, host: Arc<dyn Opener>) -> Self {
        Self {
            options,
            host,
            keys: Mutex::default(),
        }
    }

    async fn make(&self, id: SandboxId, spec: Spec) -> Result<Sandbox, Error> {
        check::spec(&spec)?;
        if let Source::Snapshot(_) = spec.source {
            return Err(cannot(Capability::Snapshot));
        }
        if let Egress::Only(_) = spec.egress {
            return Err(cannot(Capability::AllowList));
        }
        match self.find(&id).await {
            Err(Error::NotFound) => {}
            found => return found,
        }
        let mut notes = vec![NOTE.to_owned()];
        if !spec.environment.is_empty() {
            notes.push(NO_VARIABLES.to_owned());
        }
        if spec.egress == Egress::Off {
            notes.push(NOT_CLOSED.to_owned());
        }
        if spec.limits != Limits::default() {
            notes.push(NO_LIMITS.to_owned());
        }
        let record = Record {
            id: id.clone(),
            // Filled in by the host, which knows its home.
            directory: String::new(),
            agent_port: spec.agent_port,
            expires_at: spec.expires_at,
            notes,
        };
        let mut input = encode(&record)?;
        for key in &spec.public_keys {
            input.push('\n');
            input.push_str(&words::marked(key, &id));
        }
        input.push('\n');
        let _alone = self.keys.lock().await;
        let made = self.run(&words::make(&id), &input).await;
        if let Err(error) = made {
            // Its keys may be in already. Where this fails as well a sweep finds them.
            let _left_to_a_sweep = self.run(&words::remove(&id), "").await;
            return Err(error);
        }
        self.find(&id).await
    }

    async fn find(&self, id: &SandboxId) -> Result<Sandbox, Error> {
        let printed = self.run(&words::read(Some(id)), "").await?;
        let record = decode(&printed)?.pop().ok_or(Error::NotFound)?;
        Ok(self.facts(record))
    }

    fn facts(&self, record: Record) -> Sandbox {
        Sandbox {
            id: record.id,
            provider: NAME,
            ssh_host: self.options.host.clone(),
            ssh_port: Some(self.options.port),
            host_key: self.options.host_key.clone(),
            fingerprint: self.options.fingerprint.clone(),
            users: vec![User {
                name: self.options.user.clone(),
                root: self.options.user == "root",
            }],
            workspace: format!("{}/workspace", record.directory),
            agent_port: record.agent_port,
            health: Health::Running,
            expires_at: record.expires_at,
            notes: record.notes,
        }
    }

    async fn all(&self) -> Result<Vec<Sandbox>, Error> {
        let printed = self.run(&words::read(None), "").await?;
        let mut all: Vec<Sandbox> = decode(&printed)?
            .into_iter()
            .map(|record| self.facts(record))
            .collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    async fn remove(&self, id: &SandboxId) -> Result<(), Error> {
        let _alone = self.keys.lock().await;
        self.run(&words::remove(id), "").await.map(|_| ())
    }

    /// Removes what is half made. Nothing is being made meanwhile by this provider.
    async fn sweep_half_made(&self, swept: &mut Swept) -> Result<(), Error> {
        let _alone = self.keys.lock().await;
        let printed = self.run(&words::half_made(), "").await?;
        let ids: BTreeSet<SandboxId> = printed
            .lines()
            .filter_map(|line| SandboxId::parse(line).ok())
            .collect();
        for id in ids {
            match self.run(&words::remove(&id), "").await {
                Ok(_) => swept.remains.push(id),
                Err(error) => swept.stuck.push(format!("{id}: {error}")),
            }
        }
        Ok(())
    }

    /// Runs a script of ours and answers with what it printed.
    async fn run(&self, script: &str, input: &str) -> Result<String, Error> {
        let work = async {
            let channel = self.host.open(script).await.map_err(host_error)?;
            converse(channel, input).await
        };
        let done = tokio::time::timeout(PATIENCE, work).await;
        done.unwrap_or(Err(Error::Late {
            what: "the host",
            limit: PATIENCE,
        }))
    }
}

fn encode(record: &Record) -> Result<String, Error> {
    serde_json::to_string(record).map_err(|error| Error::Host(error.to_string()))
}

/// The records that were printed, each on a line of its own behind the line of its directory.
fn decode(printed: &str) -> Result<Vec<Record>, Error> {
    let mut lines = printed.lines();
    let mut records = Vec::new();
    while let (Some(directory), Some(line)) = (lines.next(), lines.next()) {
        let mut record: Record = serde_json::from_str(line)
            .map_err(|error| Error::Host(format!("a record on the host is broken: {error}")))?;
        directory.clone_into(&mut record.directory);
        records.push(record);
    }
    Ok(records)
}

async fn converse(mut channel: Channel, input: &str) -> Result<String, Error> {
    let failed = |error: std::io::Error| Error::Host(format!("the host: {error}"));
    // One that ends early says why on its other streams.
    let _it_says_why = channel.stdin.write_all(input.as_bytes()).await;
    let _it_says_why = channel.stdin.shutdown().await;
    let mut printed = String::new();
    let mut said = String::new();
    let mut stdout = channel.stdout.take(MAX_ANSWER_BYTES);
    let mut stderr = channel.stderr.take(MAX_ANSWER_BYTES);
    let both = tokio::join!(
        stdout.read_to_string(&mut printed),
        stderr.read_to_string(&mut said)
    );
    both.0.and(both.1).map_err(failed)?;
    match channel.exit.await {
        Ok(RemoteExit::Code(0)) => Ok(printed),
        Ok(RemoteExit::Lost(what)) => Err(Error::Host(format!("the connection broke: {what}"))),
        _ => Err(Error::Host(format!("the host: {}", said.trim()))),
    }
}

fn host_error(error: wharf_ssh::Error) -> Error {
    Error::Host(error.to_string())
}

fn cannot(what: Capability) -> Error {
    Error::Unsupported {
        provider: NAME,
        what,
        hint: ": it is a directory on a host".to_owned(),
    }
}

fn no<'a, T: Send + 'a>(what: Capability) -> BoxFuture<'a, Result<T, Error>> {
    Box::pin(std::future::ready(Err(cannot(what))))
}

impl Provider for SshProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            can: [Capability::OpenNetwork].into(),
            notes: vec![NOTE.to_owned()],
        }
    }

    fn create<'a>(&'a self, key: &'a str, spec: Spec) -> BoxFuture<'a, Result<Sandbox, Error>> {
        Box::pin(self.make(SandboxId::of(key), spec))
    }

    fn connect<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Sandbox, Error>> {
        Box::pin(self.find(id))
    }

    fn health<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Health, Error>> {
        Box::pin(async move { self.find(id).await.map(|sandbox| sandbox.health) })
    }

    fn pause<'a>(&'a self, _id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        no(Capability::Pause)
    }

    fn resume<'a>(&'a self, _id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        no(Capability::Pause)
    }

    fn snapshot<'a>(
        &'a self,
        _id: &'a SandboxId,
        _key: &'a str,
    ) -> BoxFuture<'a, Result<SnapshotId, Error>> {
        no(Capability::Snapshot)
    }

    fn forget<'a>(&'a self, _snapshot: &'a SnapshotId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn extend<'a>(
        &'a self,
        id: &'a SandboxId,
        until: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sandbox, Error>> {
        Box::pin(async move {
            let printed = self.run(&words::read(Some(id)), "").await?;
            let mut record = decode(&printed)?.pop().ok_or(Error::NotFound)?;
            record.expires_at = until;
            let input = encode(&record)? + "\n";
            self.run(&words::replace(id), &input).await?;
            Ok(self.facts(record))
        })
    }

    fn terminate<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.remove(id))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Sandbox>, Error>> {
        Box::pin(self.all())
    }

    fn sweep(&self, now: Timestamp) -> BoxFuture<'_, Result<Swept, Error>> {
        Box::pin(async move {
            let mut swept = Swept::default();
            let over = |sandbox: &Sandbox| sandbox.expires_at.is_some_and(|end| end <= now);
            for sandbox in self.all().await?.into_iter().filter(over) {
                match self.remove(&sandbox.id).await {
                    Ok(()) => swept.expired.push(sandbox.id),
                    Err(error) => swept.stuck.push(format!("{}: {error}", sandbox.id)),
                }
            }
            self.sweep_half_made(&mut swept).await?;
            Ok(swept)
        })
    }

    fn dial<'a>(
        &'a self,
        _id: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, Error>> {
        Box::pin(async move {
            let channel = self
                .host
                .open(&words::dial(port))
                .await
                .map_err(host_error)?;
            let Channel {
                stdin,
                mut stdout,
                stderr: _stderr,
                exit: _exit,
            } = channel;
            // One byte says that there is somebody; without it nothing comes at all.
            let mut first = [0];
            let heard = tokio::time::timeout(PATIENCE, stdout.read_exact(&mut first)).await;
            match heard {
                Ok(Ok(_)) => {
                    let joined = tokio::io::join(stdout, stdin);
                    Ok(Box::new(joined) as Box<dyn Connection>)
                }
                Ok(Err(_)) => Err(Error::Refused(port)),
                Err(_) => Err(Error::Late {
                    what: "a connection on the host",
                    limit: PATIENCE,
                }),
            }
        })
    }

    fn idle<'a>(&'a self, _id: &'a SandboxId) -> BoxFuture<'a, Option<Duration>> {
        Box::pin(std::future::ready(None))
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
