//! Agents: programs that act for a person, as principals of their own.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::statement;

/// One agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentRow {
    /// Its id.
    pub id: String,
    /// The organization.
    pub organization_id: String,
    /// The person it acts for.
    pub user_id: String,
    /// Its name, of its own among those of the person in the organization.
    pub name: String,
    /// When it was made.
    pub created_ms: i64,
    /// Limits as JSON.
    pub limits: Option<String>,
}

macro_rules! agent_columns {
    () => {
        "id, organization_id, user_id, name, created_ms, limits"
    };
}

impl Database {
    /// Writes an agent down. False when the name is taken.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_agent(&self, agent: &AgentRow) -> Result<bool, DbError> {
        let query = statement!(
            concat!(
                "INSERT INTO agents (",
                agent_columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
            ),
            agent.id.as_str(),
            agent.organization_id.as_str(),
            agent.user_id.as_str(),
            agent.name.as_str(),
            agent.created_ms,
            agent.limits.as_deref(),
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("an agent"))?.rows_affected() > 0)
    }

    /// One agent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agent(&self, id: &str) -> Result<Option<AgentRow>, DbError> {
        let query = statement!(
            concat!("SELECT ", agent_columns!(), " FROM agents WHERE id = $1"),
            id,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(agent_of).transpose())
            .map_err(reading("agents"))
    }

    /// The agents of an organization by name, of one person where that is given, each with the
    /// address of the person that it acts for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn agents(
        &self,
        organization: &str,
        user: Option<&str>,
    ) -> Result<Vec<(AgentRow, String)>, DbError> {
        let query = statement!(
            "SELECT a.id, a.organization_id, a.user_id, a.name, a.created_ms, a.limits, u.email \
             FROM agents a JOIN users u ON u.id = a.user_id \
             WHERE a.organization_id = $1 AND ($2 = '' OR a.user_id = $2) \
             ORDER BY a.name, a.id LIMIT $3",
            organization,
            user.unwrap_or_default(),
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let agents = rows.and_then(|rows| {
            let rows = rows.iter();
            rows.map(|row| Ok((agent_of(row)?, row.try_get(6)?)))
                .collect()
        });
        agents.map_err(reading("agents"))
    }

    /// Ends an agent and revokes its keys. False when there is none.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn remove_agent(&self, id: &str, now_ms: i64) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!("DELETE FROM agents WHERE id = $1", id);
            let gone = query.execute(&mut *transaction).await?.rows_affected() > 0;
            let query = statement!(
                "UPDATE api_keys SET revoked_ms = $1 WHERE agent_id = $2 AND revoked_ms IS NULL",
                now_ms,
                id,
            );
            query.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(gone)
        };
        self.within(write).await.map_err(writing("an agent"))
    }

    /// Sets the limits of an agent.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_agent_limits(&self, id: &str, limits: Option<&str>) -> Result<bool, DbError> {
        let query = statement!("UPDATE agents SET limits = $1 WHERE id = $2", limits, id);
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("limits"))?.rows_affected() > 0)
    }
}

fn agent_of(row: &AnyRow) -> Result<AgentRow, sqlx::Error> {
    Ok(AgentRow {
        id: row.try_get(0)?,
        organization_id: row.try_get(1)?,
        user_id: row.try_get(2)?,
        name: row.try_get(3)?,
        created_ms: row.try_get(4)?,
        limits: row.try_get(5)?,
    })
}
