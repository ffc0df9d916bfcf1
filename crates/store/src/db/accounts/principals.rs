//! Whom a credential stands for: all that has to be known of it, in one question.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::reading;
use super::super::{Database, DbError};

/// A credential with the person, the organization and the agent behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrincipalRow {
    /// The account's id.
    pub user_id: String,
    /// Its address.
    pub email: String,
    /// Since when the account is disabled.
    pub disabled_ms: Option<i64>,
    /// The account's limits as JSON.
    pub user_limits: Option<String>,
    /// The organization's id.
    pub organization_id: String,
    /// Its short name.
    pub slug: String,
    /// Whether it is the server's own.
    pub home: bool,
    /// When it ended.
    pub deleted_ms: Option<i64>,
    /// Its limits as JSON.
    pub organization_limits: Option<String>,
    /// The person's role there; none who is no member any more.
    pub role: Option<String>,
    /// The agent's id, for a key that has one.
    pub agent_id: Option<String>,
    /// The agent's name; none when the agent has ended.
    pub agent: Option<String>,
    /// The agent's limits as JSON.
    pub agent_limits: Option<String>,
    /// The login's or key's id.
    pub credential_id: String,
    /// Its name.
    pub credential: String,
    /// Its scopes; none for a login, which has all.
    pub scopes: Option<String>,
    /// The hash that it was found by, for a key.
    pub hash: Option<String>,
    /// When it ends.
    pub expires_ms: i64,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// When it was last used.
    pub used_ms: Option<i64>,
}

macro_rules! person_columns {
    () => {
        "u.id, u.email, u.disabled_ms, u.limits, o.id, o.slug, o.home, o.deleted_ms, o.limits, \
         m.role, "
    };
}

type Query = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

macro_rules! key_where {
    ($which:literal) => {
        concat!(
            "SELECT ",
            person_columns!(),
            "k.agent_id, a.name, a.limits, k.id, k.name, k.scopes, k.hash, k.expires_ms, \
             k.revoked_ms, k.used_ms FROM api_keys k JOIN users u ON u.id = k.user_id \
             JOIN organizations o ON o.id = k.organization_id \
             LEFT JOIN memberships m ON m.organization_id = k.organization_id \
             AND m.user_id = k.user_id LEFT JOIN agents a ON a.id = k.agent_id WHERE ",
            $which
        )
    };
}

impl Database {
    /// Whom the API key with this hash stands for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn key_principal(&self, hash: &str) -> Result<Option<PrincipalRow>, DbError> {
        self.key_principal_by(sqlx::query(key_where!("k.hash = $1")).bind(hash))
            .await
    }

    /// Whom the API key with this id stands for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn key_principal_of(&self, id: &str) -> Result<Option<PrincipalRow>, DbError> {
        self.key_principal_by(sqlx::query(key_where!("k.id = $1")).bind(id))
            .await
    }

    async fn key_principal_by(&self, query: Query) -> Result<Option<PrincipalRow>, DbError> {
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(key_principal_of).transpose())
            .map_err(reading("a key"))
    }

    /// Whom a login stands for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn login_principal(&self, login: &str) -> Result<Option<PrincipalRow>, DbError> {
        let query = sqlx::query(concat!(
            "SELECT ",
            person_columns!(),
            "l.id, l.device, l.expires_ms, l.revoked_ms, l.used_ms FROM logins l \
             JOIN users u ON u.id = l.user_id JOIN organizations o ON o.id = l.organization_id \
             LEFT JOIN memberships m ON m.organization_id = l.organization_id \
             AND m.user_id = l.user_id WHERE l.id = $1"
        ));
        let row = query.bind(login).fetch_optional(&self.readers);
        let row = self.within(row).await;
        row.and_then(|row| row.as_ref().map(login_principal_of).transpose())
            .map_err(reading("a login"))
    }

    /// The person with this address, in the organization that they joined first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn person_principal(&self, email: &str) -> Result<Option<PrincipalRow>, DbError> {
        let query = sqlx::query(concat!(
            "SELECT ",
            person_columns!(),
            "u.id FROM users u JOIN memberships m ON m.user_id = u.id \
             JOIN organizations o ON o.id = m.organization_id \
             WHERE u.email = $1 AND o.deleted_ms IS NULL ORDER BY m.created_ms, o.id LIMIT 1"
        ));
        let row = query.bind(email).fetch_optional(&self.readers);
        let row = self.within(row).await;
        row.and_then(|row| row.as_ref().map(person_of).transpose())
            .map_err(reading("an account"))
    }
}

fn person_of(row: &AnyRow) -> Result<PrincipalRow, sqlx::Error> {
    Ok(PrincipalRow {
        user_id: row.try_get(0)?,
        email: row.try_get(1)?,
        disabled_ms: row.try_get(2)?,
        user_limits: row.try_get(3)?,
        organization_id: row.try_get(4)?,
        slug: row.try_get(5)?,
        home: row.try_get::<i64, _>(6)? != 0,
        deleted_ms: row.try_get(7)?,
        organization_limits: row.try_get(8)?,
        role: row.try_get(9)?,
        ..PrincipalRow::default()
    })
}

fn key_principal_of(row: &AnyRow) -> Result<PrincipalRow, sqlx::Error> {
    Ok(PrincipalRow {
        agent_id: row.try_get(10)?,
        agent: row.try_get(11)?,
        agent_limits: row.try_get(12)?,
        credential_id: row.try_get(13)?,
        credential: row.try_get(14)?,
        scopes: row.try_get(15)?,
        hash: row.try_get(16)?,
        expires_ms: row.try_get(17)?,
        revoked_ms: row.try_get(18)?,
        used_ms: row.try_get(19)?,
        ..person_of(row)?
    })
}

fn login_principal_of(row: &AnyRow) -> Result<PrincipalRow, sqlx::Error> {
    Ok(PrincipalRow {
        credential_id: row.try_get(10)?,
        credential: row.try_get(11)?,
        expires_ms: row.try_get(12)?,
        revoked_ms: row.try_get(13)?,
        used_ms: row.try_get(14)?,
        ..person_of(row)?
    })
}
