//! Logins, and the chain of refresh tokens by which each goes on.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

/// One login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// What it is for.
    pub organization_id: String,
    /// The device, as it called itself.
    pub device: String,
    /// The address it was last used from.
    pub address: String,
    /// When it began.
    pub created_ms: i64,
    /// When it was last used.
    pub used_ms: i64,
    /// When it ends if it is not used.
    pub expires_ms: i64,
    /// When it was ended.
    pub revoked_ms: Option<i64>,
}

/// A refresh token is shown.
#[derive(Debug, Clone, Copy)]
pub struct RotationAsk<'a> {
    /// The SHA-256 of it.
    pub hash: &'a str,
    /// The SHA-256 of its successor.
    pub successor: &'a str,
    /// Now.
    pub now_ms: i64,
    /// For how long after its rotation it still gets a successor.
    pub grace_ms: i64,
    /// When the successor, and the login with it, ends.
    pub expires_ms: i64,
    /// The address that it is shown from.
    pub address: &'a str,
    /// Most tokens of the login that are good at once: the oldest make room.
    pub most: u32,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The successor is good now.
    Done {
        /// The login.
        login: String,
    },
    /// There is no such token.
    Unknown,
    /// The token or its login has ended.
    Ended,
    /// It was used before, longer ago than the grace: somebody has a copy.
    Reused {
        /// The login.
        login: String,
    },
}

macro_rules! login_columns {
    () => {
        "id, user_id, organization_id, device, address, created_ms, used_ms, expires_ms, revoked_ms"
    };
}

