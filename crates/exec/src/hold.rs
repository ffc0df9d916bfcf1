//! Whether what would be signalled is still the command's own.
//!
//! Shims and shells serve one command after the other, and a kill that was decided for one must
//! not arrive when the next has begun.

use std::sync::{Arc, Mutex, PoisonError};

/// A command's hold on the processes that serve it.
#[derive(Debug)]
pub(crate) struct Hold(Mutex<State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    /// What was done to the processes leaves none that could serve again.
    Spoiled,
    Released,
}

impl Hold {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Held)))
    }

    /// Does `act` if the hold was not released; it cannot be while that goes on.
    pub(crate) fn while_held(&self, act: impl FnOnce()) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::Released {
            act();
        }
    }

    /// The same, with an act after which the processes cannot serve again.
    pub(crate) fn spoil(&self, act: impl FnOnce()) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *state != State::Released {
            act();
            *state = State::Spoiled;
        }
    }

    /// Gives the processes free. False: somebody is acting on them at this moment or has spoiled
    /// them, so that they must not serve again.
    pub(crate) fn release(&self) -> bool {
        match self.0.try_lock() {
            Ok(mut state) if *state == State::Held => {
                *state = State::Released;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_after_the_release() {
        let hold = Hold::new();
        let mut done = 0;
        hold.while_held(|| done += 1);
        assert!(hold.release());
        hold.while_held(|| done += 1);
        assert_eq!(done, 1);
    }

    #[test]
    fn what_is_being_acted_on_is_not_released() {
        let hold = Hold::new();
        hold.while_held(|| assert!(!hold.release()));
        hold.while_held(|| assert!(!hold.release(), "still held afterwards"));
    }

    #[test]
    fn what_was_spoiled_is_not_released_and_can_still_be_acted_on() {
        let hold = Hold::new();
        hold.spoil(|| {});
        assert!(!hold.release());
        let mut done = false;
        hold.while_held(|| done = true);
        assert!(done);
    }
}
