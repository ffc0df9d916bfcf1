//! The same key and body: the same run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use wharf_model::RunId;

use crate::engine::Inner;
use crate::error::Error;
use crate::record;
use crate::request::Idempotency;
use wharf_model::Caller;

/// How long a key stands for its first request.
pub(crate) const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Keys kept in memory; older ones are asked of the database.
pub(crate) const MAX_KEYS: usize = 10_000;

/// Keys of the latest requests, also of those whose run is just being started.
#[derive(Default)]
pub(crate) struct Keys(Mutex<Slots>);

type Slots = HashMap<(Caller, String), Arc<Slot>>;

/// One key.
pub(crate) struct Slot {
    fingerprint: [u8; 32],
    since: Instant,
    /// The first request's run. Requests that come while it is being started wait here.
    pub(crate) run: OnceCell<RunId>,
}

impl Slot {
    /// Its run is just being started. Forgetting it now would let the same request run twice.
    fn is_in_flight(self: &Arc<Self>) -> bool {
        !self.run.initialized() && Arc::strong_count(self) > 1
    }
}

impl Keys {
    /// The place of a key, with its fingerprint checked.
    pub(crate) fn slot(&self, caller: &Caller, key: &Idempotency) -> Result<Arc<Slot>, Error> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (caller.clone(), key.key.clone());
        if let Some(slot) = slots
            .get(&name)
            .filter(|slot| slot.since.elapsed() < KEY_LIFE)
        {
            // A first request that was refused does not hold its key.
            if slot.run.initialized() || slot.is_in_flight() {
                return if slot.fingerprint == key.fingerprint {
                    Ok(Arc::clone(slot))
                } else {
                    Err(Error::IdempotencyMismatch)
                };
            }
        }
        make_room(&mut slots);
        let slot = Arc::new(Slot {
            fingerprint: key.fingerprint,
            since: Instant::now(),
            run: OnceCell::new(),
        });
        slots.insert(name, Arc::clone(&slot));
        Ok(slot)
    }
}

/// Forgets what is too old, else the oldest. What is in flight is kept in any case: there is no
/// more of that than requests at once.
fn make_room(slots: &mut Slots) {
    if slots.len() < MAX_KEYS {
        return;
    }
    slots.retain(|_, slot| slot.is_in_flight() || slot.since.elapsed() < KEY_LIFE);
    if slots.len() < MAX_KEYS {
        return;
    }
    let oldest = slots
        .iter()
        .filter(|(_, slot)| !slot.is_in_flight())
        .min_by_key(|(_, slot)| slot.since)
        .map(|(name, _)| name.clone());
    oldest.and_then(|name| slots.remove(&name));
}

/// The run of an earlier request under this key that the database knows.
pub(crate) async fn stored(
    inner: &Inner,
    caller: &Caller,
    key: &Idempotency,
) -> Result<Option<RunId>, Error> {
    inner.catch_up().await?;
    let life = i64::try_from(KEY_LIFE.as_millis()).unwrap_or(i64::MAX);
    let since = inner.parts.clock.now().millis().saturating_sub(life);
    let row = inner
        .parts
        .database
        .run_by_idempotency(caller.name(), &key.key, since)
        .await;
    let Some(row) = row.map_err(Error::from_database)? else {
        return Ok(None);
    };
    if row.idempotency_fingerprint.as_deref() != Some(record::hex(&key.fingerprint).as_str()) {
        return Err(Error::IdempotencyMismatch);
    }
    Ok(RunId::parse(&row.id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: usize) -> Idempotency {
        Idempotency {
            key: name.to_string(),
            fingerprint: [1; 32],
        }
    }

    fn slot(keys: &Keys, name: usize) -> Arc<Slot> {
        keys.slot(&Caller::local(), &key(name)).unwrap()
    }

    fn known(keys: &Keys) -> usize {
        keys.0.lock().unwrap().len()
    }

    #[test]
    fn the_oldest_keys_make_room_and_those_in_flight_stay() {
        let keys = Keys::default();
        let first = slot(&keys, 0);
        for name in 1..MAX_KEYS {
            let done = slot(&keys, name);
            done.run.set(RunId::parse(RUN).unwrap()).unwrap();
        }
        assert_eq!(known(&keys), MAX_KEYS);
        let _more = slot(&keys, MAX_KEYS);
        assert_eq!(known(&keys), MAX_KEYS);
        assert!(Arc::ptr_eq(&first, &slot(&keys, 0)), "it is still starting");
        assert!(
            !slot(&keys, 1).run.initialized(),
            "the oldest was forgotten"
        );
        assert!(slot(&keys, 3).run.initialized(), "the next one was not");
    }

    #[test]
    fn with_all_in_flight_none_is_forgotten() {
        let keys = Keys::default();
        let held: Vec<_> = (0..=MAX_KEYS).map(|name| slot(&keys, name)).collect();
        let same = |(name, held)| Arc::ptr_eq(held, &slot(&keys, name));
        assert!(held.iter().enumerate().all(same));
    }

    const RUN: &str = "run_00000000000000000000000000";
}
