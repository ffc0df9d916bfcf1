//! Keys under which a session is made once.
//!
//! The session's id is written with its row (`sessions.rs`), so that a key whose answer was never
//! written down still says what was made under it.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::text::without_nul;
use super::super::{Database, DbError};
use super::statement;

/// A key that is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayClaimRow {
    /// Digest of the request.
    pub fingerprint: String,
    /// The server that took it.
    pub server: String,
    /// The session that was made under it, from the moment that there is one.
    pub session: Option<String>,
    /// What was answered; none while the session is being made.
    pub answer: Option<String>,
    /// Since when.
    pub at_ms: i64,
}

/// What came of taking a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayClaim {
    /// It is this request's from now on.
    Taken,
    /// It was taken before.
    Held(GatewayClaimRow),
    /// It was taken before, and has been given back meanwhile: it is nobody's.
    Gone,
}

impl Database {
    /// Takes a key for an owner, unless it was taken at `since_ms` or later. One that was never
    /// answered may be taken from the session `over`, of which nothing comes.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn claim_gateway_key(
        &self,
        owner: &str,
        key: &str,
        fingerprint: &str,
        (now_ms, since_ms): (i64, i64),
        over: Option<&str>,
    ) -> Result<GatewayClaim, DbError> {
        let key = without_nul(key.to_owned());
        let query = statement!(
            "INSERT INTO gateway_claims (owner, key, fingerprint, server, answer, at_ms) \
             VALUES ($1, $2, $3, $4, NULL, $5) ON CONFLICT (owner, key) DO UPDATE SET \
             fingerprint = excluded.fingerprint, server = excluded.server, session = NULL, \
             answer = NULL, at_ms = excluded.at_ms WHERE gateway_claims.at_ms < $6 \
             OR (gateway_claims.answer IS NULL AND gateway_claims.session = $7)",
            owner,
            key.as_str(),
            fingerprint,
            self.server.to_string(),
            now_ms,
            since_ms,
            over,
        );
        let done = self.within(query.execute(&self.writer)).await;
        if done.map_err(writing("a key"))?.rows_affected() > 0 {
            return Ok(GatewayClaim::Taken);
        }
        let query = statement!(
            "SELECT fingerprint, server, session, answer, at_ms FROM gateway_claims \
             WHERE owner = $1 AND key = $2",
            owner,
            key.as_str(),
        );
        // By the connection that writes: a reader might be behind it.
        let row = self.within(query.fetch_optional(&self.writer)).await;
        let row = row.and_then(|row| row.as_ref().map(claim_of).transpose());
        let row = row.map_err(reading("a key"))?;
        Ok(row.map_or(GatewayClaim::Gone, GatewayClaim::Held))
    }

    /// Says what was answered to the request that took a key.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn fulfil_gateway_key(
        &self,
        owner: &str,
        key: &str,
        answer: &str,
    ) -> Result<(), DbError> {
        let query = statement!(
            "UPDATE gateway_claims SET answer = $1 WHERE owner = $2 AND key = $3",
            answer,
            owner,
            without_nul(key.to_owned()),
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a key"))
    }

    /// Gives a key back that this server took and of which no session has come.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn release_gateway_key(&self, owner: &str, key: &str) -> Result<(), DbError> {
        let query = statement!(
            "DELETE FROM gateway_claims WHERE owner = $1 AND key = $2 AND answer IS NULL \
             AND server = $3",
            owner,
            without_nul(key.to_owned()),
            self.server.to_string(),
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a key"))
    }

    /// Gives back the keys of requests that an earlier process of this server was answering, and of
    /// which there is no session yet.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn release_open_gateway_keys(&self) -> Result<(), DbError> {
        let query = statement!(
            "DELETE FROM gateway_claims WHERE server = $1 AND answer IS NULL AND session IS NULL",
            self.server.to_string(),
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("keys"))
    }
}

fn claim_of(row: &AnyRow) -> Result<GatewayClaimRow, sqlx::Error> {
    Ok(GatewayClaimRow {
        fingerprint: row.try_get(0)?,
        server: row.try_get(1)?,
        session: row.try_get(2)?,
        answer: row.try_get(3)?,
        at_ms: row.try_get(4)?,
    })
}
