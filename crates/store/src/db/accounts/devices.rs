//! Devices that ask to be let in: from their codes to the key that is made for them.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::{Database, DbError};
use super::keys::insert_on;
use super::{KeyMade, KeyRow, statement};

/// A device that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceRow {
    /// The SHA-256 of the code that it polls with.
    pub device_hash: String,
    /// The SHA-256 of the code that its person types.
    pub user_hash: String,
    /// What it calls itself.
    pub device: String,
    /// Where it asks from.
    pub address: String,
    /// What of that counts as one network.
    pub network: String,
    /// What it asks to be for, or was let in for.
    pub scopes: String,
    /// When it asked.
    pub created_ms: i64,
    /// When its codes end.
    pub expires_ms: i64,
    /// How long it waits before each poll.
    pub interval_ms: i64,
    /// When it last polled.
    pub polled_ms: Option<i64>,
    /// `pending`, `allowed` or `denied`.
    pub state: String,
    /// Who decided.
    pub user_id: Option<String>,
    /// What the key will be for.
    pub organization_id: Option<String>,
    /// What the key will be called.
    pub name: Option<String>,
}

/// What became of a request that was to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceMade {
    /// It waits.
    Made,
    /// Another one has the same user code.
    Taken,
    /// As many wait from its network as may.
    Full,
}

/// What a poll found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// There is no such code, or not any more.
    Unknown,
    /// It took too long.
    Expired,
    /// The person said no.
    Denied,
    /// Nobody has decided.
    Pending,
    /// Nobody has decided, and the device did not wait; this is its interval from now on.
    TooSoon {
        /// In milliseconds.
        interval_ms: i64,
    },
    /// The person has as many keys as there may be. The request stays.
    Full,
    /// The key was made. It is the only time that this is answered.
    Made(Box<KeyRow>),
}

macro_rules! device_columns {
    () => {
        "device_hash, user_hash, device, address, scopes, created_ms, expires_ms, interval_ms, \
         polled_ms, state, user_id, organization_id, name, network"
    };
}

