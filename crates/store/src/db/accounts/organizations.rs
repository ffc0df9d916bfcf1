//! Organizations, and which of them a person belongs to.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::{PAGE_PLACES_MAX, PAGE_ROWS_MAX};
use super::super::{Database, DbError};
use super::people::join_on;
use super::statement;
use super::teams::remove_teams_on;

/// One organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationRow {
    /// Its id.
    pub id: String,
    /// Its short name; never another's.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Whether it is the server's own.
    pub home: bool,
    /// When it was made.
    pub created_ms: i64,
    /// Limits as JSON.
    pub limits: Option<String>,
}

/// An organization and a person's role there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: OrganizationRow,
    /// The role.
    pub role: String,
}

macro_rules! organization_columns {
    () => {
        "o.id, o.slug, o.name, o.home, o.created_ms, o.limits"
    };
}

impl Database {
    /// Makes an organization with its first owner. False when the short name was ever used.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_organization(
        &self,
        organization: &OrganizationRow,
        owner: &str,
    ) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "INSERT INTO organizations (id, slug, name, home, created_ms, changed_ms, limits) \
                 VALUES ($1, $2, $3, 0, $4, $4, $5) ON CONFLICT DO NOTHING",
                organization.id.as_str(),
                organization.slug.as_str(),
                organization.name.as_str(),
                organization.created_ms,
                organization.limits.as_deref(),
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(false);
            }
            let place = (organization.id.as_str(), owner);
            join_on(&mut transaction, place, "owner", organization.created_ms).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.within(write).await.map_err(writing("an organization"))
    }

    /// An organization that has not ended, by id or short name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn organization(&self, name: &str) -> Result<Option<OrganizationRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                organization_columns!(),
                " FROM organizations o WHERE (o.id = $1 OR o.slug = $1) AND o.deleted_ms IS NULL"
            ),
            name,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(organization_of).transpose())
            .map_err(reading("organizations"))
    }

    /// The server's own organization, once there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn home_organization(&self) -> Result<Option<OrganizationRow>, DbError> {
        let query = statement!(concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organizations o WHERE o.home = 1"
        ));
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(organization_of).transpose())
            .map_err(reading("organizations"))
    }

    /// All organizations that have not ended, the server's own first; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn organizations(&self) -> Result<Vec<OrganizationRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                organization_columns!(),
                " FROM organizations o WHERE o.deleted_ms IS NULL \
                 ORDER BY o.home DESC, o.slug LIMIT $1"
            ),
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(organization_of).collect())
            .map_err(reading("organizations"))
    }

    /// The organizations of a person, the one that they joined first at the beginning.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships(&self, user: &str) -> Result<Vec<Membership>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                organization_columns!(),
                ", m.role FROM memberships m JOIN organizations o ON o.id = m.organization_id \
                 WHERE m.user_id = $1 AND o.deleted_ms IS NULL \
                 ORDER BY m.created_ms, o.id LIMIT $2"
            ),
            user,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(membership_of).collect())
            .map_err(reading("memberships"))
    }

    /// The same for a page of accounts, from one id to another, by the account's id; at most
    /// [`PAGE_PLACES_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships_between(
        &self,
        first: &str,
        last: &str,
    ) -> Result<HashMap<String, Vec<Membership>>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                organization_columns!(),
                ", m.role, m.user_id FROM memberships m \
                 JOIN organizations o ON o.id = m.organization_id \
                 WHERE m.user_id >= $1 AND m.user_id <= $2 AND o.deleted_ms IS NULL \
                 ORDER BY m.user_id, m.created_ms, o.id LIMIT $3"
            ),
            first,
            last,
            i64::from(PAGE_PLACES_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let memberships = rows.and_then(|rows| {
            let mut of: HashMap<String, Vec<Membership>> = HashMap::new();
            for row in &rows {
                of.entry(row.try_get(7)?)
                    .or_default()
                    .push(membership_of(row)?);
            }
            Ok(of)
        });
        memberships.map_err(reading("memberships"))
    }

    /// Gives an organization another name.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn rename_organization(&self, id: &str, name: &str) -> Result<(), DbError> {
        let query = statement!("UPDATE organizations SET name = $1 WHERE id = $2", name, id);
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("an organization"))
    }

    /// Sets the limits of an organization.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_organization_limits(
        &self,
        id: &str,
        limits: Option<&str>,
    ) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE organizations SET limits = $1 WHERE id = $2",
            limits,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("limits"))?.rows_affected() > 0)
    }

    /// Ends an organization that is not the server's own: members, teams, agents, invitations
    /// and what it owns in the catalog go, its keys and logins are revoked. False when there is none.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn remove_organization(&self, id: &str, now_ms: i64) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "UPDATE organizations SET deleted_ms = $1, changed_ms = $1 \
                 WHERE id = $2 AND home = 0 AND deleted_ms IS NULL",
                now_ms,
                id,
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(false);
            }
            for sql in [
                "UPDATE api_keys SET revoked_ms = $1 \
                 WHERE organization_id = $2 AND revoked_ms IS NULL",
                "UPDATE logins SET revoked_ms = $1 \
                 WHERE organization_id = $2 AND revoked_ms IS NULL",
            ] {
                let query = statement!(sql, now_ms, id);
                query.execute(&mut *transaction).await?;
            }
            remove_teams_on(&mut transaction, id).await?;
            for sql in [
                "DELETE FROM catalog_items WHERE layer = 'org' AND owner = $1",
                "DELETE FROM memberships WHERE organization_id = $1",
                "DELETE FROM agents WHERE organization_id = $1",
                "DELETE FROM device_requests WHERE organization_id = $1",
                "DELETE FROM invitations WHERE organization_id = $1",
            ] {
                statement!(sql, id).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(true)
        };
        self.within(write).await.map_err(writing("an organization"))
    }
}

fn membership_of(row: &AnyRow) -> Result<Membership, sqlx::Error> {
    Ok(Membership {
        organization: organization_of(row)?,
        role: row.try_get(6)?,
    })
}

pub(super) fn organization_of(row: &AnyRow) -> Result<OrganizationRow, sqlx::Error> {
    Ok(OrganizationRow {
        id: row.try_get(0)?,
        slug: row.try_get(1)?,
        name: row.try_get(2)?,
        home: row.try_get::<i64, _>(3)? != 0,
        created_ms: row.try_get(4)?,
        limits: row.try_get(5)?,
    })
}
