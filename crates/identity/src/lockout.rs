//! How often something that can be guessed may be tried.
//!
//! Each try is written down before it is heard, by comparing and swapping in the database: many at
//! once, at one server or at several, count as many. While something is blocked nothing is looked
//! at, so that the right secret is refused like any other.

use std::time::Duration;

use wharf_store::db::AttemptRow;

use crate::Error;
use crate::identity::Inner;
use crate::limits::{
    BLOCK_MAX, DEVICE_LIFETIME, FAILURES_FORGOTTEN, FIRST_BLOCK, FREE_FAILURES, WRONG_CODES,
};
use crate::text::{hash_of, ms};

/// How often a swap is tried again when somebody else was faster; then the try is refused.
const SWAPS_MAX: usize = 16;
const MINUTE_MS: i64 = 60_000;

/// What a try is at: the kind, and whose.
pub(crate) struct Tried {
    key: String,
}

impl Tried {
    /// The subject may be something that a person typed, so that only its hash is kept.
    pub(crate) fn new(kind: &str, subject: &str) -> Self {
        Self {
            key: format!("{kind}:{}", hash_of(subject)),
        }
    }
}

/// What is done with a row: the next one, or how long it is still blocked.
type Step = fn(Option<AttemptRow>, i64, u32) -> Result<AttemptRow, i64>;

impl Inner {
    /// One of `per_minute` tries of a minute. Half of them may come at once, so that there are
    /// never more within any minute.
    pub(crate) async fn spend(&self, tried: &Tried, per_minute: u32) -> Result<(), Error> {
        self.attempt(tried, spent, per_minute).await
    }

    /// Gives a try back that was none: it succeeded.
    pub(crate) async fn give_back(&self, tried: &Tried, per_minute: u32) -> Result<(), Error> {
        let given = |row: Option<AttemptRow>, _: i64, per_minute: u32| {
            let row = row.unwrap_or_default();
            let until_ms = row.until_ms - step_ms(per_minute);
            let count = (row.count - 1).max(0);
            Ok(AttemptRow {
                count,
                until_ms,
                ..row
            })
        };
        self.attempt(tried, given, per_minute).await
    }

    /// A try at an account's password.
    pub(crate) async fn fail(&self, tried: &Tried) -> Result<(), Error> {
        self.attempt(tried, failed, 0).await
    }

    /// The try was right: what came before it is forgotten.
    pub(crate) async fn succeed(&self, tried: &Tried) -> Result<(), Error> {
        Ok(self.parts.database.forget_attempt(&tried.key).await?)
    }

    /// A try at a user code.
    pub(crate) async fn guess(&self, tried: &Tried) -> Result<(), Error> {
        self.attempt(tried, guessed, WRONG_CODES).await
    }

    /// The try at a user code was right. Only itself is given back: otherwise whoever asks for a
    /// code of their own could go on for ever.
    pub(crate) async fn guessed_right(&self, tried: &Tried) -> Result<(), Error> {
        let given = |row: Option<AttemptRow>, _: i64, _: u32| {
            let row = row.unwrap_or_default();
            let count = (row.count - 1).max(0);
            Ok(AttemptRow {
                count,
                until_ms: 0,
                ..row
            })
        };
        self.attempt(tried, given, 0).await
    }

    async fn attempt(&self, tried: &Tried, step: Step, bound: u32) -> Result<(), Error> {
        for _ in 0..SWAPS_MAX {
            let now_ms = self.now_ms();
            let before = self.parts.database.attempt(&tried.key).await?;
            let after = step(before, now_ms, bound).map_err(|wait_ms| Error::Throttled {
                retry_after: Duration::from_millis(wait_ms.unsigned_abs()),
            })?;
            let swap = self.parts.database.swap_attempt(&tried.key, before, after);
            if swap.await? {
                return Ok(());
            }
        }
        let retry_after = Duration::from_secs(1);
        Err(Error::Throttled { retry_after })
    }
}

/// Time between two tries when all at once were used.
fn step_ms(per_minute: u32) -> i64 {
    MINUTE_MS / i64::from(at_once(per_minute))
}

/// How many may come at once: with those that follow until the minute is over, `per_minute`.
fn at_once(per_minute: u32) -> u32 {
    (per_minute / 2).max(1)
}

/// The generic cell rate algorithm: `until_ms` is when the bucket is full again.
fn spent(row: Option<AttemptRow>, now_ms: i64, per_minute: u32) -> Result<AttemptRow, i64> {
    let row = row.unwrap_or_default();
    let step = step_ms(per_minute);
    let latest = now_ms + step * i64::from(at_once(per_minute));
    // No later than it can be: the clock may have been put back.
    let until_ms = row.until_ms.clamp(now_ms, latest) + step;
    if until_ms > latest {
        return Err(until_ms - latest);
    }
    Ok(AttemptRow {
        count: row.count + 1,
        until_ms,
        changed_ms: now_ms,
    })
}

