//! API keys.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

/// One key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id.
    pub id: String,
    /// The SHA-256 of its text.
    pub hash: String,
    /// Whose it is; an agent's belongs to the person whom the agent acts for.
    pub user_id: String,
    /// What it is for.
    pub organization_id: String,
    /// The agent whose it is.
    pub agent_id: Option<String>,
    /// What its owner calls it.
    pub name: String,
    /// Its scopes, with spaces between.
    pub scopes: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: i64,
    /// When it was last used.
    pub used_ms: Option<i64>,
    /// The address it was last used from.
    pub used_address: Option<String>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// A key with what people call that which it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPlace {
    /// The key.
    pub key: KeyRow,
    /// The short name of the organization, unless that has ended.
    pub organization: Option<String>,
    /// The name of the agent whose it is.
    pub agent: Option<String>,
}

/// What became of a key that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMade {
    /// It is there.
    Made,
    /// The person has as many as there may be.
    Full,
    /// The account is disabled, or not a member of the organization any more.
    Refused,
}

macro_rules! key_columns {
    () => {
        "id, hash, user_id, organization_id, agent_id, name, scopes, created_ms, expires_ms, \
         used_ms, used_address, revoked_ms"
    };
}

impl Database {
    /// Writes a key down, unless the person has `most` good ones already, or may have none there.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_key(&self, key: &KeyRow, most: u32) -> Result<KeyMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let made = insert_on(&mut transaction, key, most).await?;
            if made == KeyMade::Made {
                transaction.commit().await?;
            }
            Ok(made)
        };
        self.within(write).await.map_err(writing("a key"))
    }

    /// One key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn key(&self, id: &str) -> Result<Option<KeyRow>, DbError> {
        let query = statement!(
            concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = $1"),
            id,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(key_of).transpose())
            .map_err(reading("keys"))
    }

    /// The keys of a person that are good, oldest first, with what people call that which they are
    /// for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keys(&self, user: &str, now_ms: i64) -> Result<Vec<KeyPlace>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                key_columns!(),
                ", (SELECT o.slug FROM organizations o WHERE o.id = api_keys.organization_id \
                 AND o.deleted_ms IS NULL), \
                 (SELECT a.name FROM agents a WHERE a.id = api_keys.agent_id) \
                 FROM api_keys WHERE user_id = $1 AND revoked_ms IS NULL AND expires_ms > $2 \
                 ORDER BY created_ms, id LIMIT $3"
            ),
            user,
            now_ms,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(place_of).collect())
            .map_err(reading("keys"))
    }

    /// Revokes a key. False when it is not good any more.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn revoke_key(&self, id: &str, now_ms: i64) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE api_keys SET revoked_ms = $1 WHERE id = $2 AND revoked_ms IS NULL",
            now_ms,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a key"))?.rows_affected() > 0)
    }

    /// Writes down that a key was used.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn touch_key(&self, id: &str, address: &str, now_ms: i64) -> Result<(), DbError> {
        let query = statement!(
            "UPDATE api_keys SET used_ms = $1, used_address = $2 \
             WHERE id = $3 AND (used_ms IS NULL OR used_ms < $1)",
            now_ms,
            address,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a key"))
    }
}

/// Inserts a key, unless the person has `most` good ones, or may have none there.
pub(super) async fn insert_on(
    connection: &mut AnyConnection,
    key: &KeyRow,
    most: u32,
) -> Result<KeyMade, sqlx::Error> {
    // The account's row decides: of two that make the last one that there may be, one waits; and
    // so does whoever disables the account or takes it out of the organization.
    let query = statement!(
        "UPDATE users SET created_ms = created_ms WHERE id = $1 AND disabled_ms IS NULL",
        key.user_id.as_str()
    );
    let enabled = query.execute(&mut *connection).await?.rows_affected() > 0;
    let query = sqlx::query_scalar(
        "SELECT COUNT(*) FROM memberships m JOIN organizations o ON o.id = m.organization_id \
         WHERE m.user_id = $1 AND o.id = $2 AND o.deleted_ms IS NULL",
    );
    let query = query
        .bind(key.user_id.as_str())
        .bind(key.organization_id.as_str());
    let places: i64 = query.fetch_one(&mut *connection).await?;
    if !enabled || places == 0 {
        return Ok(KeyMade::Refused);
    }
    let query = sqlx::query_scalar(
        "SELECT COUNT(*) FROM api_keys WHERE user_id = $1 AND revoked_ms IS NULL \
         AND expires_ms > $2",
    );
    let query = query.bind(key.user_id.as_str()).bind(key.created_ms);
    let good: i64 = query.fetch_one(&mut *connection).await?;
    if good >= i64::from(most) {
        return Ok(KeyMade::Full);
    }
    let query = statement!(
        concat!(
            "INSERT INTO api_keys (",
            key_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        ),
        key.id.as_str(),
        key.hash.as_str(),
        key.user_id.as_str(),
        key.organization_id.as_str(),
        key.agent_id.as_deref(),
        key.name.as_str(),
        key.scopes.as_str(),
        key.created_ms,
        key.expires_ms,
        key.used_ms,
        key.used_address.as_deref(),
        key.revoked_ms,
    );
    query.execute(connection).await?;
    Ok(KeyMade::Made)
}

fn place_of(row: &AnyRow) -> Result<KeyPlace, sqlx::Error> {
    Ok(KeyPlace {
        key: key_of(row)?,
        organization: row.try_get(12)?,
        agent: row.try_get(13)?,
    })
}

fn key_of(row: &AnyRow) -> Result<KeyRow, sqlx::Error> {
    Ok(KeyRow {
        id: row.try_get(0)?,
        hash: row.try_get(1)?,
        user_id: row.try_get(2)?,
        organization_id: row.try_get(3)?,
        agent_id: row.try_get(4)?,
        name: row.try_get(5)?,
        scopes: row.try_get(6)?,
        created_ms: row.try_get(7)?,
        expires_ms: row.try_get(8)?,
        used_ms: row.try_get(9)?,
        used_address: row.try_get(10)?,
        revoked_ms: row.try_get(11)?,
    })
}
