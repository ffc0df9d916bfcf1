//! What a provider of sandboxes can do, and the words of it.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use wharf_model::{Secret, Timestamp};

use crate::error::Error;
use crate::id::{SandboxId, SnapshotId};

/// A boxed future, so that the trait can be used behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stream of bytes into a sandbox.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A place that makes sandboxes.
///
/// Everything may be asked twice: the second time changes nothing and answers the same. Nothing is
/// left behind by what fails, and what a crash leaves is found by [`Provider::sweep`].
pub trait Provider: Send + Sync + 'static {
    /// Its name: `local`, `docker`, `ssh`.
    fn name(&self) -> &'static str;

    /// What it can do at all.
    fn capabilities(&self) -> Capabilities;

    /// Makes the sandbox of that key, or answers with it where it is there already, started again
    /// if it is not running. When this returns its sshd answers.
    fn create<'a>(&'a self, key: &'a str, spec: Spec) -> BoxFuture<'a, Result<Sandbox, Error>>;

    /// Finds a sandbox again, also after a restart of this server, and starts it again from its
    /// files where it is not running.
    fn connect<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Sandbox, Error>>;

    /// How it is now. Starts nothing.
    fn health<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<Health, Error>>;

    /// Holds all of its processes still. Connections stay open and get no answer.
    fn pause<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>>;

    /// Lets them go on.
    fn resume<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>>;

    /// Keeps a copy of its files under that key. [`Source::Snapshot`] starts another one of it.
    fn snapshot<'a>(
        &'a self,
        id: &'a SandboxId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<SnapshotId, Error>>;

    /// Removes a snapshot; one that is gone already is no error.
    fn forget<'a>(&'a self, snapshot: &'a SnapshotId) -> BoxFuture<'a, Result<(), Error>>;

    /// All snapshots that there are, in the order of their ids; those of this provider alone, so that
    /// whoever knows which are wanted may forget the others. None where it keeps none.
    fn snapshots(&self) -> BoxFuture<'_, Result<Vec<SnapshotId>, Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Says how long it may live; `None` is for ever. Nothing ends it before a
    /// [`Provider::sweep`].
    fn extend<'a>(
        &'a self,
        id: &'a SandboxId,
        until: Option<Timestamp>,
    ) -> BoxFuture<'a, Result<Sandbox, Error>>;

    /// Ends it and removes its files; one that is gone already is no error. Snapshots stay.
    fn terminate<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<(), Error>>;

    /// All that there are, in the order of their ids, running or not.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Sandbox>, Error>>;

    /// Removes what a crash has left and what has outlived its time at `now`.
    fn sweep(&self, now: Timestamp) -> BoxFuture<'_, Result<Swept, Error>>;

    /// A connection to a port inside, as from inside to its own loopback address.
    fn dial<'a>(
        &'a self,
        id: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Connection>, Error>>;

    /// How long ago something last passed over its connections; `None` where that is not known.
    fn idle<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Option<Duration>>;

    /// Closes the ways in, as the server ends. Sandboxes go on.
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

/// One thing that a provider may be unable to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Hold a sandbox still.
    Pause,
    /// Keep a copy of its files.
    Snapshot,
    /// Keep its processes from the host's files, processes and network.
    Isolation,
    /// Let somebody be root inside.
    Root,
    /// Bound its memory.
    Memory,
    /// Bound its processors.
    Processors,
    /// Bound its processes.
    Processes,
    /// Let it reach some hosts and no others.
    AllowList,
    /// Let it reach any host.
    OpenNetwork,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pause => "pause a sandbox",
            Self::Snapshot => "keep a copy of a sandbox",
            Self::Isolation => "keep a sandbox apart from its host",
            Self::Root => "let anybody be root in a sandbox",
            Self::Memory => "bound the memory of a sandbox",
            Self::Processors => "bound the processors of a sandbox",
            Self::Processes => "bound the processes of a sandbox",
            Self::AllowList => "let a sandbox reach some hosts and no others",
            Self::OpenNetwork => "let a sandbox reach the network",
        })
    }
}

/// What a provider can do, and in words what that leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// What it can do.
    pub can: BTreeSet<Capability>,
    /// What it cannot, and what would help, each a sentence.
    pub notes: Vec<String>,
}

impl Capabilities {
    /// Whether it can do that.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.can.contains(&capability)
    }
}

/// What a sandbox is to be.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Keys that open it, each as a line of `authorized_keys`: algorithm, base 64, comment.
    pub public_keys: Vec<String>,
    /// Variables that each of its sessions has.
    pub environment: Vec<(String, Secret)>,
    /// What it starts from.
    pub source: Source,
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub egress: Egress,
    /// Where an agent's server will listen inside.
    pub agent_port: u16,
    /// How long it may live; for ever where this is absent.
    pub expires_at: Option<Timestamp>,
}

/// The port of an agent's server where a request names none.
pub const AGENT_PORT: u16 = 4096;

impl Spec {
    /// A sandbox that these keys open, with nothing else said.
    #[must_use]
    pub fn for_keys(public_keys: Vec<String>) -> Self {
        Self {
            public_keys,
            environment: Vec::new(),
            source: Source::Fresh,
            limits: Limits::default(),
            egress: Egress::Off,
            agent_port: AGENT_PORT,
            expires_at: None,
        }
    }
}

