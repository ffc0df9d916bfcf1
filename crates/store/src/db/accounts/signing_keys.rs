//! The public keys that verify access tokens.

use sqlx::Row as _;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

/// One public RSA key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its id, the `kid` of the tokens that it verifies.
    pub id: String,
    /// `n`, base64url.
    pub modulus: String,
    /// `e`, base64url.
    pub exponent: String,
    /// When it was made.
    pub created_ms: i64,
    /// When the last token that it signed has ended.
    pub expires_ms: i64,
}

impl Database {
    /// Publishes a key. One that is published never changes.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_signing_key(&self, key: &SigningKeyRow) -> Result<(), DbError> {
        let query = statement!(
            "INSERT INTO signing_keys (id, modulus, exponent, created_ms, expires_ms) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            key.id.as_str(),
            key.modulus.as_str(),
            key.exponent.as_str(),
            key.created_ms,
            key.expires_ms,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a signing key"))
    }

    /// The keys that verify tokens still, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn signing_keys(&self, now_ms: i64) -> Result<Vec<SigningKeyRow>, DbError> {
        let query = statement!(
            "SELECT id, modulus, exponent, created_ms, expires_ms FROM signing_keys \
             WHERE expires_ms > $1 ORDER BY created_ms DESC, id LIMIT $2",
            now_ms,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let keys = rows.and_then(|rows| {
            let rows = rows.iter().map(|row| {
                Ok(SigningKeyRow {
                    id: row.try_get(0)?,
                    modulus: row.try_get(1)?,
                    exponent: row.try_get(2)?,
                    created_ms: row.try_get(3)?,
                    expires_ms: row.try_get(4)?,
                })
            });
            rows.collect()
        });
        keys.map_err(reading("signing keys"))
    }
}
