//! Which connection a person has chosen, until somebody asks for it.

use super::super::error::writing;
use super::super::text::without_nul;
use super::super::{Database, DbError};
use super::statement;

impl Database {
    /// Keeps what a person has chosen in an organization, in place of what they chose before.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn put_selection(
        &self,
        organization: &str,
        owner: &str,
        connection: &str,
        expires_ms: i64,
    ) -> Result<(), DbError> {
        let query = statement!(
            "INSERT INTO gateway_selections (organization, owner, connection, expires_ms) \
             VALUES ($1, $2, $3, $4) ON CONFLICT (organization, owner) DO UPDATE SET \
             connection = excluded.connection, expires_ms = excluded.expires_ms",
            organization,
            owner,
            without_nul(connection.to_owned()),
            expires_ms,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a selection"))
    }

    /// Takes out what a person has chosen, if its time is not up at `now_ms`: of several who ask at
    /// once, one gets it.
    ///
    /// # Errors
    /// When the database does not do it.
    pub async fn take_selection(
        &self,
        organization: &str,
        owner: &str,
        now_ms: i64,
    ) -> Result<Option<String>, DbError> {
        let query = sqlx::query_scalar(
            "DELETE FROM gateway_selections WHERE organization = $1 AND owner = $2 \
             AND expires_ms > $3 RETURNING connection",
        );
        let query = query.bind(organization.to_owned()).bind(owner.to_owned());
        let row = query.bind(now_ms).fetch_optional(&self.writer);
        self.within(row).await.map_err(writing("a selection"))
    }
}
