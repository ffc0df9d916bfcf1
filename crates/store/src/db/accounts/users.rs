//! Accounts of people.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::people::{count_on, hold_on, join_on};
use super::{OrganizationRow, statement};

/// One account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserRow {
    /// Its id.
    pub id: String,
    /// The address, in lower case; nobody else's, ever.
    pub email: String,
    /// The name that others see.
    pub username: String,
    /// What of the name has to differ from all others.
    pub username_key: String,
    /// The password's hash.
    pub password: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was disabled.
    pub disabled_ms: Option<i64>,
    /// Limits as JSON.
    pub limits: Option<String>,
}

/// What became of an account that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserMade {
    /// It is there.
    Made,
    /// The address or the name is somebody's.
    Taken,
    /// What was to allow it was not there: the code, or the organization.
    Refused,
    /// The organization has as many members as there may be.
    Full,
    /// The person is in as many organizations as they may be.
    Busy,
}

macro_rules! user_columns {
    () => {
        "id, email, username, username_key, password, created_ms, disabled_ms, limits"
    };
}

impl Database {
    /// Makes an account and its place in an organization, which has no more than `members`; both or
    /// neither.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_user(
        &self,
        user: &UserRow,
        organization: &str,
        role: &str,
        members: u32,
    ) -> Result<UserMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, organization, user.created_ms).await? {
                return Ok(UserMade::Refused);
            }
            let sql = "SELECT COUNT(*) FROM memberships WHERE organization_id = $1";
            if count_on(&mut transaction, sql, organization).await? >= i64::from(members) {
                return Ok(UserMade::Full);
            }
            if !insert_on(&mut transaction, user).await? {
                return Ok(UserMade::Taken);
            }
            let place = (organization, user.id.as_str());
            join_on(&mut transaction, place, role, user.created_ms).await?;
            transaction.commit().await?;
            Ok(UserMade::Made)
        };
        self.within(write).await.map_err(writing("an account"))
    }

    /// Makes the first account and the server's own organization, which it owns: where a code is
    /// given, only if that is good, and it is used up. Refused where there is an organization.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_first_user(
        &self,
        user: &UserRow,
        organization: &OrganizationRow,
        code_hash: Option<&str>,
    ) -> Result<UserMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if let Some(hash) = code_hash {
                let query = statement!(
                    "DELETE FROM one_time_codes WHERE hash = $1 AND kind = 'first' \
                     AND expires_ms > $2",
                    hash,
                    user.created_ms,
                );
                if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                    return Ok(UserMade::Refused);
                }
            }
            let query = statement!(
                "INSERT INTO organizations (id, slug, name, home, created_ms, changed_ms) \
                 VALUES ($1, $2, $3, 1, $4, $4) ON CONFLICT DO NOTHING",
                organization.id.as_str(),
                organization.slug.as_str(),
                organization.name.as_str(),
                organization.created_ms,
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(UserMade::Refused);
            }
            if !insert_on(&mut transaction, user).await? {
                return Ok(UserMade::Taken);
            }
            let place = (organization.id.as_str(), user.id.as_str());
            join_on(&mut transaction, place, "owner", user.created_ms).await?;
            transaction.commit().await?;
            Ok(UserMade::Made)
        };
        self.within(write)
            .await
            .map_err(writing("the first account"))
    }

    /// One account.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user(&self, id: &str) -> Result<Option<UserRow>, DbError> {
        let query = statement!(
            concat!("SELECT ", user_columns!(), " FROM users WHERE id = $1"),
            id.to_owned()
        );
        Ok(self.fetch_users(query).await?.pop())
    }

    /// The account with an address, which is in lower case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, DbError> {
        let query = statement!(
            concat!("SELECT ", user_columns!(), " FROM users WHERE email = $1"),
            email.to_owned()
        );
        Ok(self.fetch_users(query).await?.pop())
    }

    /// Accounts by id, after one of them where it is given; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(&self, after: Option<&str>) -> Result<Vec<UserRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                user_columns!(),
                " FROM users WHERE id > $1 ORDER BY id LIMIT $2"
            ),
            after.unwrap_or_default().to_owned(),
            i64::from(PAGE_ROWS_MAX),
        );
        self.fetch_users(query).await
    }

    /// How many accounts there are, disabled ones included.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_users(&self) -> Result<i64, DbError> {
        let query = sqlx::query_scalar("SELECT COUNT(*) FROM users");
        let counted = self.within(query.fetch_one(&self.readers)).await;
        counted.map_err(reading("accounts"))
    }

    /// Gives an account another name. False when it is somebody's; nothing happens without an
    /// account.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn rename_user(&self, id: &str, username: &str, key: &str) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE users SET username = $1, username_key = $2 WHERE id = $3",
            username,
            key,
            id,
        );
        match self.within(query.execute(&self.writer)).await {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(writing("an account's name")(error)),
        }
    }

    /// Sets the limits of an account.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_user_limits(&self, id: &str, limits: Option<&str>) -> Result<bool, DbError> {
        let query = statement!("UPDATE users SET limits = $1 WHERE id = $2", limits, id);
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("limits"))?.rows_affected() > 0)
    }

    /// Replaces a password by another: the same one hashed at another cost, so that nothing else
    /// changes. Nothing happens when it is another already.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn rehash_password(&self, id: &str, old: &str, new: &str) -> Result<(), DbError> {
        let query = statement!(
            "UPDATE users SET password = $1 WHERE id = $2 AND password = $3",
            new,
            id,
            old,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a password"))
    }

    /// Sets a password and ends all logins of the account but the one that is named.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn set_password(
        &self,
        id: &str,
        password: &str,
        but: Option<&str>,
        now_ms: i64,
    ) -> Result<(), DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            set_password_on(&mut transaction, id, password, but, now_ms).await?;
            transaction.commit().await
        };
        self.within(write).await.map_err(writing("a password"))
    }

    async fn fetch_users(
        &self,
        query: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Vec<UserRow>, DbError> {
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(user_of).collect())
            .map_err(reading("accounts"))
    }
}

