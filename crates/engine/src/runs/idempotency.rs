//! The same key and body: the same run.
//!
//! Where several servers share the database, a key is taken there first. It is given back when the
//! request was refused or came to nothing; what became of one that broke off is looked up in the
//! record before.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedMutexGuard, oneshot};
use wharf_model::{Caller, RunId};
use wharf_store::db::Claimed;

use crate::engine::Inner;
use crate::error::Error;
use crate::record;
use crate::request::Idempotency;
use crate::runs::Run;
use crate::runs::start::Told;

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
    /// The first request's run.
    run: OnceLock<RunId>,
    /// Held by the request whose run is being started; others wait here.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Slot {
    /// Its run is just being started. Forgetting it now would let the same request run twice.
    fn is_in_flight(self: &Arc<Self>) -> bool {
        self.run.get().is_none() && Arc::strong_count(self) > 1
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
            if slot.run.get().is_some() || slot.is_in_flight() {
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
            run: OnceLock::new(),
            turn: Arc::default(),
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

/// A key while its run is being started: nobody else starts one under it. It goes with the work,
/// not with whoever asked for it.
pub(crate) struct Keyed {
    slot: Arc<Slot>,
    _turn: OwnedMutexGuard<()>,
    claim: Option<Claim>,
}

impl Keyed {
    /// Its run has begun.
    async fn fulfil(self, run: &RunId) {
        let _known = self.slot.run.set(run.clone());
        if let Some(claim) = self.claim {
            claim.fulfil(run).await;
        }
    }

    /// No run came of the request.
    pub(crate) async fn release(self) {
        if let Some(claim) = self.claim {
            claim.release().await;
        }
    }
}

/// What a key stands for.
pub(crate) enum Held {
    /// Nothing yet.
    Here(Keyed),
    /// An earlier request, and this is its run.
    Earlier(RunId),
}

/// Takes a key, or waits for the run of the request that has it.
pub(crate) async fn hold(
    inner: &Arc<Inner>,
    caller: &Caller,
    key: &Idempotency,
) -> Result<Held, Error> {
    let slot = inner.keys.slot(caller, key)?;
    if let Some(run) = slot.run.get() {
        return Ok(Held::Earlier(run.clone()));
    }
    let turn = Arc::clone(&slot.turn).lock_owned().await;
    if let Some(run) = slot.run.get() {
        return Ok(Held::Earlier(run.clone()));
    }
    match take(inner, caller, key).await? {
        Taken::Here(claim) => Ok(Held::Here(Keyed {
            slot,
            _turn: turn,
            claim,
        })),
        Taken::Earlier(run) => {
            let _known = slot.run.set(run.clone());
            Ok(Held::Earlier(run))
        }
    }
}

/// Does work that begins a run and sees it to its end, with its key held until it is known what
/// came of it. `told` hears of the run when its key stands for it.
pub(crate) async fn under<W: Future<Output = Result<(), Error>>>(
    keyed: Option<Keyed>,
    told: Told,
    work: impl FnOnce(Told) -> W,
) -> Result<(), Error> {
    let Some(keyed) = keyed else {
        return work(told).await;
    };
    let (tell, mut begun) = oneshot::channel::<Arc<Run>>();
    let mut work = pin!(work(tell));
    let (run, done) = tokio::select! {
        biased;
        done = &mut work => (begun.try_recv().ok(), Some(done)),
        run = &mut begun => (run.ok(), None),
    };
    if let Some(run) = run {
        keyed.fulfil(&run.id).await;
        let _nobody_waits = told.send(run);
        return match done {
            Some(done) => done,
            None => work.await,
        };
    }
    let done = match done {
        Some(done) => done,
        None => work.await,
    };
    keyed.release().await;
    done
}

/// A key that was taken from all other servers, while its run is being started.
struct Claim {
    inner: Arc<Inner>,
    caller: Caller,
    key: String,
    open: bool,
}

impl Claim {
    /// Its run is on record.
    async fn fulfil(mut self, run: &RunId) {
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
    async fn release(mut self) {
        self.open = false;
        let database = &self.inner.parts.database;
        let released = database.release(self.caller.name(), &self.key).await;
        if let Err(error) = released {
            tracing::warn!(target: "command", %error, "a key is given back later");
            self.open = true;
        }
    }
}

/// Whoever asked went away before anything was begun, or the database did not hear of it. Whether a
/// run came of it is known soon.
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
            let settled = async {
                inner.catch_up().await?;
                settle(&inner, caller.name(), &key).await
            };
            if let Err(error) = settled.await {
                tracing::warn!(target: "command", %error, "a key is not given back before the next start");
            }
        });
    }
}