/// What a sandbox starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The provider's base and an empty workspace.
    #[default]
    Fresh,
    /// What was kept of another one.
    Snapshot(SnapshotId),
}

/// What a sandbox may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes; what needs more is ended.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Thousandths of one processor: 1500 is one and a half.
    pub processors: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: Some(4 * 1024 * 1024 * 1024),
            processes: Some(2048),
            processors: None,
        }
    }
}

/// What a sandbox may reach outside of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Egress {
    /// Nothing.
    #[default]
    Off,
    /// These hosts, through a proxy that its sessions find in their environment.
    Only(Vec<Destination>),
    /// Anything but this machine.
    On,
}

/// A host that may be reached: `example.org`, `*.example.org`, `203.0.113.7`, each with `:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    /// The name or address, lower case, without a leading `*.`.
    pub(crate) host: String,
    /// Whether names below it are meant, and not itself.
    pub(crate) below: bool,
    /// The port; 80 and 443 where none is said.
    pub(crate) port: Option<u16>,
}

/// The longest name of a host.
const MAX_HOST_BYTES: usize = 253;

impl Destination {
    /// Reads one as people write them.
    ///
    /// # Errors
    /// In words, when the text names no host.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` names no host; write `example.org`, `*.example.org` or `HOST:PORT`")
        };
        let (host, port) = match text.rsplit_once(':') {
            // More than one colon outside of brackets is an address and no port.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let (host, below) = match host.strip_prefix("*.") {
            Some(rest) => (rest, true),
            None => (host, false),
        };
        let legal = !host.is_empty()
            && host.len() <= MAX_HOST_BYTES
            && !host.starts_with(['.', '-'])
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
        if !legal || port == Some(0) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            below,
            port,
        })
    }

    /// Whether a request for that host and port is one for this.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let named = if self.below {
            host.strip_suffix(&self.host)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        };
        let ported = match self.port {
            Some(own) => own == port,
            None => port == 80 || port == 443,
        };
        named && ported
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.below {
            f.write_str("*.")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

/// A sandbox as those who use it see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// Which one.
    pub id: SandboxId,
    /// The provider that made it.
    pub provider: &'static str,
    /// Where its sshd is reached.
    pub ssh_host: String,
    /// And at which port; absent while it is not reached from here.
    pub ssh_port: Option<u16>,
    /// The host key that it shows, as in `known_hosts` behind the name: whoever connects pins it.
    pub host_key: String,
    /// `SHA256:…` of it.
    pub fingerprint: String,
    /// Whom to enter as, the one with the most rights first.
    pub users: Vec<User>,
    /// Where the work is, inside.
    pub workspace: String,
    /// Where an agent's server is to listen, inside; see [`Provider::dial`].
    pub agent_port: u16,
    /// How it is.
    pub health: Health,
    /// Until when it may live.
    pub expires_at: Option<Timestamp>,
    /// What could not be had, each a sentence.
    pub notes: Vec<String>,
}

/// An account in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Whether it is root, or may become root without a password.
    pub root: bool,
}

/// How a sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It runs and is reached.
    Running,
    /// It is held still.
    Paused,
    /// Its processes are gone and its files are there: [`Provider::connect`] starts it again.
    Stopped,
}

/// What a sweep has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Swept {
    /// Sandboxes whose time was over.
    pub expired: Vec<SandboxId>,
    /// Sandboxes that were half made or half removed.
    pub remains: Vec<SandboxId>,
    /// What is left of something and could not be removed, each a sentence.
    pub stuck: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_covers_what_it_says() {
        let covers = |rule: &str, host: &str, port: u16| {
            Destination::parse(rule).unwrap().covers(host, port)
        };
        assert!(covers("example.org", "EXAMPLE.org.", 443));
        assert!(covers("example.org", "example.org", 80));
        assert!(!covers("example.org", "example.org", 22));
        assert!(!covers("example.org", "a.example.org", 443));
        assert!(covers("*.example.org", "a.b.example.org", 443));
        assert!(!covers("*.example.org", "example.org", 443));
        assert!(!covers("*.example.org", ".example.org", 443));
        assert!(!covers("*.example.org", "evilexample.org", 443));
        assert!(covers("127.0.0.1:8080", "127.0.0.1", 8080));
        assert!(!covers("127.0.0.1:8080", "127.0.0.1", 80));
        assert!(covers("[::1]:9", "::1", 9));
        assert!(covers("2001:db8::1", "2001:db8::1", 443));
    }

    #[test]
    fn what_names_no_host_is_refused() {
        let long = "a".repeat(MAX_HOST_BYTES + 1);
        for wrong in [
            "", "*", "*.", "a b", "http://x", "x:0", "x:99999", "x/y", ".x", &long,
        ] {
            assert!(Destination::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Destination::parse(&"a".repeat(MAX_HOST_BYTES)).is_ok());
    }

    #[test]
    fn a_destination_is_read_as_it_is_written() {
        for text in ["example.org", "*.example.org:8443", "[2001:db8::1]:443"] {
            let read = Destination::parse(text).unwrap();
            assert_eq!(read.to_string(), text);
        }
    }
}