impl Database {
    /// Writes a login and its first refresh token down. Where the person has `most` already, the
    /// ones not used for longest are revoked.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_login(
        &self,
        login: &LoginRow,
        refresh_hash: &str,
        most: u32,
    ) -> Result<(), DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                concat!(
                    "INSERT INTO logins (",
                    login_columns!(),
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                ),
                login.id.as_str(),
                login.user_id.as_str(),
                login.organization_id.as_str(),
                login.device.as_str(),
                login.address.as_str(),
                login.created_ms,
                login.used_ms,
                login.expires_ms,
                login.revoked_ms,
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "UPDATE logins SET revoked_ms = $1 WHERE user_id = $2 AND revoked_ms IS NULL \
                 AND id <> $3 AND id NOT IN (SELECT id FROM logins WHERE user_id = $2 \
                 AND revoked_ms IS NULL AND expires_ms > $1 AND id <> $3 \
                 ORDER BY used_ms DESC, id LIMIT $4)",
                login.created_ms,
                login.user_id.as_str(),
                login.id.as_str(),
                i64::from(most.saturating_sub(1)),
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "INSERT INTO refresh_tokens (hash, login_id, created_ms, expires_ms) \
                 VALUES ($1, $2, $3, $4)",
                refresh_hash,
                login.id.as_str(),
                login.created_ms,
                login.expires_ms,
            );
            query.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.within(write).await.map_err(writing("a login"))
    }

    /// Replaces a refresh token by its successor. Of those who show one token at once, one replaces
    /// it; the others find it replaced.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn rotate_refresh(&self, ask: RotationAsk<'_>) -> Result<Rotation, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "UPDATE refresh_tokens SET replaced_ms = $1 \
                 WHERE hash = $2 AND replaced_ms IS NULL",
                ask.now_ms,
                ask.hash,
            );
            let first = query.execute(&mut *transaction).await?.rows_affected() > 0;
            let query = statement!(
                "SELECT t.login_id, t.replaced_ms, t.expires_ms, l.expires_ms, l.revoked_ms \
                 FROM refresh_tokens t JOIN logins l ON l.id = t.login_id WHERE t.hash = $1",
                ask.hash,
            );
            let Some(row) = query.fetch_optional(&mut *transaction).await? else {
                return Ok(Rotation::Unknown);
            };
            let login: String = row.try_get(0)?;
            let replaced_ms: Option<i64> = row.try_get(1)?;
            let ends: i64 = row.try_get::<i64, _>(2)?.min(row.try_get(3)?);
            let revoked_ms: Option<i64> = row.try_get(4)?;
            if revoked_ms.is_some() || ends <= ask.now_ms {
                return Ok(Rotation::Ended);
            }
            let age = ask.now_ms.saturating_sub(replaced_ms.unwrap_or(ask.now_ms));
            if !first && age > ask.grace_ms {
                return Ok(Rotation::Reused { login });
            }
            let query = sqlx::query_scalar(
                "SELECT COUNT(*) FROM refresh_tokens WHERE login_id = $1 AND replaced_ms IS NULL",
            );
            let query = query.bind(login.as_str());
            let good: i64 = query.fetch_one(&mut *transaction).await?;
            // What nobody uses any more, after two asked at once, does not keep the others out.
            let query = statement!(
                "DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens \
                 WHERE login_id = $1 AND replaced_ms IS NULL ORDER BY created_ms, hash LIMIT $2)",
                login.as_str(),
                (good + 1 - i64::from(ask.most)).max(0),
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "INSERT INTO refresh_tokens (hash, login_id, created_ms, expires_ms) \
                 VALUES ($1, $2, $3, $4)",
                ask.successor,
                login.as_str(),
                ask.now_ms,
                ask.expires_ms,
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "UPDATE logins SET used_ms = $1, expires_ms = $2, address = $3 WHERE id = $4",
                ask.now_ms,
                ask.expires_ms,
                ask.address,
                login.as_str(),
            );
            query.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(Rotation::Done { login })
        };
        self.within(write).await.map_err(writing("a refresh token"))
    }

    /// One login.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn login(&self, id: &str) -> Result<Option<LoginRow>, DbError> {
        let query = statement!(
            concat!("SELECT ", login_columns!(), " FROM logins WHERE id = $1"),
            id,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(login_of).transpose())
            .map_err(reading("logins"))
    }

    /// The logins of a person that are good, last used first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn logins(&self, user: &str, now_ms: i64) -> Result<Vec<LoginRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                login_columns!(),
                " FROM logins WHERE user_id = $1 AND revoked_ms IS NULL AND expires_ms > $2 \
                 ORDER BY used_ms DESC, id LIMIT $3"
            ),
            user,
            now_ms,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(login_of).collect())
            .map_err(reading("logins"))
    }

    /// Whether a person has logged in from an address since a moment.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn knows_address(
        &self,
        user: &str,
        address: &str,
        since_ms: i64,
    ) -> Result<bool, DbError> {
        let query = sqlx::query_scalar(
            "SELECT COUNT(*) FROM logins WHERE user_id = $1 AND address = $2 AND used_ms > $3",
        );
        let query = query.bind(user).bind(address).bind(since_ms);
        let found: Result<i64, _> = self.within(query.fetch_one(&self.readers)).await;
        Ok(found.map_err(reading("logins"))? > 0)
    }

    /// Ends a login. False when it has ended.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn revoke_login(&self, id: &str, now_ms: i64) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE logins SET revoked_ms = $1 WHERE id = $2 AND revoked_ms IS NULL",
            now_ms,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a login"))?.rows_affected() > 0)
    }

    /// Ends all logins of a person. Says how many.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn revoke_logins(&self, user: &str, now_ms: i64) -> Result<u64, DbError> {
        let query = statement!(
            "UPDATE logins SET revoked_ms = $1 WHERE user_id = $2 AND revoked_ms IS NULL",
            now_ms,
            user,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("logins"))?.rows_affected())
    }

    /// Lets a login be for another organization.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn move_login(&self, id: &str, organization: &str) -> Result<(), DbError> {
        let query = statement!(
            "UPDATE logins SET organization_id = $1 WHERE id = $2",
            organization,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a login"))
    }

    /// Writes down that a login was used.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn touch_login(&self, id: &str, address: &str, now_ms: i64) -> Result<(), DbError> {
        let query = statement!(
            "UPDATE logins SET used_ms = $1, address = $2 WHERE id = $3 AND used_ms < $1",
            now_ms,
            address,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a login"))
    }
}

fn login_of(row: &AnyRow) -> Result<LoginRow, sqlx::Error> {
    Ok(LoginRow {
        id: row.try_get(0)?,
        user_id: row.try_get(1)?,
        organization_id: row.try_get(2)?,
        device: row.try_get(3)?,
        address: row.try_get(4)?,
        created_ms: row.try_get(5)?,
        used_ms: row.try_get(6)?,
        expires_ms: row.try_get(7)?,
        revoked_ms: row.try_get(8)?,
    })
}
