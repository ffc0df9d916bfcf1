//! Things that were started ahead of need and serve again.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most that wait for their next use; one that comes back beyond that is let go.
const MAX_IDLE: usize = 64;
/// How many are kept when nobody has asked for a while.
pub(crate) const IDLE_KEPT: usize = 1;

/// Idle things, the latest used first, because it is the warmest.
pub(crate) struct Pool<T>(Mutex<State<T>>);

struct State<T> {
    idle: Vec<T>,
    /// The fewest that were idle since the last trim: those were not needed.
    unneeded: usize,
    closed: bool,
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State {
            idle: Vec::new(),
            unneeded: 0,
            closed: false,
        }))
    }

    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.lock();
        let taken = state.idle.pop();
        state.unneeded = state.unneeded.min(state.idle.len());
        taken
    }

    pub(crate) fn put(&self, thing: T) {
        let mut state = self.lock();
        if state.idle.len() < MAX_IDLE && !state.closed {
            state.idle.push(thing);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().idle.is_empty()
    }

    /// Takes out those that nobody needed since the last time, but keeps `least`.
    pub(crate) fn trim(&self, least: usize) -> Vec<T> {
        let mut state = self.lock();
        let surplus = state.unneeded.min(state.idle.len().saturating_sub(least));
        let out = state.idle.drain(..surplus).collect();
        state.unneeded = state.idle.len();
        out
    }

    /// Drops all, and whatever comes back later.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_no_more_than_the_bound() {
        let pool = Pool::new();
        (0..MAX_IDLE + 5).for_each(|thing| pool.put(thing));
        assert_eq!(std::iter::from_fn(|| pool.take()).count(), MAX_IDLE);
    }

    #[test]
    fn lets_go_of_what_nobody_needed() {
        let pool = Pool::new();
        (0..10).for_each(|thing| pool.put(thing));
        assert_eq!(pool.trim(1).len(), 0, "just put there");
        let used: Vec<_> = (0..4).filter_map(|_| pool.take()).collect();
        used.into_iter().for_each(|thing| pool.put(thing));
        assert_eq!(pool.trim(1).len(), 6);
        assert_eq!(pool.trim(1).len(), 3);
        assert_eq!(pool.trim(1).len(), 0);
    }
}
