//! The files of an upstream's settings. Whoever writes holds the lock of the profile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_model::{Secret, Timestamp};

use super::settings::{Last, Outcome};
use crate::error::{self, Error};
use crate::git::files;
use crate::limits::UPSTREAM_SETTINGS_MAX;
use crate::owner::Owner;

/// Where the settings of one profile's upstream are.
pub(super) struct Place {
    pub(super) owner: Owner,
    layer: PathBuf,
}

/// The settings as they are on the disk.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) url: String,
    pub(super) branch: String,
    pub(super) access: StoredAccess,
    pub(super) push: bool,
    pub(super) webhook_id: String,
    pub(super) webhook_secret: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<StoredLast>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum StoredAccess {
    Open,
    Token {
        user: String,
        token: String,
    },
    Key {
        /// Part of the names of its files.
        files: String,
        public: String,
    },
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredLast {
    outcome: String,
    commit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    at: i64,
}

impl StoredLast {
    /// None where a newer server wrote an outcome that is not known here.
    pub(super) fn read(self) -> Option<Last> {
        Some(Last {
            outcome: Outcome::parse(&self.outcome)?,
            commit: self.commit,
            detail: self.detail,
            at: Timestamp::from_millis(self.at),
        })
    }
}

impl From<&Last> for StoredLast {
    fn from(last: &Last) -> Self {
        Self {
            outcome: last.outcome.as_str().to_owned(),
            commit: last.commit.clone(),
            detail: last.detail.clone(),
            at: last.at.millis(),
        }
    }
}

/// What `ssh` has to find as files.
pub(super) struct SshFiles {
    /// Part of their names.
    pub(super) name: String,
    pub(super) key: Secret,
    pub(super) known_hosts: String,
}

impl Place {
    pub(super) fn of(root: &Path, owner: &Owner) -> Self {
        Self {
            owner: owner.clone(),
            layer: root.join(owner.layer().as_str()),
        }
    }

    fn settings_file(&self) -> PathBuf {
        self.layer
            .join(format!("{}.upstream.json", self.owner.id()))
    }

    pub(super) fn key(&self, name: &str) -> PathBuf {
        let id = self.owner.id();
        self.layer.join(format!("{id}.upstream-{name}.key"))
    }

    pub(super) fn known_hosts(&self, name: &str) -> PathBuf {
        let id = self.owner.id();
        self.layer.join(format!("{id}.upstream-{name}.hosts"))
    }

    pub(super) fn read_stored(&self) -> Result<Option<Stored>, Error> {
        let step = || error::io("read the upstream of a profile");
        let Some(text) = read(&self.settings_file()).map_err(step())? else {
            return Ok(None);
        };
        let stored = serde_json::from_str(&text);
        stored.map(Some).map_err(|error| step()(error.into()))
    }

    /// The private key and the known hosts that are on the disk.
    pub(super) fn read_files(&self, name: &str) -> Result<Option<SshFiles>, Error> {
        let step = || error::io("read the key for an upstream");
        let key = read(&self.key(name)).map_err(step())?;
        let known_hosts = read(&self.known_hosts(name)).map_err(step())?;
        Ok(key.zip(known_hosts).map(|(key, known_hosts)| SshFiles {
            name: name.to_owned(),
            key: Secret::new(key),
            known_hosts,
        }))
    }

    /// Writes the settings, and before them the files that they name.
    pub(super) fn write(&self, stored: &Stored, files: Option<&SshFiles>) -> Result<(), Error> {
        let step = || error::io("write the key for an upstream");
        if let Some(SshFiles {
            name,
            key,
            known_hosts,
        }) = files
        {
            files::replace(&self.key(name), key.expose().as_bytes()).map_err(step())?;
            files::replace(&self.known_hosts(name), known_hosts.as_bytes()).map_err(step())?;
        }
        self.write_settings(stored)?;
        self.sweep(files.map(|files| files.name.as_str()))
    }

    pub(super) fn write_settings(&self, stored: &Stored) -> Result<(), Error> {
        let step = || error::io("write the upstream of a profile");
        let mut text = serde_json::to_vec_pretty(stored).map_err(|error| step()(error.into()))?;
        text.push(b'\n');
        if text.len() as u64 > UPSTREAM_SETTINGS_MAX {
            return Err(step()(io::ErrorKind::FileTooLarge.into()));
        }
        files::replace(&self.settings_file(), &text).map_err(step())
    }

    /// Whether there is anything of an upstream.
    pub(super) fn is_there(&self) -> Result<bool, Error> {
        let step = || error::io("read the upstream of a profile");
        let is_set = self.settings_file().try_exists().map_err(step())?;
        Ok(is_set || !self.leftovers(None)?.is_empty())
    }

    /// Takes all of it away. Whether there were settings.
    pub(super) fn remove(&self) -> Result<bool, Error> {
        let step = || error::io("remove the upstream of a profile");
        let file = self.settings_file();
        let was = file.try_exists().map_err(step())?;
        // First, so that there is no upstream whose key is gone.
        files::remove(&file).map_err(step())?;
        files::flush_directory(&self.layer).map_err(step())?;
        self.sweep(None)?;
        Ok(was)
    }

    /// Removes what no settings name: files of earlier ones, and what a crash has left.
    fn sweep(&self, named: Option<&str>) -> Result<(), Error> {
        let step = || error::io("remove the key of an earlier upstream");
        let leftovers = self.leftovers(named)?;
        for path in &leftovers {
            files::remove(path).map_err(step())?;
        }
        if leftovers.is_empty() {
            return Ok(());
        }
        files::flush_directory(&self.layer).map_err(step())
    }

    fn leftovers(&self, named: Option<&str>) -> Result<Vec<PathBuf>, Error> {
        let step = || error::io("look for files of an earlier upstream");
        let entries = match fs::read_dir(&self.layer) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(step()(error)),
        };
        let (draft, files) = (
            format!("{}.upstream.tmp", self.owner.id()),
            format!("{}.upstream-", self.owner.id()),
        );
        let named = named.map(|name| [self.key(name), self.known_hosts(name)]);
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(step())?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            let is_named = named.as_ref().is_some_and(|named| named.contains(&path));
            if !is_named && (name == draft.as_str() || name.starts_with(&files)) {
                found.push(path);
            }
        }
        Ok(found)
    }
}

/// A small file; none where there is none.
fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::metadata(path) {
        Ok(found) if found.len() > UPSTREAM_SETTINGS_MAX => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => fs::read_to_string(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