impl Database {
    /// Writes a device's request down, unless `of_network` wait from its network already. Where
    /// `most` wait in all, the oldest of the network with the most makes room.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_device(
        &self,
        device: &DeviceRow,
        (most, of_network): (u32, u32),
    ) -> Result<DeviceMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                concat!(
                    "INSERT INTO device_requests (",
                    device_columns!(),
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                     ON CONFLICT DO NOTHING"
                ),
                device.device_hash.as_str(),
                device.user_hash.as_str(),
                device.device.as_str(),
                device.address.as_str(),
                device.scopes.as_str(),
                device.created_ms,
                device.expires_ms,
                device.interval_ms,
                device.polled_ms,
                device.state.as_str(),
                device.user_id.as_deref(),
                device.organization_id.as_deref(),
                device.name.as_deref(),
                device.network.as_str(),
            );
            let made = query.execute(&mut *transaction).await?.rows_affected() > 0;
            if !made {
                return Ok(DeviceMade::Taken);
            }
            let query = sqlx::query_scalar(
                "SELECT COUNT(*) FROM device_requests \
                 WHERE network = $1 AND state = 'pending' AND expires_ms > $2",
            );
            let query = query.bind(device.network.as_str()).bind(device.created_ms);
            let near: i64 = query.fetch_one(&mut *transaction).await?;
            if near > i64::from(of_network) {
                return Ok(DeviceMade::Full);
            }
            let query = sqlx::query_scalar(
                "SELECT COUNT(*) FROM device_requests WHERE state = 'pending' AND expires_ms > $1",
            );
            let query = query.bind(device.created_ms);
            let waiting: i64 = query.fetch_one(&mut *transaction).await?;
            if waiting > i64::from(most) {
                let query = statement!(
                    "DELETE FROM device_requests WHERE device_hash IN (SELECT device_hash \
                     FROM device_requests WHERE state = 'pending' AND device_hash <> $1 \
                     AND network IN (SELECT network FROM device_requests \
                     WHERE state = 'pending' AND expires_ms > $2 AND device_hash <> $1 \
                     GROUP BY network ORDER BY COUNT(*) DESC, network LIMIT 1) \
                     ORDER BY created_ms, device_hash LIMIT 1)",
                    device.device_hash.as_str(),
                    device.created_ms,
                );
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(DeviceMade::Made)
        };
        self.within(write)
            .await
            .map_err(writing("a device's request"))
    }

    /// The device with this user code that still waits for a decision.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn device(&self, user_hash: &str, now_ms: i64) -> Result<Option<DeviceRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                device_columns!(),
                " FROM device_requests WHERE user_hash = $1 AND state = 'pending' \
                 AND expires_ms > $2"
            ),
            user_hash,
            now_ms,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(device_of).transpose())
            .map_err(reading("a device's request"))
    }

    /// Decides over a device that waits: `answer` has the state, who decided, and what the key will
    /// be for. False when it does not wait any more.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn answer_device(&self, answer: &DeviceRow, now_ms: i64) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE device_requests SET state = $1, user_id = $2, organization_id = $3, \
             name = $4, scopes = $5 \
             WHERE user_hash = $6 AND state = 'pending' AND expires_ms > $7",
            answer.state.as_str(),
            answer.user_id.as_deref(),
            answer.organization_id.as_deref(),
            answer.name.as_deref(),
            answer.scopes.as_str(),
            answer.user_hash.as_str(),
            now_ms,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a device's request"))?.rows_affected() > 0)
    }

    /// A device polls. When it was let in, its request goes and its key is made in one step:
    /// `key` has the id, the hash and the times; of many polls at once, one makes it. Polls that
    /// come earlier than the interval, less `slack_ms`, add `slower_ms` to it, up to `slowest_ms`.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn poll_device(
        &self,
        device_hash: &str,
        mut key: KeyRow,
        most: u32,
        pace: (i64, i64, i64),
    ) -> Result<Polled, DbError> {
        let (slack_ms, slower_ms, slowest_ms) = pace;
        let now_ms = key.created_ms;
        let write = async {
            let mut transaction = self.writer.begin().await?;
            // First the account of whoever decided, as everybody does who changes one.
            let query = statement!(
                "UPDATE users SET created_ms = created_ms WHERE id IN \
                 (SELECT user_id FROM device_requests WHERE device_hash = $1)",
                device_hash,
            );
            query.execute(&mut *transaction).await?;
            // Holds the row: whoever polls at the same time waits here, and then finds it gone.
            let query = statement!(
                "UPDATE device_requests SET state = state WHERE device_hash = $1",
                device_hash,
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                concat!(
                    "SELECT ",
                    device_columns!(),
                    " FROM device_requests WHERE device_hash = $1"
                ),
                device_hash,
            );
            let Some(row) = query.fetch_optional(&mut *transaction).await? else {
                return Ok(Polled::Unknown);
            };
            let row = device_of(&row)?;
            let polled = if row.expires_ms <= now_ms {
                forget_on(&mut transaction, device_hash).await?;
                Polled::Expired
            } else if row.state == "denied" {
                forget_on(&mut transaction, device_hash).await?;
                Polled::Denied
            } else if row.state == "allowed" {
                key.user_id = row.user_id.unwrap_or_default();
                key.organization_id = row.organization_id.unwrap_or_default();
                key.name = row.name.unwrap_or(row.device);
                key.scopes = row.scopes;
                forget_on(&mut transaction, device_hash).await?;
                match insert_on(&mut transaction, &key, most).await? {
                    KeyMade::Made => Polled::Made(Box::new(key)),
                    KeyMade::Full => return Ok(Polled::Full),
                    // What was allowed is not any more.
                    KeyMade::Refused => Polled::Denied,
                }
            } else {
                let early = row
                    .polled_ms
                    .is_some_and(|polled| now_ms < polled + row.interval_ms - slack_ms);
                let interval_ms = if early {
                    (row.interval_ms + slower_ms).min(slowest_ms)
                } else {
                    row.interval_ms
                };
                let query = statement!(
                    "UPDATE device_requests SET polled_ms = $1, interval_ms = $2 \
                     WHERE device_hash = $3",
                    now_ms,
                    interval_ms,
                    device_hash,
                );
                query.execute(&mut *transaction).await?;
                if early {
                    Polled::TooSoon { interval_ms }
                } else {
                    Polled::Pending
                }
            };
            transaction.commit().await?;
            Ok(polled)
        };
        self.within(write)
            .await
            .map_err(writing("a device's request"))
    }
}

async fn forget_on(connection: &mut AnyConnection, device_hash: &str) -> Result<(), sqlx::Error> {
    let query = statement!(
        "DELETE FROM device_requests WHERE device_hash = $1",
        device_hash
    );
    query.execute(connection).await.map(drop)
}

fn device_of(row: &AnyRow) -> Result<DeviceRow, sqlx::Error> {
    Ok(DeviceRow {
        device_hash: row.try_get(0)?,
        user_hash: row.try_get(1)?,
        device: row.try_get(2)?,
        address: row.try_get(3)?,
        scopes: row.try_get(4)?,
        created_ms: row.try_get(5)?,
        expires_ms: row.try_get(6)?,
        interval_ms: row.try_get(7)?,
        polled_ms: row.try_get(8)?,
        state: row.try_get(9)?,
        user_id: row.try_get(10)?,
        organization_id: row.try_get(11)?,
        name: row.try_get(12)?,
        network: row.try_get(13)?,
    })
}
