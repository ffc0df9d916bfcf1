//! A session that has not ended, in memory.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turn, watch};
use tokio_util::sync::CancellationToken;
use wharf_store::db::GatewaySessionRow;

use crate::again::Again;
use crate::relay::Way;
use crate::state::State;

/// One session. Whoever changes it has its turn; whoever looks sees what was last written.
pub(crate) struct Live {
    /// One step at a time.
    pub(crate) turn: Turn<()>,
    row: Mutex<GatewaySessionRow>,
    /// When it was last used.
    active_ms: AtomicI64,
    /// The number of its last event.
    pub(crate) number: watch::Sender<i64>,
    /// It is to end: what is being made of it is given up.
    ending: Mutex<CancellationToken>,
    /// It has ended, or its end is recorded. Not so when this server ends: the session goes on.
    over: Mutex<CancellationToken>,
    /// The way to its agent.
    agent: Mutex<Option<Way>>,
    /// What is written of it may be more than what is here.
    doubted: AtomicBool,
    /// Its machine was made by an earlier process, or could not be written down, and has not been
    /// found again.
    lost: AtomicBool,
    /// Why it failed, where that could not be written down.
    unwritten: Mutex<Option<String>>,
    /// Holding it still.
    pub(crate) pauses: Again,
    /// Ending it when its time is over.
    pub(crate) ends: Again,
}

impl Live {
    pub(crate) fn new(row: GatewaySessionRow, number: i64, closing: &CancellationToken) -> Self {
        Self {
            turn: Turn::new(()),
            active_ms: AtomicI64::new(row.active_ms),
            row: Mutex::new(row),
            number: watch::Sender::new(number),
            ending: Mutex::new(closing.child_token()),
            over: Mutex::default(),
            agent: Mutex::default(),
            doubted: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            unwritten: Mutex::default(),
            pauses: Again::default(),
            ends: Again::default(),
        }
    }

    /// As it was last written.
    pub(crate) fn row(&self) -> GatewaySessionRow {
        lock(&self.row).clone()
    }

    pub(crate) fn state(&self) -> State {
        State::read(&lock(&self.row).state)
    }

    /// What it is charged to.
    pub(crate) fn account(&self) -> String {
        lock(&self.row).account.clone()
    }

    pub(crate) fn set(&self, row: GatewaySessionRow) {
        *lock(&self.row) = row;
    }

    pub(crate) fn touch(&self, now_ms: i64) {
        self.active_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn active_ms(&self) -> i64 {
        self.active_ms.load(Ordering::Relaxed)
    }

    /// Cancelled when it is to end.
    pub(crate) fn ending(&self) -> CancellationToken {
        lock(&self.ending).clone()
    }

    /// It goes on after all: its end could not be recorded. The way to its agent was closed for it,
    /// and another program may have its port by now.
    pub(crate) fn not_ending(&self, closing: &CancellationToken) {
        self.set_agent(None);
        *lock(&self.ending) = closing.child_token();
        *lock(&self.over) = CancellationToken::new();
    }

    /// Cancelled when it has ended.
    pub(crate) fn over(&self) -> CancellationToken {
        lock(&self.over).clone()
    }

    /// Where its agent is reached from here, as long as the way there is open.
    pub(crate) fn agent(&self) -> Option<SocketAddr> {
        let agent = lock(&self.agent);
        agent.as_ref().filter(|way| way.is_open()).map(Way::address)
    }

    pub(crate) fn set_agent(&self, way: Option<Way>) {
        *lock(&self.agent) = way;
    }

    /// What was written last is not known.
    pub(crate) fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// What is written of it, as it was read a moment ago.
    pub(crate) fn read(&self, row: GatewaySessionRow, number: i64) {
        self.set(row);
        self.number.send_replace(number);
        self.doubted.store(false, Ordering::Relaxed);
    }

    pub(crate) fn set_lost(&self, lost: bool) {
        self.lost.store(lost, Ordering::Relaxed);
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// It failed, which could not be written down.
    pub(crate) fn set_unwritten(&self, reason: Option<String>) {
        *lock(&self.unwritten) = reason;
    }

    pub(crate) fn unwritten(&self) -> Option<String> {
        lock(&self.unwritten).clone()
    }
}

/// Those of this server.
#[derive(Default)]
pub(crate) struct Lives(Mutex<HashMap<String, Arc<Live>>>);

impl Lives {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Live>> {
        lock(&self.0).get(id).cloned()
    }

    pub(crate) fn put(&self, id: String, live: Arc<Live>) {
        lock(&self.0).insert(id, live);
    }

    pub(crate) fn remove(&self, id: &str) {
        lock(&self.0).remove(id);
    }

    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        lock(&self.0).values().cloned().collect()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