/// What came of taking a key.
enum Taken {
    /// It is this request's.
    Here(Option<Claim>),
    /// An earlier request has it, and this is its run.
    Earlier(RunId),
}

/// Takes a key for a request, or waits for the run of the request that has it.
async fn take(inner: &Arc<Inner>, caller: &Caller, key: &Idempotency) -> Result<Taken, Error> {
    if !inner.parts.database.is_shared() {
        let stored = stored(inner, caller, key).await?;
        return Ok(stored.map_or(Taken::Here(None), Taken::Earlier));
    }
    let fingerprint = record::hex(&key.fingerprint);
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let now = inner.parts.clock.now().millis();
        let claimed = inner.parts.database.claim(
            caller.name(),
            &key.key,
            &fingerprint,
            now,
            now.saturating_sub(life_ms()),
        );
        let holder = match claimed.await.map_err(Error::from_database)? {
            Claimed::Taken => break,
            // Given back between two looks at it: it may be had now.
            Claimed::Gone => None,
            Claimed::Held(row) if row.fingerprint != fingerprint => {
                return Err(Error::IdempotencyMismatch);
            }
            Claimed::Held(row) => {
                let run = row.run.as_deref();
                if let Some(run) = run.and_then(|run| RunId::parse(run).ok()) {
                    return Ok(Taken::Earlier(run));
                }
                Some(row.server)
            }
        };
        if tokio::time::Instant::now() >= until {
            let holder = holder.as_deref().unwrap_or("another server");
            return Err(Error::Conflict(format!(
                "an earlier request with this key is still being started at {holder}; whether it \
                 ran is known when that server answers for it"
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

/// Says what became of the keys that an earlier process of this server had taken. The database has
/// caught up: nothing is begun here before this.
pub(crate) async fn settle_open(inner: &Inner) -> Result<(), Error> {
    let database = &inner.parts.database;
    if !database.is_shared() {
        return Ok(());
    }
    forget_old(inner).await?;
    // Each that is settled is open no longer, so that the next look finds others.
    loop {
        let open = database.open_claims().await.map_err(Error::from_database)?;
        if open.is_empty() {
            return Ok(());
        }
        for claim in open {
            settle(inner, &claim.caller, &claim.key).await?;
        }
    }
}

/// Forgets keys that stand for their first request no longer.
pub(crate) async fn forget_old(inner: &Inner) -> Result<(), Error> {
    let database = &inner.parts.database;
    if !database.is_shared() {
        return Ok(());
    }
    let before = inner.parts.clock.now().millis().saturating_sub(life_ms());
    let forgotten = database.forget_claims(before).await;
    forgotten.map_err(Error::from_database)
}

/// Says what became of a key, as the database has it, which has to be up to the record.
async fn settle(inner: &Inner, caller: &str, key: &str) -> Result<(), Error> {
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
async fn stored(inner: &Inner, caller: &Caller, key: &Idempotency) -> Result<Option<RunId>, Error> {
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
            slot(&keys, 1).run.get().is_none(),
            "the oldest was forgotten"
        );
        assert!(slot(&keys, 3).run.get().is_some(), "the next one was not");
    }

    /// A run may take long to begin, for example because its session's shell starts slowly.
    #[tokio::test]
    async fn a_key_is_held_while_its_run_begins_and_whoever_asked_has_gone() {
        let keys = Keys::default();
        let slot = slot(&keys, 0);
        let keyed = Keyed {
            _turn: Arc::clone(&slot.turn).lock_owned().await,
            slot,
            claim: None,
        };
        let (go, gone) = oneshot::channel::<()>();
        let (told, asked) = oneshot::channel();
        let tasks = tokio_util::task::TaskTracker::new();
        let work = under(Some(keyed), told, |_told| async {
            let _ = gone.await;
            Err(Error::Stopping)
        });
        let mut whole = crate::whole::Whole::new(&tasks, work);
        tokio::select! {
            biased;
            _ = &mut whole => panic!("it has not begun"),
            () = std::future::ready(()) => {}
        }
        drop((whole, asked));

        let again = self::slot(&keys, 0);
        assert!(
            Arc::clone(&again.turn).try_lock_owned().is_err(),
            "the same request does not run twice"
        );
        let _ = go.send(());
        tasks.close();
        tasks.wait().await;
        assert!(Arc::clone(&again.turn).try_lock_owned().is_ok());
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
