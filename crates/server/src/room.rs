//! Memory that large answers share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Failure;

/// An answer up to this size takes no part in the sharing: all small ones together are bounded by
/// the number of requests.
const SMALL_BYTES: usize = 64 * 1024;
/// How long an answer waits for room.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is counted, in bytes.
const UNIT: usize = 1024;

/// Room for answers that are read whole before they are sent.
#[derive(Debug)]
pub(crate) struct Room {
    units: Arc<Semaphore>,
    bytes: usize,
}

/// Room that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    _units: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// For `bytes` together.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            units: Arc::new(Semaphore::new(bytes.div_ceil(UNIT))),
            bytes,
        }
    }

    /// Waits for room for one answer, which is bounded by whoever reads it: more than there is at
    /// all counts as that.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Held, Failure> {
        if bytes <= SMALL_BYTES {
            return Ok(Held { _units: None });
        }
        let units = u32::try_from(bytes.min(self.bytes).div_ceil(UNIT)).unwrap_or(u32::MAX);
        let units = Arc::clone(&self.units).acquire_many_owned(units);
        match tokio::time::timeout(PATIENCE, units).await {
            Ok(units) => Ok(Held {
                // It fails only when the semaphore is closed, which nobody does.
                _units: units.ok(),
            }),
            Err(_) => Err(Failure::busy("Too much is sent at once; try again.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_answers_wait_for_each_other_and_small_ones_do_not() {
        let room = Room::new(SMALL_BYTES * 2);
        let held = room.take(SMALL_BYTES + 1).await.unwrap();
        room.take(SMALL_BYTES).await.unwrap();
        let refused = room.take(SMALL_BYTES + 1).await.unwrap_err();
        assert_eq!(refused.status().as_u16(), 429);
        drop(held);
        room.take(SMALL_BYTES * 10).await.unwrap();
    }
}
