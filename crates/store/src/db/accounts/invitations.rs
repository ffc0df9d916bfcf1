//! Invitations into organizations.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::people::{Room, count_on, hold_on, join_on, role_on, room_on};
use super::users::insert_on;
use super::{UserMade, UserRow, statement};

/// One invitation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvitationRow {
    /// Its id.
    pub id: String,
    /// Into which organization.
    pub organization_id: String,
    /// Whom it is for.
    pub email: String,
    /// What they will be.
    pub role: String,
    /// Who invited.
    pub invited_by: String,
    /// When.
    pub created_ms: i64,
    /// Until when it is good.
    pub expires_ms: i64,
    /// The SHA-256 of its code.
    pub code_hash: String,
}

macro_rules! invitation_columns {
    () => {
        "id, organization_id, email, role, invited_by, created_ms, expires_ms, code_hash"
    };
}

impl Database {
    /// Writes an invitation down, in place of an older one for the same person. False when the
    /// organization has `most` already, or has ended.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_invitation(&self, row: &InvitationRow, most: u32) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, &row.organization_id, row.created_ms).await? {
                return Ok(false);
            }
            let query = statement!(
                "DELETE FROM invitations WHERE organization_id = $1 \
                 AND (email = $2 OR expires_ms <= $3)",
                row.organization_id.as_str(),
                row.email.as_str(),
                row.created_ms,
            );
            query.execute(&mut *transaction).await?;
            let sql = "SELECT COUNT(*) FROM invitations WHERE organization_id = $1";
            if count_on(&mut transaction, sql, &row.organization_id).await? >= i64::from(most) {
                return Ok(false);
            }
            let query = statement!(
                concat!(
                    "INSERT INTO invitations (",
                    invitation_columns!(),
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                ),
                row.id.as_str(),
                row.organization_id.as_str(),
                row.email.as_str(),
                row.role.as_str(),
                row.invited_by.as_str(),
                row.created_ms,
                row.expires_ms,
                row.code_hash.as_str(),
            );
            query.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.within(write).await.map_err(writing("an invitation"))
    }

    /// The invitation with this code that is good still.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn invitation(
        &self,
        code_hash: &str,
        now_ms: i64,
    ) -> Result<Option<InvitationRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                invitation_columns!(),
                " FROM invitations WHERE code_hash = $1 AND expires_ms > $2"
            ),
            code_hash,
            now_ms,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(invitation_of).transpose())
            .map_err(reading("invitations"))
    }

    /// The invitations of an organization that are good still, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn invitations(
        &self,
        organization: &str,
        now_ms: i64,
    ) -> Result<Vec<InvitationRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                invitation_columns!(),
                " FROM invitations WHERE organization_id = $1 AND expires_ms > $2 \
                 ORDER BY created_ms, id LIMIT $3"
            ),
            organization,
            now_ms,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(invitation_of).collect())
            .map_err(reading("invitations"))
    }

    /// Takes an invitation back. False when there is none.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_invitation(&self, organization: &str, id: &str) -> Result<bool, DbError> {
        let query = statement!(
            "DELETE FROM invitations WHERE organization_id = $1 AND id = $2",
            organization,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("an invitation"))?.rows_affected() > 0)
    }

    /// Uses an invitation up and makes the person a member: with the account that is made for it
    /// (`new`), or with the one that is there; no more than `members` in an organization, and no
    /// more than `places` for a person. A member stays what they are.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn accept_invitation(
        &self,
        row: &InvitationRow,
        user: &UserRow,
        new: bool,
        (members, places): (u32, u32),
        now_ms: i64,
    ) -> Result<UserMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                "DELETE FROM invitations WHERE id = $1 AND code_hash = $2 AND expires_ms > $3",
                row.id.as_str(),
                row.code_hash.as_str(),
                now_ms,
            );
            let used = query.execute(&mut *transaction).await?.rows_affected() > 0;
            if !used || !hold_on(&mut transaction, &row.organization_id, now_ms).await? {
                return Ok(UserMade::Refused);
            }
            if new && !insert_on(&mut transaction, user).await? {
                return Ok(UserMade::Taken);
            }
            let place = (row.organization_id.as_str(), user.id.as_str());
            let before = role_on(&mut transaction, place.0, place.1).await?;
            if before.is_none() {
                match room_on(&mut transaction, place, (members, places)).await? {
                    Room::Free => {}
                    Room::Full => return Ok(UserMade::Full),
                    Room::Busy => return Ok(UserMade::Busy),
                }
                join_on(&mut transaction, place, &row.role, now_ms).await?;
            }
            transaction.commit().await?;
            Ok(UserMade::Made)
        };
        self.within(write).await.map_err(writing("an invitation"))
    }
}

fn invitation_of(row: &AnyRow) -> Result<InvitationRow, sqlx::Error> {
    Ok(InvitationRow {
        id: row.try_get(0)?,
        organization_id: row.try_get(1)?,
        email: row.try_get(2)?,
        role: row.try_get(3)?,
        invited_by: row.try_get(4)?,
        created_ms: row.try_get(5)?,
        expires_ms: row.try_get(6)?,
        code_hash: row.try_get(7)?,
    })
}
