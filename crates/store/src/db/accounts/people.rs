//! Members of organizations, and the rule that none is left without an owner who can act.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::limits::MEMBERS_MAX;
use super::super::{Database, DbError};
use super::statement;
use super::teams::leave_teams_on;

/// One member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberRow {
    /// The account's id.
    pub user_id: String,
    /// Its address.
    pub email: String,
    /// Its name.
    pub username: String,
    /// The role.
    pub role: String,
    /// Since when.
    pub created_ms: i64,
    /// Since when the account is disabled.
    pub disabled_ms: Option<i64>,
}

/// What became of a membership that was to be made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It is so.
    Done,
    /// There would be no owner left.
    LastOwner,
    /// There is no such organization.
    Missing,
    /// The organization has as many members as there may be.
    Full,
    /// The person is in as many organizations as they may be.
    Busy,
}

/// What became of something that was to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has ended.
    Done,
    /// Some organization would have no owner left.
    LastOwner,
    /// The person would be in no organization.
    LastPlace,
    /// There is no such thing.
    Missing,
}

/// Owners of the organization `$1` who can act, other than `$2`.
macro_rules! other_owners {
    () => {
        "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.organization_id = $1 AND m.role = 'owner' AND m.user_id <> $2 \
         AND u.disabled_ms IS NULL"
    };
}

impl Database {
    /// Makes a person a member, or gives a member another role; no more than `members` in an
    /// organization, and no more than `places` for a person.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn put_member(
        &self,
        organization: &str,
        user: &str,
        role: &str,
        (members, places): (u32, u32),
        now_ms: i64,
    ) -> Result<Joined, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, organization, now_ms).await? {
                return Ok(Joined::Missing);
            }
            let before = role_on(&mut transaction, organization, user).await?;
            if before.as_deref() == Some("owner")
                && role != "owner"
                && !has_other_owner(&mut transaction, organization, user).await?
            {
                return Ok(Joined::LastOwner);
            }
            if before.is_none() {
                let room = room_on(&mut transaction, (organization, user), (members, places));
                match room.await? {
                    Room::Free => {}
                    Room::Full => return Ok(Joined::Full),
                    Room::Busy => return Ok(Joined::Busy),
                }
            }
            let query = statement!(
                "INSERT INTO memberships (organization_id, user_id, role, created_ms) \
                 VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role",
                organization,
                user,
                role,
                now_ms,
            );
            query.execute(&mut *transaction).await?;
            if role != "owner" && before.is_some_and(|before| before != role) {
                uninvite_on(&mut transaction, organization, user).await?;
            }
            transaction.commit().await?;
            Ok(Joined::Done)
        };
        self.within(write).await.map_err(writing("a membership"))
    }

    /// Takes a person out of an organization and its teams, and revokes what they have there: keys,
    /// logins, agents, devices that they let in, and whom they invited.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn remove_member(
        &self,
        organization: &str,
        user: &str,
        now_ms: i64,
    ) -> Result<Ending, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, organization, now_ms).await? {
                return Ok(Ending::Missing);
            }
            // Holds the account: nobody makes a key of theirs meanwhile, or takes them out of their
            // other organization.
            let query = statement!(
                "UPDATE users SET created_ms = created_ms WHERE id = $1",
                user
            );
            query.execute(&mut *transaction).await?;
            let Some(role) = role_on(&mut transaction, organization, user).await? else {
                return Ok(Ending::Missing);
            };
            if role == "owner" && !has_other_owner(&mut transaction, organization, user).await? {
                return Ok(Ending::LastOwner);
            }
            let sql = "SELECT COUNT(*) FROM memberships WHERE user_id = $1";
            if count_on(&mut transaction, sql, user).await? < 2 {
                return Ok(Ending::LastPlace);
            }
            for sql in [
                "UPDATE api_keys SET revoked_ms = $1 \
                 WHERE organization_id = $2 AND user_id = $3 AND revoked_ms IS NULL",
                "UPDATE logins SET revoked_ms = $1 \
                 WHERE organization_id = $2 AND user_id = $3 AND revoked_ms IS NULL",
            ] {
                let query = statement!(sql, now_ms, organization, user);
                query.execute(&mut *transaction).await?;
            }
            uninvite_on(&mut transaction, organization, user).await?;
            leave_teams_on(&mut transaction, organization, user).await?;
            for sql in [
                "DELETE FROM device_requests WHERE organization_id = $1 AND user_id = $2",
                "DELETE FROM agents WHERE organization_id = $1 AND user_id = $2",
                "DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2",
            ] {
                let query = statement!(sql, organization, user);
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(Ending::Done)
        };
        self.within(write).await.map_err(writing("a membership"))
    }

    /// The members of an organization by address; at most [`MEMBERS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn members(&self, organization: &str) -> Result<Vec<MemberRow>, DbError> {
        let query = statement!(
            "SELECT u.id, u.email, u.username, m.role, m.created_ms, u.disabled_ms \
             FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE m.organization_id = $1 ORDER BY u.email LIMIT $2",
            organization,
            i64::from(MEMBERS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(member_of).collect())
            .map_err(reading("members"))
    }

    /// A person's role in an organization that has not ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn role(&self, organization: &str, user: &str) -> Result<Option<String>, DbError> {
        let query = sqlx::query_scalar(
            "SELECT m.role FROM memberships m JOIN organizations o ON o.id = m.organization_id \
             WHERE m.organization_id = $1 AND m.user_id = $2 AND o.deleted_ms IS NULL",
        );
        let query = query.bind(organization).bind(user);
        let role = self.within(query.fetch_optional(&self.readers)).await;
        role.map_err(reading("a role"))
    }

    /// Disables an account, and revokes its keys and logins, the devices that it let in, and its
    /// invitations.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn disable_user(&self, user: &str, now_ms: i64) -> Result<Ending, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "UPDATE organizations SET changed_ms = $1 WHERE id IN \
                 (SELECT organization_id FROM memberships WHERE user_id = $2)",
                now_ms,
                user,
            );
            query.execute(&mut *transaction).await?;
            let query = statement!(
                "UPDATE users SET disabled_ms = $1 WHERE id = $2 AND disabled_ms IS NULL",
                now_ms,
                user,
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(Ending::Missing);
            }
            // Who was just disabled is an owner who cannot act.
            let sql = "SELECT COUNT(*) FROM memberships m \
                 JOIN organizations o ON o.id = m.organization_id \
                 WHERE m.user_id = $1 AND m.role = 'owner' AND o.deleted_ms IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM memberships n JOIN users u ON u.id = n.user_id \
                 WHERE n.organization_id = m.organization_id AND n.role = 'owner' \
                 AND u.disabled_ms IS NULL)";
            if count_on(&mut transaction, sql, user).await? > 0 {
                return Ok(Ending::LastOwner);
            }
            for sql in [
                "UPDATE api_keys SET revoked_ms = $1 WHERE user_id = $2 AND revoked_ms IS NULL",
                "UPDATE logins SET revoked_ms = $1 WHERE user_id = $2 AND revoked_ms IS NULL",
            ] {
                let query = statement!(sql, now_ms, user);
                query.execute(&mut *transaction).await?;
            }
            for sql in [
                "DELETE FROM one_time_codes WHERE subject = $1",
                "DELETE FROM device_requests WHERE user_id = $1",
                "DELETE FROM invitations WHERE invited_by IN \
                 (SELECT email FROM users WHERE id = $1)",
            ] {
                statement!(sql, user).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(Ending::Done)
        };
        self.within(write).await.map_err(writing("an account"))
    }

    /// Lets a disabled account be used again; its keys and logins stay revoked.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn enable_user(&self, user: &str) -> Result<(), DbError> {
        let query = statement!("UPDATE users SET disabled_ms = NULL WHERE id = $1", user);
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("an account"))
    }
}

