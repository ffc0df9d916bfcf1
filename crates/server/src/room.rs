//! Memory that large bodies share, and large answers.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Failure;

/// What is up to this size takes no part in the sharing: all small ones together are bounded by the
/// number of requests.
pub(crate) const SMALL_BYTES: usize = 64 * 1024;
/// How long one waits for room.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is counted, in bytes.
const UNIT: usize = 1024;

/// Room for what is in memory whole, on its way in or out.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    bytes: usize,
    /// Who has something large in it that they may have one at a time.
    callers: Arc<Mutex<HashSet<String>>>,
}

/// Room that is taken, until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Held {
    _units: Option<OwnedSemaphorePermit>,
    _seat: Option<Seat>,
}

/// A caller's one large thing.
#[derive(Debug)]
struct Seat {
    caller: String,
    among: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut callers = self.among.lock().unwrap_or_else(PoisonError::into_inner);
        callers.remove(&self.caller);
    }
}

impl Room {
    /// For `bytes` together.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            units: Arc::new(Semaphore::new(bytes.div_ceil(UNIT))),
            bytes,
            callers: Arc::default(),
        }
    }

    /// Waits for room for as long as whoever asks does. More than there is at all counts as that.
    pub(crate) async fn hold(&self, bytes: usize) -> Held {
        if bytes <= SMALL_BYTES {
            return Held::default();
        }
        let units = u32::try_from(bytes.min(self.bytes).div_ceil(UNIT)).unwrap_or(u32::MAX);
        let units = Arc::clone(&self.units).acquire_many_owned(units);
        Held {
            // It fails only when the semaphore is closed, which nobody does.
            _units: units.await.ok(),
            _seat: None,
        }
    }

    /// The same for what may be on its way for minutes: one large thing of a caller at a time, so
    /// that nobody who is slow keeps all others out, and not longer than [`PATIENCE`].
    pub(crate) async fn take(&self, caller: &str, bytes: usize) -> Result<Held, Failure> {
        if bytes <= SMALL_BYTES {
            return Ok(Held::default());
        }
        let seat = self.seat(caller)?;
        let held = tokio::time::timeout(PATIENCE, self.hold(bytes)).await;
        let held = held.map_err(|_| Failure::busy("Too much is on its way at once; try again."))?;
        Ok(Held {
            _seat: Some(seat),
            ..held
        })
    }

    fn seat(&self, caller: &str) -> Result<Seat, Failure> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if !callers.insert(caller.to_owned()) {
            let words =
                "Something large of yours is on its way already; try again when it is done.";
            return Err(Failure::busy(words));
        }
        Ok(Seat {
            caller: caller.to_owned(),
            among: Arc::clone(&self.callers),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_things_wait_for_each_other_and_small_ones_do_not() {
        let room = Room::new(SMALL_BYTES * 2);
        let held = room.take("ada", SMALL_BYTES + 1).await.unwrap();
        room.take("bob", SMALL_BYTES).await.unwrap();
        let begun = tokio::time::Instant::now();
        let refused = room.take("bob", SMALL_BYTES + 1).await.unwrap_err();
        assert_eq!(
            (refused.status().as_u16(), begun.elapsed()),
            (429, PATIENCE)
        );
        drop(held);
        room.take("bob", SMALL_BYTES * 10).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_one_large_thing_at_a_time() {
        let room = Room::new(SMALL_BYTES * 10);
        let large = SMALL_BYTES + 1;
        let held = room.take("ada", large).await.unwrap();
        let begun = tokio::time::Instant::now();
        let refused = room.take("ada", large).await.unwrap_err();
        assert_eq!(
            (refused.status().as_u16(), begun.elapsed()),
            (429, Duration::ZERO)
        );
        room.take("ada", SMALL_BYTES).await.unwrap();
        let others = room.take("bob", large).await.unwrap();
        drop(held);
        room.take("ada", large).await.unwrap();
        drop(others);
    }
}