/// Inserts an account; false when its address or name is somebody's.
pub(super) async fn insert_on(
    connection: &mut AnyConnection,
    user: &UserRow,
) -> Result<bool, sqlx::Error> {
    let query = statement!(
        concat!(
            "INSERT INTO users (",
            user_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
        ),
        user.id.as_str(),
        user.email.as_str(),
        user.username.as_str(),
        user.username_key.as_str(),
        user.password.as_deref(),
        user.created_ms,
        user.disabled_ms,
        user.limits.as_deref(),
    );
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

pub(super) async fn set_password_on(
    connection: &mut AnyConnection,
    id: &str,
    password: &str,
    but: Option<&str>,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let query = statement!(
        "UPDATE users SET password = $1 WHERE id = $2 AND disabled_ms IS NULL",
        password,
        id,
    );
    let changed = query.execute(&mut *connection).await?.rows_affected() > 0;
    let query = statement!(
        "UPDATE logins SET revoked_ms = $1 WHERE user_id = $2 AND revoked_ms IS NULL AND id <> $3",
        now_ms,
        id,
        but.unwrap_or_default(),
    );
    query.execute(&mut *connection).await?;
    // A code that was sent before would set it once more.
    let query = statement!(
        "DELETE FROM one_time_codes WHERE kind = 'reset' AND subject = $1",
        id
    );
    query.execute(connection).await?;
    Ok(changed)
}

fn user_of(row: &AnyRow) -> Result<UserRow, sqlx::Error> {
    Ok(UserRow {
        id: row.try_get(0)?,
        email: row.try_get(1)?,
        username: row.try_get(2)?,
        username_key: row.try_get(3)?,
        password: row.try_get(4)?,
        created_ms: row.try_get(5)?,
        disabled_ms: row.try_get(6)?,
        limits: row.try_get(7)?,
    })
}
