//! Hosts that have a name here: adding, finding and forgetting them.
//!
//! A name stands for an address, an account, a key's file and the hosts on the way. What it leaves
//! open is for the person's SSH configuration to say, and so is a name that is no entry. There is
//! no password in an entry: a key or an agent opens the host.
//!
//! All entries are in memory, because a name is looked up before each command; the database has
//! them for the next start. Each change is on record first.

mod check;
mod facts;
mod reach;
pub(crate) mod table;

use std::sync::Arc;

use serde_json::json;
use wharf_model::{Caller, Timestamp};
use wharf_store::db::HostRow;

pub use check::{MAX_GROUPS, MAX_NAME_BYTES, MAX_NOTE_BYTES};
pub use facts::KnownFacts;
pub use reach::{HostTest, KeyView, Standing, TrustOutcome};
pub(crate) use reach::{note_refusal, way};
pub use table::MAX_HOSTS;

use crate::engine::{Engine, Inner};
use crate::error::Error;

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// Its name here.
    pub name: String,
    /// How it is reached.
    pub place: HostPlace,
    /// The groups that it is in, sorted.
    pub groups: Vec<String>,
    /// What people should know of it.
    pub note: String,
    /// Who added it.
    pub added_by: String,
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// What it said of itself, and when.
    pub facts: Option<(KnownFacts, Timestamp)>,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostPlace {
    /// The name or address to connect to. The SSH configuration may know it.
    pub address: String,
    /// The port, where it is given.
    pub port: Option<u16>,
    /// The account there, where it is given.
    pub user: Option<String>,
    /// The file of the key that opens it, on this machine; `~` is the home directory.
    pub identity: Option<String>,
    /// Hosts on the way, `[USER@]HOST[:PORT]` and commas.
    pub jump: Option<String>,
}

/// What is asked to be known of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewHost {
    /// How it is reached.
    pub place: HostPlace,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// What people should know of it.
    pub note: String,
}

impl Engine {
    /// Adds a host, or says anew what an existing one is. True: it is new. What it said of itself
    /// is kept as long as it is reached the same way.
    ///
    /// # Errors
    /// When something is wrong with it, there are too many, or it cannot be recorded or kept.
    pub async fn put_host(
        &self,
        caller: &Caller,
        name: &str,
        new: NewHost,
    ) -> Result<(Arc<HostEntry>, bool), Error> {
        let new = check::checked(name, new)?;
        let inner = Arc::clone(self.inner());
        let (caller, name) = (caller.clone(), name.to_owned());
        self.whole(async move { put(&inner, &caller, name, new).await })
            .await
    }

    /// The hosts by name: those in `group`, and of them those that hold `text` in name, address or
    /// note. An empty one leaves nothing out.
    #[must_use]
    pub fn hosts(&self, group: &str, text: &str) -> Vec<Arc<HostEntry>> {
        let text = text.to_lowercase();
        let mut found = self.inner().hosts.all();
        found.retain(|host| {
            let holds = |part: &str| part.to_lowercase().contains(&text);
            let is_in = group.is_empty() || host.groups.iter().any(|known| known == group);
            is_in && (holds(&host.name) || holds(&host.place.address) || holds(&host.note))
        });
        found
    }

    /// One host.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn host(&self, name: &str) -> Result<Arc<HostEntry>, Error> {
        let found = self.inner().hosts.get(name);
        found.ok_or_else(|| Error::not_found("host", name))
    }

    /// Forgets a host. Its key stays in the file of known hosts.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be recorded.
    pub async fn remove_host(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let inner = Arc::clone(self.inner());
        let (caller, name) = (caller.clone(), name.to_owned());
        self.whole(async move {
            let _changing = inner.hosts.change().await;
            if inner.hosts.get(&name).is_none() {
                return Err(Error::not_found("host", name));
            }
            let body = json!({"by": caller.name(), "host": name});
            crate::record::note(&inner, "host.removed", &body)?;
            let removed = inner.parts.database.remove_host(&name).await;
            removed.map_err(Error::from_database)?;
            inner.hosts.remove(&name);
            Ok(())
        })
        .await
    }
}

async fn put(
    inner: &Inner,
    caller: &Caller,
    name: String,
    new: NewHost,
) -> Result<(Arc<HostEntry>, bool), Error> {
    let _changing = inner.hosts.change().await;
    let before = inner.hosts.get(&name);
    if before.is_none() && inner.hosts.len() >= MAX_HOSTS {
        return Err(Error::Conflict(format!(
            "there are {MAX_HOSTS} hosts, which is as many as there may be; remove one first"
        )));
    }
    let now = inner.parts.clock.now();
    let (added_by, added_at) = before.as_ref().map_or_else(
        || (caller.name().to_owned(), now),
        |before| (before.added_by.clone(), before.added_at),
    );
    let entry = HostEntry {
        name,
        groups: new.groups,
        note: new.note,
        added_by,
        added_at,
        changed_at: now,
        facts: before
            .as_ref()
            .filter(|before| before.place == new.place)
            .and_then(|before| before.facts.clone()),
        place: new.place,
    };
    let place = &entry.place;
    let body = json!({
        "by": caller.name(),
        "host": entry.name,
        "entry": {
            "address": place.address,
            "port": place.port,
            "user": place.user,
            "identity": place.identity,
            "jump": place.jump,
            "groups": entry.groups,
        },
    });
    let kind = match before {
        None => "host.added",
        Some(_) => "host.changed",
    };
    crate::record::note(inner, kind, &body)?;
    let kept = inner.parts.database.put_host(&row(&entry)).await;
    kept.map_err(Error::from_database)?;
    let entry = Arc::new(entry);
    inner.hosts.put(Arc::clone(&entry));
    Ok((entry, before.is_none()))
}

fn row(entry: &HostEntry) -> HostRow {
    let place = entry.place.clone();
    let facts = entry.facts.as_ref();
    HostRow {
        name: entry.name.clone(),
        address: place.address,
        port: place.port.map(i64::from),
        account: place.user,
        key_file: place.identity,
        jump: place.jump,
        groups: entry.groups.clone(),
        note: entry.note.clone(),
        added_by: entry.added_by.clone(),
        added_ms: entry.added_at.millis(),
        changed_ms: entry.changed_at.millis(),
        facts: facts.map(|(facts, _)| facts.to_json()),
        facts_ms: facts.map(|(_, at)| at.millis()),
    }
}
