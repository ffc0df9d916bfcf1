//! What could not be written, and is tried again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From a failure to the next attempt, at first and at the most.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What waits at once. Beyond that the oldest goes: it is as if the server had ended there.
pub(crate) const MAX_WAITING: usize = 10_000;

/// Things in the order in which they came, tried again with growing pauses.
pub(crate) struct Backlog<T>(Mutex<State<T>>);

struct State<T> {
    waiting: VecDeque<T>,
    pause: Duration,
    /// No attempt before this moment.
    not_before: Option<Instant>,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            waiting: VecDeque::new(),
            pause: FIRST_PAUSE,
            not_before: None,
        }))
    }
}

impl<T> Backlog<T> {
    /// Keeps what failed just now. What it takes the place of comes back.
    pub(crate) fn keep(&self, item: T, now: Instant) -> Option<T> {
        let mut state = self.lock();
        let gone = (state.waiting.len() >= MAX_WAITING)
            .then(|| state.waiting.pop_front())
            .flatten();
        state.waiting.push_back(item);
        let first = now + state.pause;
        state.not_before.get_or_insert(first);
        gone
    }

    /// Tries in order until the first that fails again, if it is time for that; how many were
    /// written.
    pub(crate) fn retry(&self, now: Instant, write: impl FnMut(&mut T) -> bool) -> usize {
        if self.lock().not_before.is_none_or(|moment| now < moment) {
            return 0;
        }
        self.retry_now(now, write)
    }

    /// The same whether or not it is time.
    pub(crate) fn retry_now(&self, now: Instant, mut write: impl FnMut(&mut T) -> bool) -> usize {
        let mut state = self.lock();
        let mut written = 0;
        while let Some(item) = state.waiting.front_mut() {
            if !write(item) {
                state.pause = (state.pause * 2).min(LONGEST_PAUSE);
                state.not_before = Some(now + state.pause);
                return written;
            }
            state.waiting.pop_front();
            written += 1;
        }
        state.pause = FIRST_PAUSE;
        state.not_before = None;
        written
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_again_in_order_with_growing_pauses() {
        let (backlog, begin) = (Backlog::default(), Instant::now());
        let after = |time| begin + time;
        for item in 0..3 {
            assert!(backlog.keep(item, begin).is_none());
        }
        let mut tried = Vec::new();
        let early = after(FIRST_PAUSE - Duration::from_millis(1));
        assert_eq!(backlog.retry(early, |_| true), 0);

        // The disk takes one, and no more.
        let mut takes = 1;
        let written = backlog.retry(after(FIRST_PAUSE), |item| {
            tried.push(*item);
            takes -= 1;
            takes >= 0
        });
        assert_eq!((written, tried.as_slice()), (1, [0, 1].as_slice()));
        assert_eq!(backlog.retry(after(FIRST_PAUSE * 2), |_| true), 0);

        let mut moment = after(FIRST_PAUSE * 3);
        for _ in 0..20 {
            assert_eq!(backlog.retry(moment, |_| false), 0);
            moment += LONGEST_PAUSE;
        }
        let mut last = Vec::new();
        let all = backlog.retry(moment, |item| {
            last.push(*item);
            true
        });
        assert_eq!((all, last), (2, vec![1, 2]));

        // And it begins anew with the short pause.
        backlog.keep(9, moment);
        assert_eq!(backlog.retry(moment + FIRST_PAUSE, |_| true), 1);
    }

    #[test]
    fn it_has_a_bound_at_which_the_oldest_goes() {
        let (backlog, now) = (Backlog::default(), Instant::now());
        let kept = (0..MAX_WAITING).map(|item| backlog.keep(item, now));
        assert_eq!(kept.flatten().count(), 0);
        assert_eq!(backlog.keep(MAX_WAITING, now), Some(0));
        assert_eq!(backlog.retry_now(now, |_| true), MAX_WAITING);
    }
}
