//! Whether what would be signalled is still the command's own.
//!
//! Shims and shells serve one command after the other, and a kill that was decided for one must
//! not arrive when the next has begun.

use std::sync::{Arc, Mutex, PoisonError};

/// A command's hold on the processes that serve it.
#[derive(Debug)]
pub(crate) struct Hold(Mutex<bool>);

impl Hold {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(true)))
    }

    /// Does `act` if the hold was not released; it cannot be while that goes on.
    pub(crate) fn while_held(&self, act: impl FnOnce()) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *held {
            act();
        }
    }

    /// Gives the processes free. False: somebody is acting on them at this moment, so that they
    /// must not serve again.
    pub(crate) fn release(&self) -> bool {
        match self.0.try_lock() {
            Ok(mut held) => {
                *held = false;
                true
            }
            Err(_) => false,
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
}
