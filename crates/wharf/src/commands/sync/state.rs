//! What a sync remembers, in the state directory under `sync/`:
//!
//! | | |
//! |---|---|
//! | `owners.json` | which login led to which owner |
//! | `trees/O.json` | the newest tree that the server told for one owner |
//! | `roots/R.lock` | the lock of one directory, whichever agent's it is |
//! | `roots/A.json` | the state that was at work last for one agent in one directory, and those before it |
//! | `states/S/` | for one owner, agent and directory: what was agreed on, operations with their backups, and what is beside them here |
//!
//! `O`, `R`, `A` and `S` are digests of what they are for. All but what `wharf_sync` keeps in a state can be
//! had again, so that it is written without waiting for the disk.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wharf_api::profile::ProfileTree;
use wharf_client::profile::TREE_ANSWER_BYTES_MAX;
use wharf_localstate::private;
use wharf_sync::profile::{Digest, Manifest};

use super::sites::Site;
use crate::context::Context;
use crate::error::CommandError;

/// The state of one owner, agent and directory.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) dir: PathBuf,
    root_file: PathBuf,
    pub(super) lock: PathBuf,
}

/// Most states of one agent and directory whose backups are still found.
const EARLIER_MAX: usize = 32;

/// Who was at work in a directory last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Root {
    /// The directory.
    pub(super) root: PathBuf,
    /// Its state's directory.
    pub(super) state: PathBuf,
    /// The owner.
    pub(super) owner: String,
    /// The same for people.
    pub(super) who: String,
    /// The states that were at work before it, the last first: their backups are there still.
    #[serde(default)]
    pub(super) earlier: Vec<PathBuf>,
}

/// The newest tree that the server has told, and when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// When it was told, in seconds since 1970.
    pub(super) at: i64,
    /// The tree.
    pub(super) tree: ProfileTree,
}

/// When what happened.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Times {
    /// The server was asked, in seconds since 1970.
    pub(super) asked: i64,
    /// Something was agreed on.
    pub(super) agreed: i64,
}

/// What was made of the profile for another agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The version that it was made of.
    pub(super) version: String,
    /// `OpenCode` has the skills of Claude Code.
    pub(super) claude_too: bool,
    /// The files.
    pub(super) manifest: Manifest,
    /// The MCP servers in the agent's configuration that are ours.
    pub(super) servers: std::collections::BTreeSet<String>,
    /// What was written for each of them.
    #[serde(default)]
    pub(super) written: std::collections::BTreeMap<String, String>,
    /// The servers there that are not ours, as they were when it was made.
    #[serde(default)]
    pub(super) others: std::collections::BTreeSet<String>,
    /// What has no counterpart there: path and what of it.
    pub(super) lost: Vec<(String, String)>,
}

impl Known {
    /// What is known of that owner's tree.
    pub(super) fn of(cx: &Context, owner: &str) -> Option<Self> {
        read(&Self::file(cx, owner))
    }

    /// Keeps it. It is no harm when that fails.
    pub(super) fn keep(&self, cx: &Context, owner: &str) {
        let file = Self::file(cx, owner);
        let kept = file.parent().map(private::make_dir);
        if let (Some(Ok(_)), Ok(text)) = (kept, serde_json::to_vec(self)) {
            let _unkept = replace(&file, &text);
        }
    }

    fn file(cx: &Context, owner: &str) -> PathBuf {
        let name = format!("{}.json", key(&[owner]));
        cx.places.sync_dir().join("trees").join(name)
    }
}

impl State {
    /// The state of that owner in that directory. Nothing is made.
    pub(super) fn of(cx: &Context, owner: &str, site: &Site) -> Self {
        let root = key(&[&site.real.to_string_lossy()]);
        let state = key(&[owner, site.agent.name(), &site.real.to_string_lossy()]);
        let of_agent = key(&[site.agent.name(), &site.real.to_string_lossy()]);
        let dir = cx.places.sync_dir();
        Self {
            dir: dir.join("states").join(state),
            root_file: dir.join("roots").join(format!("{of_agent}.json")),
            lock: dir.join("roots").join(format!("{root}.lock")),
        }
    }

