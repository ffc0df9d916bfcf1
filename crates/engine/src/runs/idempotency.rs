//! The same key and body: the same run.
//!
//! Where several servers share the database, a key is taken there first. It is given back when the
//! request was refused or came to nothing; what became of one that broke off is looked up in the
//! record before.

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

/// How long a request waits for the run of an earlier one that is being started elsewhere, and how
/// often it looks.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// How long after a request broke off its run is on record, if it has one.
const SETTLE: Duration = Duration::from_secs(5);

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

/// A key that was taken from all other servers, while its run is being started.
pub(crate) struct Claim {
    inner: Arc<Inner>,
    caller: Caller,
    key: String,
    open: bool,
}

impl Claim {
    /// Its run is on record.
    pub(crate) async fn fulfil(mut self, run: &RunId) {
        self.open = false;
        let database = &self.inner.parts.database;
        let written = database.fulfil(self.caller.name(), &self.key, run.as_str());
        if let Err(error) = written.await {
            tracing::warn!(target: "command", %run, %error, "other servers do not know of this run's key yet");
            // The record knows.
            self.open = true;
        }
    }

    /// The request was refused: the key may be used again at once.
    pub(crate) async fn release(mut self) {
        self.open = false;
        let database = &self.inner.parts.database;
        let released = database.release(self.caller.name(), &self.key).await;
        if let Err(error) = released {
            tracing::warn!(target: "command", %error, "a key is given back later");
            self.open = true;
        }
    }
}

/// Whoever asked went away. Whether a run came of it is known soon.
impl Drop for Claim {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let (inner, caller, key) = (
            Arc::clone(&self.inner),
            self.caller.clone(),
            std::mem::take(&mut self.key),
        );
        self.inner.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(SETTLE) => {}
                // The next start settles it.
                () = inner.stopping.cancelled() => return,
            }
            if let Err(error) = settle(&inner, caller.name(), &key).await {
                tracing::warn!(target: "command", %error, "a key is not given back before the next start");
            }
        });
    }
}

/// What came of taking a key.
pub(crate) enum Taken {
    /// It is this request's.
    Here(Option<Claim>),
    /// An earlier request has it, and this is its run.
    Earlier(RunId),
}

/// Takes a key for a request, or waits for the run of the request that has it.
pub(crate) async fn take(
    inner: &Arc<Inner>,
    caller: &Caller,
    key: &Idempotency,
) -> Result<Taken, Error> {
    if !inner.parts.database.is_shared() {
        let stored = stored(inner, caller, key).await?;
        return Ok(stored.map_or(Taken::Here(None), Taken::Earlier));
    }
    let fingerprint = record::hex(&key.fingerprint);
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = inner.parts.clock.now().millis();
        let taken = inner.parts.database.claim(
            caller.name(),
            &key.key,
            &fingerprint,
            now,
            now.saturating_sub(life_ms()),
        );
        let Some(row) = taken.await.map_err(Error::from_database)? else {
            break;
        };
        if row.fingerprint != fingerprint {
            return Err(Error::IdempotencyMismatch);
        }
        if let Some(run) = row.run.as_deref().and_then(|run| RunId::parse(run).ok()) {
            return Ok(Taken::Earlier(run));
        }
        if tokio::time::Instant::now() >= until {
            return Err(Error::Conflict(format!(
                "an earlier request with this key is still being started at {}; whether it ran                  is known when that server answers for it",
                row.server
            )));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = inner.stopping.cancelled() => return Err(Error::Stopping),
        }
    }
    let claim = Claim {
        inner: Arc::clone(inner),
        caller: caller.clone(),
        key: key.key.clone(),
        open: true,
    };
    // One from before keys were taken there.
    match stored(inner, caller, key).await {
        Ok(Some(run)) => {
            claim.fulfil(&run).await;
            Ok(Taken::Earlier(run))
        }
        Ok(None) => Ok(Taken::Here(Some(claim))),
        Err(error) => {
            claim.release().await;
            Err(error)
        }
    }
}

/// Says what became of the keys that an earlier process of this server had taken.
pub(crate) async fn settle_open(inner: &Inner) -> Result<(), Error> {
    let database = &inner.parts.database;
    if !database.is_shared() {
        return Ok(());
    }
    let now = inner.parts.clock.now().millis();
    let forgotten = database.forget_claims(now.saturating_sub(life_ms())).await;
    forgotten.map_err(Error::from_database)?;
    let open = database.open_claims().await.map_err(Error::from_database)?;
    for claim in open {
        settle(inner, &claim.caller, &claim.key).await?;
    }
    Ok(())
}

async fn settle(inner: &Inner, caller: &str, key: &str) -> Result<(), Error> {
    inner.catch_up().await?;
    let database = &inner.parts.database;
    let since = inner.parts.clock.now().millis().saturating_sub(life_ms());
    let row = database.run_by_idempotency(caller, key, since).await;
    let settled = match row.map_err(Error::from_database)? {
        Some(row) => database.fulfil(caller, key, &row.id).await,
        None => database.release(caller, key).await,
    };
    settled.map_err(Error::from_database)
}

fn life_ms() -> i64 {
    i64::try_from(KEY_LIFE.as_millis()).unwrap_or(i64::MAX)
}

/// The run of an earlier request under this key that the database knows.
pub(crate) async fn stored(
    inner: &Inner,
    caller: &Caller,
    key: &Idempotency,
) -> Result<Option<RunId>, Error> {
    inner.catch_up().await?;
    let since = inner.parts.clock.now().millis().saturating_sub(life_ms());
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
