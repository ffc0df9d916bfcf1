//! What is written down of a sandbox of a Docker engine, so that another server finds it again.
//!
//! The container has it not: labels cannot be changed, and whoever may look at a container sees
//! them, while a record has keys and variables in it.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_model::Timestamp;

use crate::id::SandboxId;
use crate::local::ground::write_private;
use crate::local::record::{HostKey, Stage};
use crate::provider::{Egress, Limits, Source};

/// The form of the record. One of another form is not read, and so not ended either.
const VERSION: u32 = 1;
/// The end of a record's name.
const SUFFIX: &str = "json";
const PRIVATE: u32 = 0o700;

/// The record, in a private file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) version: u32,
    pub(super) id: SandboxId,
    pub(super) stage: Stage,
    /// The engine that has it; the same name at another one is not this.
    pub(super) engine: String,
    /// The image that it was made of.
    pub(super) image: Option<String>,
    /// When the container was started for which everything was put in.
    pub(super) started: Option<String>,
    pub(super) source: Source,
    pub(super) limits: Limits,
    pub(super) egress: Egress,
    pub(super) agent_port: u16,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) public_keys: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) host_key: HostKey,
    /// The last port at which it was reached, which is tried first.
    pub(super) port: Option<u16>,
    pub(super) notes: Vec<String>,
}

impl Record {
    pub(super) const VERSION: u32 = VERSION;
}

/// The records of one server.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    state: PathBuf,
}

impl Ledger {
    /// Makes the directories that are missing.
    pub(super) fn open(state: &Path) -> io::Result<Self> {
        let ledger = Self {
            state: state.to_owned(),
        };
        for directory in [state, &ledger.records()] {
            DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE)
                .create(directory)?;
            fs::set_permissions(directory, Permissions::from_mode(PRIVATE))?;
        }
        Ok(ledger)
    }

    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    fn records(&self) -> PathBuf {
        self.state.join("sandboxes")
    }

    fn file(&self, id: &SandboxId) -> PathBuf {
        self.records().join(id.as_str()).with_extension(SUFFIX)
    }

    pub(super) fn read(&self, id: &SandboxId) -> io::Result<Record> {
        let text = fs::read(self.file(id))?;
        let record: Record = serde_json::from_slice(&text)?;
        if record.version == VERSION {
            return Ok(record);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it is of another version, {}", record.version),
        ))
    }

    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        write_private(&self.file(&record.id), &serde_json::to_vec(record)?)
    }

    pub(super) fn remove(&self, id: &SandboxId) -> io::Result<()> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Of which there are records, in order.
    pub(super) fn ids(&self) -> io::Result<Vec<SandboxId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(self.records())? {
            let path = entry?.path();
            let is_record = path.extension().is_some_and(|end| end == SUFFIX);
            let name = path.file_stem().and_then(|name| name.to_str());
            ids.extend(
                name.filter(|_| is_record)
                    .and_then(|name| SandboxId::parse(name).ok()),
            );
        }
        ids.sort();
        Ok(ids)
    }
}
