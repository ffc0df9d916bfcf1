//! Today's counts, from what the database knows.

use wharf_model::Timestamp;

use super::tally::{DAY_MS, Spent, WINDOW_SECONDS};
use super::{Ledger, Parts};
use crate::engine::Inner;
use crate::error::Error;

impl Ledger {
    /// Counts what was used today before this server was started. The database has followed the
    /// record by then, and runs that an earlier server left open are closed.
    pub(crate) async fn load(&self, inner: &Inner) -> Result<(), Error> {
        let now = inner.parts.clock.now();
        let midnight = now.millis().div_euclid(DAY_MS).saturating_mul(DAY_MS);
        let window = i64::try_from(WINDOW_SECONDS)
            .unwrap_or(0)
            .saturating_mul(1_000);
        let minute_ago = now.millis().saturating_sub(window);
        let database = &inner.parts.database;
        let from = midnight.saturating_sub(DAY_MS).min(minute_ago);
        let spent = database.spent_since(from, midnight).await;
        let spent = spent.map_err(Error::from_database)?;
        let begun = database.begun_since(from, minute_ago).await;
        let begun = begun.map_err(Error::from_database)?;
        let mut table = self.lock();
        for row in spent {
            let spent = Spent {
                bytes: u64::try_from(row.output_bytes).unwrap_or(0),
                ms: u64::try_from(row.wall_ms).unwrap_or(0),
            };
            let parts = Parts::of(&row.caller);
            table.each(parts, now, |tally| tally.add_today(now, spent));
        }
        for (caller, started_ms) in begun {
            let (parts, at) = (Parts::of(&caller), Timestamp::from_millis(started_ms));
            table.each(parts, now, |tally| tally.add_begun(at, now));
        }
        Ok(())
    }
}