/// After [`FREE_FAILURES`] in a row each further one blocks, for twice as long as the one before.
fn failed(row: Option<AttemptRow>, now_ms: i64, _: u32) -> Result<AttemptRow, i64> {
    let row = row.unwrap_or_default();
    blocked(&row, now_ms, ms(BLOCK_MAX))?;
    let old = now_ms - row.changed_ms > ms(FAILURES_FORGOTTEN);
    let count = if old { 1 } else { row.count + 1 };
    Ok(AttemptRow {
        count,
        until_ms: now_ms + block_ms(count),
        changed_ms: now_ms,
    })
}

/// How long something is still blocked. A block that is longer than any was made by a clock that
/// was put back since, and is none.
fn blocked(row: &AttemptRow, now_ms: i64, longest_ms: i64) -> Result<(), i64> {
    let left_ms = row.until_ms - now_ms;
    if (1..=longest_ms).contains(&left_ms) {
        return Err(left_ms);
    }
    Ok(())
}

fn block_ms(failures: i64) -> i64 {
    let Ok(doublings) = u32::try_from(failures - i64::from(FREE_FAILURES)) else {
        return 0;
    };
    let block = ms(FIRST_BLOCK).saturating_mul(1 << doublings.min(31));
    block.min(ms(BLOCK_MAX))
}

/// So many within the life of a code, and then none until it is over.
fn guessed(row: Option<AttemptRow>, now_ms: i64, most: u32) -> Result<AttemptRow, i64> {
    let row = row.unwrap_or_default();
    blocked(&row, now_ms, ms(DEVICE_LIFETIME))?;
    let old = row.until_ms > 0 || now_ms - row.changed_ms > ms(DEVICE_LIFETIME);
    let count = if old { 1 } else { row.count + 1 };
    let full = count >= i64::from(most);
    Ok(AttemptRow {
        count,
        until_ms: if full {
            now_ms + ms(DEVICE_LIFETIME)
        } else {
            0
        },
        changed_ms: now_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TRIES_PER_MINUTE;

    /// Tries without a pause: how many are heard in `span_ms`, one try each `every_ms`.
    fn heard(step: Step, bound: u32, span_ms: i64, every_ms: i64) -> Vec<i64> {
        let (mut row, mut heard) = (None, Vec::new());
        let mut now = 1_000_000;
        let end = now + span_ms;
        while now < end {
            if let Ok(next) = step(row, now, bound) {
                row = Some(next);
                heard.push(now);
            }
            now += every_ms;
        }
        heard
    }

    #[test]
    fn no_minute_has_more_tries_than_there_may_be() {
        let times = heard(spent, TRIES_PER_MINUTE, 10 * MINUTE_MS, 250);
        let most = times.iter().map(|from| {
            let within = times
                .iter()
                .filter(|it| (*from..*from + MINUTE_MS).contains(*it));
            within.count()
        });
        let most = most.max().unwrap();
        assert!(most <= TRIES_PER_MINUTE as usize, "{most}");
        assert!(times.len() >= 50, "{}: and those are heard", times.len());
    }

    #[test]
    fn a_day_of_guessing_passwords_is_a_hundred_tries() {
        let day = 24 * 60 * MINUTE_MS;
        let times = heard(failed, 0, day, 500);
        // Five free, ten blocks that double up to 512 s, then one each quarter of an hour.
        assert_eq!(times.len(), 5 + 10 + 94);
        assert!(block_ms(1_000_000) == ms(BLOCK_MAX));
        let blocks: Vec<i64> = (4..16).map(block_ms).collect();
        assert_eq!(blocks[..4], [0, 1_000, 2_000, 4_000]);
        assert_eq!(blocks[11], ms(BLOCK_MAX));
    }

    #[test]
    fn failures_are_forgotten_after_a_day() {
        let row = AttemptRow {
            count: 30,
            until_ms: 10,
            changed_ms: 0,
        };
        let later = ms(FAILURES_FORGOTTEN) + 1;
        assert_eq!(failed(Some(row), later, 0).unwrap().count, 1);
        assert_eq!(failed(Some(row), later - 1, 0).unwrap().count, 31);
    }

    #[test]
    fn a_clock_that_is_put_back_locks_nobody_out() {
        let row = AttemptRow {
            count: 30,
            until_ms: 10 * ms(FAILURES_FORGOTTEN),
            changed_ms: 10 * ms(FAILURES_FORGOTTEN),
        };
        assert!(failed(Some(row), 1_000, 0).is_ok());
        assert!(guessed(Some(row), 1_000, WRONG_CODES).is_ok());
        let wait = spent(Some(row), 1_000, TRIES_PER_MINUTE).unwrap_err();
        assert!(wait <= MINUTE_MS, "{wait}");
    }

    #[test]
    fn a_code_has_five_guesses_in_its_life() {
        let times = heard(guessed, WRONG_CODES, ms(DEVICE_LIFETIME), 250);
        assert_eq!(times.len(), WRONG_CODES as usize);
        let spread = heard(guessed, WRONG_CODES, 10 * ms(DEVICE_LIFETIME), 10_000);
        assert!(
            spread.len() <= 10 * WRONG_CODES as usize,
            "{}",
            spread.len()
        );
    }
}
