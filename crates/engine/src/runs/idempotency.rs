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
pub(crate) type Keys = Mutex<HashMap<(Caller, String), Arc<Slot>>>;

/// One key.
pub(crate) struct Slot {
    fingerprint: [u8; 32],
    since: Instant,
    /// The first request's run. Requests that come while it is being started wait here.
    pub(crate) run: OnceCell<RunId>,
}

/// The place of a key, with its fingerprint checked.
pub(crate) fn slot(inner: &Inner, caller: &Caller, key: &Idempotency) -> Result<Arc<Slot>, Error> {
    let mut keys = inner.keys.lock().unwrap_or_else(PoisonError::into_inner);
    if keys.len() >= MAX_KEYS {
        keys.retain(|_, slot| slot.since.elapsed() < KEY_LIFE);
    }
    if keys.len() >= MAX_KEYS {
        let oldest = keys
            .iter()
            .min_by_key(|(_, slot)| slot.since)
            .map(|(name, _)| name.clone());
        oldest.and_then(|name| keys.remove(&name));
    }
    let name = (caller.clone(), key.key.clone());
    if let Some(slot) = keys
        .get(&name)
        .filter(|slot| slot.since.elapsed() < KEY_LIFE)
    {
        let known = slot.run.initialized();
        // A first request that was refused does not hold its key.
        if known || Arc::strong_count(slot) > 1 {
            return if slot.fingerprint == key.fingerprint {
                Ok(Arc::clone(slot))
            } else {
                Err(Error::IdempotencyMismatch)
            };
        }
    }
    let slot = Arc::new(Slot {
        fingerprint: key.fingerprint,
        since: Instant::now(),
        run: OnceCell::new(),
    });
    keys.insert(name, Arc::clone(&slot));
    Ok(slot)
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
