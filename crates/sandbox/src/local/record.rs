//! What is written down of a local sandbox, so that another server finds it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_model::{Entropy, Timestamp};

use super::ground::{INIT, RECORD, rewrite_private};
use crate::id::SandboxId;
use crate::launcher::plan::{Base, Init, Owners};
use crate::provider::{Egress, Limits, Source};

/// The form of the record. One of another form is not read, and so not ended either.
pub(crate) const VERSION: u32 = 1;

/// The record, in a private file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(default = "first_version")]
    pub(crate) version: u32,
    pub(crate) id: SandboxId,
    pub(crate) stage: Stage,
    /// The machine's start in which `init` is a process.
    pub(crate) boot: String,
    pub(crate) init: Option<Init>,
    /// What runs outside for it: its way to the network.
    pub(crate) helpers: Vec<Init>,
    pub(crate) groups: Vec<PathBuf>,
    pub(crate) base: Base,
    pub(crate) owners: Owners,
    pub(crate) source: Source,
    pub(crate) limits: Limits,
    pub(crate) egress: Egress,
    pub(crate) agent_port: u16,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) public_keys: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) host_key: HostKey,
    /// The last port at which it was reached, which is tried first.
    pub(crate) port: Option<u16>,
    pub(crate) paused: bool,
    pub(crate) notes: Vec<String>,
}

/// How far a sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It is being made; found so without anybody who makes it, it is a remainder.
    Making,
    /// It was made once, and may be started again.
    Made,
    /// It is being removed.
    Ending,
}

/// The key that its sshd shows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct HostKey {
    pub(crate) private: String,
    pub(crate) public: String,
    pub(crate) fingerprint: String,
}

impl HostKey {
    /// A new one, for a sandbox that has none yet.
    pub(crate) fn of(
        id: &SandboxId,
        entropy: &dyn Entropy,
    ) -> Result<Self, wharf_ssh::keys::KeyFault> {
        let mut seed = [0; wharf_ssh::keys::SEED_BYTES];
        entropy.fill(&mut seed);
        let key = wharf_ssh::keys::generate(seed, &id.host_name())?;
        Ok(Self {
            private: key.private.expose().to_owned(),
            public: key.public.line,
            fingerprint: key.public.fingerprint,
        })
    }
}

impl std::fmt::Debug for HostKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl Record {
    /// Writes it into the sandbox's directory.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        rewrite_private(&directory.join(RECORD), &serde_json::to_vec(self)?)
    }

    /// Reads it.
    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        let text = fs::read(directory.join(RECORD))?;
        let record: Self = serde_json::from_slice(&text)?;
        if record.version == VERSION {
            return Ok(record);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is of another version, {}", record.version),
        ))
    }
}

fn first_version() -> u32 {
    1
}

/// The first process as the launcher has written it down, which is before anybody was told of it.
pub(crate) fn launched(directory: &Path) -> Option<Init> {
    let text = fs::read(directory.join(INIT)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// This start of the machine: process numbers of another one mean nothing.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