/// Takes back whom a person invited into an organization that they look after no more; in the
/// server's own, into any.
async fn uninvite_on(
    connection: &mut AnyConnection,
    organization: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    let query = statement!(
        "DELETE FROM invitations WHERE invited_by IN (SELECT email FROM users WHERE id = $1) \
         AND (organization_id = $2 OR EXISTS \
         (SELECT 1 FROM organizations WHERE id = $2 AND home = 1))",
        user,
        organization,
    );
    query.execute(connection).await.map(drop)
}

/// Holds an organization until the transaction ends. False when there is none.
pub(super) async fn hold_on(
    connection: &mut AnyConnection,
    organization: &str,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let query = statement!(
        "UPDATE organizations SET changed_ms = $1 WHERE id = $2 AND deleted_ms IS NULL",
        now_ms,
        organization,
    );
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Whether there is room for a place in an organization.
pub(super) enum Room {
    /// There is.
    Free,
    /// The organization has as many members as there may be.
    Full,
    /// The person is in as many organizations as they may be.
    Busy,
}

/// Whether there is room for a person who is no member yet.
pub(super) async fn room_on(
    connection: &mut AnyConnection,
    (organization, user): (&str, &str),
    (members, places): (u32, u32),
) -> Result<Room, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM memberships WHERE organization_id = $1";
    if count_on(connection, sql, organization).await? >= i64::from(members) {
        return Ok(Room::Full);
    }
    let sql = "SELECT COUNT(*) FROM memberships WHERE user_id = $1";
    if count_on(connection, sql, user).await? >= i64::from(places) {
        return Ok(Room::Busy);
    }
    Ok(Room::Free)
}

/// Gives a person who has none a place in an organization.
pub(super) async fn join_on(
    connection: &mut AnyConnection,
    (organization, user): (&str, &str),
    role: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let query = statement!(
        "INSERT INTO memberships (organization_id, user_id, role, created_ms) \
         VALUES ($1, $2, $3, $4)",
        organization,
        user,
        role,
        now_ms,
    );
    query.execute(connection).await.map(drop)
}

pub(super) async fn count_on(
    connection: &mut AnyConnection,
    sql: &'static str,
    of: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(sql).bind(of).fetch_one(connection).await
}

pub(super) async fn role_on(
    connection: &mut AnyConnection,
    organization: &str,
    user: &str,
) -> Result<Option<String>, sqlx::Error> {
    let query = sqlx::query_scalar(
        "SELECT role FROM memberships WHERE organization_id = $1 AND user_id = $2",
    );
    let query = query.bind(organization).bind(user);
    query.fetch_optional(connection).await
}

async fn has_other_owner(
    connection: &mut AnyConnection,
    organization: &str,
    user: &str,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query_scalar(other_owners!()).bind(organization);
    let others: i64 = query.bind(user).fetch_one(connection).await?;
    Ok(others > 0)
}

fn member_of(row: &AnyRow) -> Result<MemberRow, sqlx::Error> {
    Ok(MemberRow {
        user_id: row.try_get(0)?,
        email: row.try_get(1)?,
        username: row.try_get(2)?,
        role: row.try_get(3)?,
        created_ms: row.try_get(4)?,
        disabled_ms: row.try_get(5)?,
    })
}