    /// The state that was at work in that directory last.
    pub(super) fn last(cx: &Context, site: &Site) -> Option<(Self, Root)> {
        let any = Self::of(cx, "", site);
        let root: Root = read(&any.root_file)?;
        let state = Self {
            dir: root.state.clone(),
            ..any
        };
        state.dir.is_dir().then_some((state, root))
    }

    /// All states that were ever at work for that agent in that directory, the last first.
    pub(super) fn all(cx: &Context, site: &Site) -> Vec<Self> {
        let any = Self::of(cx, "", site);
        let root: Option<Root> = read(&any.root_file);
        let dirs = root.into_iter().flat_map(|root| {
            let last = std::iter::once(root.state);
            last.chain(root.earlier)
        });
        let states = dirs.map(|dir| Self { dir, ..any.clone() });
        states.filter(|state| state.dir.is_dir()).collect()
    }

    /// Makes the directories.
    pub(super) fn make(&self) -> Result<(), CommandError> {
        for dir in [Some(self.dir.as_path()), self.lock.parent()] {
            dir.map(private::make_dir).transpose()?;
        }
        Ok(())
    }

    /// Notes that this state is at work in that directory. On the disk, since an operation that did
    /// not come to its end is found by it.
    pub(super) fn note_work(
        &self,
        site: &Site,
        owner: &str,
        who: &str,
    ) -> Result<(), CommandError> {
        let before: Option<Root> = read(&self.root_file);
        let is_noted = |before: &Root| before.state == self.dir && before.who == who;
        if before.as_ref().is_some_and(is_noted) {
            return Ok(());
        }
        let mut earlier = Vec::new();
        if let Some(before) = before {
            earlier.push(before.state);
            earlier.extend(before.earlier);
        }
        earlier.retain(|dir| *dir != self.dir);
        earlier.truncate(EARLIER_MAX);
        let root = Root {
            root: site.real.clone(),
            state: self.dir.clone(),
            owner: owner.to_owned(),
            who: who.to_owned(),
            earlier,
        };
        let text = serde_json::to_vec(&root).unwrap_or_default();
        Ok(private::write(&self.root_file, &text)?)
    }

    pub(super) fn times(&self) -> Times {
        read(&self.dir.join("times.json")).unwrap_or_default()
    }

    pub(super) fn keep_times(&self, times: Times) -> Result<(), CommandError> {
        self.write("times.json", &times)
    }

    pub(super) fn made(&self) -> Made {
        read(&self.dir.join("made.json")).unwrap_or_default()
    }

    /// What is ours in another agent's configuration cannot be had again.
    pub(super) fn keep_made(&self, made: &Made) -> Result<(), CommandError> {
        let text = serde_json::to_vec(made).unwrap_or_default();
        Ok(private::write(&self.dir.join("made.json"), &text)?)
    }

    pub(super) fn digests(&self) -> PathBuf {
        self.dir.join("digests")
    }

    pub(super) fn shelf(&self) -> PathBuf {
        self.dir.join("shelf")
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), CommandError> {
        let path = self.dir.join(name);
        let text = serde_json::to_vec(value).unwrap_or_default();
        replace(&path, &text).map_err(|error| {
            CommandError::failed(format!("cannot write {}", path.display())).because(error)
        })
    }
}

/// Replaces a file that can be had again, in a directory that nobody else reads.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = path.with_extension("new");
    fs::write(&temp, bytes)?;
    fs::rename(&temp, path)
}

/// What is there and is what it should be.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = Vec::new();
    let bound = u64::try_from(TREE_ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
    let file = File::open(path).ok()?;
    file.take(bound * 2).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// A name for what these parts are.
fn key(parts: &[&str]) -> String {
    let digest = Digest::of(parts.join("\0").as_bytes()).to_string();
    digest.get(..32).unwrap_or_default().to_owned()
}
