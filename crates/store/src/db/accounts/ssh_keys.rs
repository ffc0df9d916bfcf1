//! Public SSH keys of people.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

/// One key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshKeyRow {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub owner: String,
    /// `SHA256:…`, once for an owner.
    pub fingerprint: String,
    /// The key as in `authorized_keys`.
    pub public_key: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was uploaded.
    pub created_ms: i64,
}

impl Database {
    /// Keeps a key. False when the owner has it already.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_ssh_key(&self, key: &SshKeyRow) -> Result<bool, DbError> {
        let query = statement!(
            "INSERT INTO ssh_keys (id, owner, fingerprint, public_key, name, created_ms) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            key.id.as_str(),
            key.owner.as_str(),
            key.fingerprint.as_str(),
            key.public_key.as_str(),
            key.name.as_str(),
            key.created_ms,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("an SSH key"))?.rows_affected() > 0)
    }

    /// The keys of an owner, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ssh_keys(&self, owner: &str) -> Result<Vec<SshKeyRow>, DbError> {
        let query = statement!(
            "SELECT id, owner, fingerprint, public_key, name, created_ms FROM ssh_keys \
             WHERE owner = $1 ORDER BY created_ms, id LIMIT $2",
            owner,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(ssh_key_of).collect())
            .map_err(reading("SSH keys"))
    }

    /// Forgets a key of an owner's, by id or fingerprint. False when there is none.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_ssh_key(&self, owner: &str, id: &str) -> Result<bool, DbError> {
        let query = statement!(
            "DELETE FROM ssh_keys WHERE owner = $1 AND (id = $2 OR fingerprint = $2)",
            owner,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("an SSH key"))?.rows_affected() > 0)
    }

    /// Forgets all keys of an owner's. Says how many.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_ssh_keys(&self, owner: &str) -> Result<u64, DbError> {
        let query = statement!("DELETE FROM ssh_keys WHERE owner = $1", owner);
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("SSH keys"))?.rows_affected())
    }
}

fn ssh_key_of(row: &AnyRow) -> Result<SshKeyRow, sqlx::Error> {
    Ok(SshKeyRow {
        id: row.try_get(0)?,
        owner: row.try_get(1)?,
        fingerprint: row.try_get(2)?,
        public_key: row.try_get(3)?,
        name: row.try_get(4)?,
        created_ms: row.try_get(5)?,
    })
}
