//! All hosts, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard};
use wharf_model::{Target, Timestamp};
use wharf_store::db::{Database, HostRow};

use super::facts::KnownFacts;
use super::{HostEntry, HostPlace};
use crate::error::Error;

/// Hosts that have a name here.
pub const MAX_HOSTS: usize = wharf_store::db::limits::HOSTS_MAX as usize;

/// All hosts, by name.
#[derive(Default)]
pub(crate) struct HostTable {
    entries: RwLock<BTreeMap<String, Arc<HostEntry>>>,
    changing: Mutex<()>,
}

impl HostTable {
    /// As the database has them.
    pub(crate) async fn open(database: &Database) -> Result<Self, Error> {
        Ok(Self {
            entries: RwLock::new(read(database).await?),
            changing: Mutex::default(),
        })
    }

    /// Again as the database has them: another server has changed something.
    pub(crate) async fn reload(&self, database: &Database) -> Result<(), Error> {
        let _changing = self.change().await;
        let entries = read(database).await?;
        self.write(|known| *known = entries);
        Ok(())
    }

    /// Waits for the turn to change something: record, database and memory go together.
    pub(crate) async fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<HostEntry>> {
        self.read(|entries| entries.get(name).cloned())
    }

    pub(crate) fn all(&self) -> Vec<Arc<HostEntry>> {
        self.read(|entries| entries.values().cloned().collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.read(BTreeMap::len)
    }

    pub(crate) fn put(&self, entry: Arc<HostEntry>) {
        self.write(|entries| entries.insert(entry.name.clone(), entry));
    }

    pub(crate) fn remove(&self, name: &str) {
        self.write(|entries| entries.remove(name));
    }

    /// The groups that a target is in. An entry is meant by its name and by its address, in any
    /// case of letters: otherwise what a policy says of a group would be said of a spelling.
    pub(crate) fn groups_of(&self, target: &Target) -> Vec<String> {
        let Target::Ssh(target) = target else {
            return Vec::new();
        };
        let host = target.host();
        let mut groups: Vec<String> = self.read(|entries| {
            // Entries with the address of the one that is named are the same machine.
            let named = entries
                .values()
                .find(|entry| entry.name.eq_ignore_ascii_case(host));
            let address = named.map(|entry| entry.place.address.clone());
            let is_meant = |entry: &&Arc<HostEntry>| {
                let place = &entry.place.address;
                entry.name.eq_ignore_ascii_case(host)
                    || place.eq_ignore_ascii_case(host)
                    || address
                        .as_ref()
                        .is_some_and(|own| place.eq_ignore_ascii_case(own))
            };
            let meant = entries.values().filter(is_meant);
            meant.flat_map(|entry| entry.groups.clone()).collect()
        });
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<String, Arc<HostEntry>>) -> T) -> T {
        look(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Arc<HostEntry>>) -> T) -> T {
        act(&mut self.entries.write().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn read(database: &Database) -> Result<BTreeMap<String, Arc<HostEntry>>, Error> {
    let rows = database.all_hosts().await.map_err(Error::from_database)?;
    let rows = rows.into_iter();
    let entries = rows.map(|row| (row.name.clone(), Arc::new(entry(row))));
    Ok(entries.collect())
}

fn entry(row: HostRow) -> HostEntry {
    let at = row.facts_ms.map(Timestamp::from_millis);
    let facts = row.facts.as_deref().and_then(KnownFacts::from_json);
    HostEntry {
        name: row.name,
        place: HostPlace {
            address: row.address,
            port: row.port.and_then(|port| u16::try_from(port).ok()),
            user: row.account,
            identity: row.key_file,
            jump: row.jump,
        },
        groups: row.groups,
        note: row.note,
        added_by: row.added_by,
        added_at: Timestamp::from_millis(row.added_ms),
        changed_at: Timestamp::from_millis(row.changed_ms),
        facts: facts.zip(at),
    }
}
