//! What opens the way to the agent in a sandbox, as hashes.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::{Database, DbError};
use super::statement;

/// One ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketRow {
    /// SHA-256 of it, in hexadecimal digits.
    pub hash: String,
    /// The session that it is for.
    pub session: String,
    /// Who got it.
    pub caller: String,
    /// The id of the credential that they got it with; empty where they showed none of an account.
    pub credential: String,
    /// When.
    pub created_ms: i64,
    /// Until when connections may begin.
    pub expires_ms: i64,
}

impl Database {
    /// Keeps a ticket. Those of its session that end first go where there are more than `most`;
    /// these are answered, by their hashes.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_ticket(&self, row: &TicketRow, most: u32) -> Result<Vec<String>, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "INSERT INTO gateway_tickets (hash, session, caller, credential, created_ms, \
                 expires_ms) VALUES ($1, $2, $3, $4, $5, $6)",
                row.hash.as_str(),
                row.session.as_str(),
                row.caller.as_str(),
                row.credential.as_str(),
                row.created_ms,
                row.expires_ms,
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "DELETE FROM gateway_tickets WHERE session = $1 AND hash NOT IN (SELECT hash FROM \
                 gateway_tickets WHERE session = $1 ORDER BY expires_ms DESC, hash LIMIT $2) \
                 RETURNING hash",
                row.session.as_str(),
                i64::from(most),
            );
            let gone = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            gone.iter().map(|row| row.try_get(0)).collect()
        };
        self.within(write).await.map_err(writing("a ticket"))
    }

    /// The ticket with this hash.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ticket(&self, hash: &str) -> Result<Option<TicketRow>, DbError> {
        let query = statement!(
            "SELECT hash, session, caller, credential, created_ms, expires_ms \
             FROM gateway_tickets WHERE hash = $1",
            hash,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(ticket_of).transpose())
            .map_err(reading("tickets"))
    }

    /// Lets connections begin with a caller's ticket until then, and not for less long than before.
    /// From then on it is good for as long as `credential` is. False when there is no such ticket.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn renew_ticket(
        &self,
        hash: &str,
        session: &str,
        (caller, credential): (&str, &str),
        expires_ms: i64,
    ) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE gateway_tickets SET expires_ms = CASE WHEN expires_ms > $1 THEN expires_ms \
             ELSE $1 END, credential = $5 WHERE hash = $2 AND session = $3 AND caller = $4",
            expires_ms,
            hash,
            session,
            caller,
            credential,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a ticket"))?.rows_affected() > 0)
    }

    /// Forgets all tickets of a session.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_tickets(&self, session: &str) -> Result<(), DbError> {
        let query = statement!("DELETE FROM gateway_tickets WHERE session = $1", session);
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("tickets"))
    }
}

fn ticket_of(row: &AnyRow) -> Result<TicketRow, sqlx::Error> {
    Ok(TicketRow {
        hash: row.try_get(0)?,
        session: row.try_get(1)?,
        caller: row.try_get(2)?,
        credential: row.try_get(3)?,
        created_ms: row.try_get(4)?,
        expires_ms: row.try_get(5)?,
    })
}
