//! What failed is tried again after a while that doubles, and not at each look.

use std::sync::Mutex;

use crate::limits::{TENDED_EVERY, TRIED_AGAIN_AFTER_MAX, ms};
use crate::live::lock;

/// One thing that is tried until it works.
#[derive(Debug, Default)]
pub(crate) struct Again(Mutex<Failed>);

#[derive(Debug, Clone, Copy, Default)]
struct Failed {
    /// How often in a row.
    times: u32,
    /// The last time.
    at_ms: i64,
}

impl Again {
    /// Whether it is time.
    pub(crate) fn is_due(&self, now_ms: i64) -> bool {
        let Failed { times, at_ms } = *lock(&self.0);
        if times == 0 {
            return true;
        }
        let wait = TENDED_EVERY.saturating_mul(2_u32.saturating_pow(times));
        let passed_ms = now_ms.saturating_sub(at_ms);
        // A clock that went back keeps nothing waiting.
        passed_ms < 0 || passed_ms >= ms(wait.min(TRIED_AGAIN_AFTER_MAX))
    }

    /// How often in a row it has failed.
    pub(crate) fn failures(&self) -> u32 {
        lock(&self.0).times
    }

    /// Notes how it went.
    pub(crate) fn note(&self, now_ms: i64, worked: bool) {
        let mut failed = lock(&self.0);
        *failed = Failed {
            times: if worked {
                0
            } else {
                failed.times.saturating_add(1)
            },
            at_ms: now_ms,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound() {
        let again = Again::default();
        assert!(again.is_due(0));
        let mut now_ms = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            again.note(now_ms, false);
            let failed_ms = now_ms;
            while !again.is_due(now_ms) {
                now_ms += 1_000;
            }
            waits.push((now_ms - failed_ms) / 1_000);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300, 300]);
        assert_eq!(again.failures(), 9);
        again.note(now_ms, false);
        assert!(again.is_due(now_ms - 1), "the clock went back");
        again.note(now_ms, true);
        assert!(again.is_due(now_ms) && again.failures() == 0);
    }
}
