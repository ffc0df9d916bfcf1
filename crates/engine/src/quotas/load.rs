//! Today's counts, from what the database knows.

use wharf_model::Timestamp;
use wharf_store::db::SpentRow;

use super::tally::{DAY_MS, Spent, WINDOW_SECONDS};
use super::{Ledger, Parts};
use crate::engine::Inner;
use crate::error::Error;

impl Ledger {
    /// Counts what was used today before this server was started. The database has followed the
    /// record by then, and runs that an earlier server left open are closed. Where it cannot be
    /// read, counting begins anew: limits keep no server from starting.
    pub(crate) async fn load(&self, inner: &Inner) {
        if let Err(error) = self.read(inner).await {
            tracing::warn!(target: "system", %error, "what was used today is not known; it counts from now on");
        }
    }

    async fn read(&self, inner: &Inner) -> Result<(), Error> {
        let now = inner.parts.clock.now();
        let window = i64::try_from(WINDOW_SECONDS)
            .unwrap_or(0)
            .saturating_mul(1_000);
        let minute_ago = now.millis().saturating_sub(window);
        let rows = spent(inner, now).await?;
        let begun = inner.parts.database.begun_since(minute_ago).await;
        let begun = begun.map_err(Error::from_database)?;
        let is_shared = inner.parts.database.is_shared();
        let mut table = self.lock();
        for row in rows {
            let (here, spent) = (row.here || !is_shared, spent_of(&row));
            table.each(Parts::of(&row.caller), now, |tally| {
                if here {
                    tally.add_today(now, spent);
                } else {
                    tally.add_elsewhere(now, spent);
                }
            });
        }
        for (caller, started_ms) in begun {
            let (parts, at) = (Parts::of(&caller), Timestamp::from_millis(started_ms));
            table.each(parts, now, |tally| tally.add_begun(at, now));
        }
        Ok(())
    }

    /// Brings what was used today at other servers up to the database.
    pub(crate) async fn follow(&self, inner: &Inner) -> Result<(), Error> {
        let now = inner.parts.clock.now();
        let rows = spent(inner, now).await?;
        let mut table = self.lock();
        table.forget_elsewhere();
        for row in rows.iter().filter(|row| !row.here) {
            let spent = spent_of(row);
            table.each(Parts::of(&row.caller), now, |tally| {
                tally.add_elsewhere(now, spent);
            });
        }
        Ok(())
    }
}

/// What ended today, as far as it began yesterday or later.
async fn spent(inner: &Inner, now: Timestamp) -> Result<Vec<SpentRow>, Error> {
    let midnight = now.millis().div_euclid(DAY_MS).saturating_mul(DAY_MS);
    let from = midnight.saturating_sub(DAY_MS);
    let spent = inner.parts.database.spent_since(from, midnight).await;
    spent.map_err(Error::from_database)
}

fn spent_of(row: &SpentRow) -> Spent {
    Spent {
        bytes: u64::try_from(row.output_bytes).unwrap_or(0),
        ms: u64::try_from(row.wall_ms).unwrap_or(0),
    }
}
