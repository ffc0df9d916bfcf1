//! Teams: those of an organization who share a profile.
//!
//! Whatever makes or ends a team, or adds to it, holds the organization first: nobody comes into a
//! team of an organization that they just left, and two who ask at once pass no bound.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::{Database, DbError};
use super::people::{count_on, hold_on, role_on};
use super::statement;

/// One team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamRow {
    /// Its id.
    pub id: String,
    /// The organization.
    pub organization_id: String,
    /// Its short name; one for each organization.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_ms: i64,
}

/// A team, and what a person is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamPlace {
    /// The team.
    pub team: TeamRow,
    /// Whether they lead it; none where they are no member.
    pub leads: Option<bool>,
}

/// One member of a team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamMemberRow {
    /// The account's id.
    pub user_id: String,
    /// Its address.
    pub email: String,
    /// Whether they lead it.
    pub leads: bool,
}

/// What became of a team that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamMade {
    /// It is there.
    Made,
    /// The short name is another team's.
    Taken,
    /// The organization has as many as there may be.
    Full,
    /// There is no such organization.
    Missing,
}

/// What became of a place in a team that was to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamJoined {
    /// It is so.
    Done,
    /// The team has as many members as there may be.
    Full,
    /// The person is in as many teams of the organization as they may be.
    Busy,
    /// There is no such team.
    Missing,
    /// The person is no member of the organization.
    Stranger,
}

macro_rules! team_columns {
    () => {
        "t.id, t.organization_id, t.slug, t.name, t.created_ms"
    };
}

/// The teams of organization `$1`, and what person `$2` is in each.
macro_rules! team_places {
    ($and:literal) => {
        concat!(
            "SELECT ",
            team_columns!(),
            ", m.leads FROM teams t LEFT JOIN team_members m \
             ON m.team_id = t.id AND m.user_id = $2 WHERE t.organization_id = $1",
            $and
        )
    };
}

impl Database {
    /// Makes a team without members; no more than `most` in an organization.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_team(&self, team: &TeamRow, most: u32) -> Result<TeamMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, &team.organization_id, team.created_ms).await? {
                return Ok(TeamMade::Missing);
            }
            let sql = "SELECT COUNT(*) FROM teams WHERE organization_id = $1";
            if count_on(&mut transaction, sql, &team.organization_id).await? >= i64::from(most) {
                return Ok(TeamMade::Full);
            }
            let query = statement!(
                "INSERT INTO teams (id, organization_id, slug, name, created_ms) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                team.id.as_str(),
                team.organization_id.as_str(),
                team.slug.as_str(),
                team.name.as_str(),
                team.created_ms,
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                return Ok(TeamMade::Taken);
            }
            transaction.commit().await?;
            Ok(TeamMade::Made)
        };
        self.within(write).await.map_err(writing("a team"))
    }

    /// The teams of an organization by short name, and what a person is in each; at most
    /// [`PAGE_ROWS_MAX`]. Where no person is given, nobody is in any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn teams(
        &self,
        organization: &str,
        user: Option<&str>,
    ) -> Result<Vec<TeamPlace>, DbError> {
        let query = statement!(
            team_places!(" ORDER BY t.slug LIMIT $3"),
            organization,
            user.unwrap_or_default(),
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(place_of).collect())
            .map_err(reading("teams"))
    }

    /// One team of an organization by id or short name, and what a person is in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn team(
        &self,
        organization: &str,
        user: Option<&str>,
        team: &str,
    ) -> Result<Option<TeamPlace>, DbError> {
        let query = statement!(
            team_places!(" AND (t.id = $3 OR t.slug = $3)"),
            organization,
            user.unwrap_or_default(),
            team,
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(place_of).transpose())
            .map_err(reading("teams"))
    }

    /// Whether there is a team of this id, whosever it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_team(&self, id: &str) -> Result<bool, DbError> {
        let query = sqlx::query_scalar("SELECT COUNT(*) FROM teams WHERE id = $1");
        let query = query.bind(id.to_owned()).fetch_one(&self.readers);
        let found: i64 = self.within(query).await.map_err(reading("teams"))?;
        Ok(found > 0)
    }

    /// How many members the teams of an organization have, by the team's id; a team without any is
    /// not among them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn team_sizes(&self, organization: &str) -> Result<Vec<(String, i64)>, DbError> {
        let query = statement!(
            "SELECT m.team_id, COUNT(*) FROM team_members m JOIN teams t ON t.id = m.team_id \
             WHERE t.organization_id = $1 GROUP BY m.team_id LIMIT $2",
            organization,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let sizes = rows.and_then(|rows| {
            let rows = rows
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            rows.collect()
        });
        sizes.map_err(reading("teams"))
    }

    /// Ends a team; its members leave it and what it owns in the catalog goes. False when there is
    /// none.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn remove_team(
        &self,
        organization: &str,
        team: &str,
        now_ms: i64,
    ) -> Result<bool, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, organization, now_ms).await?
                || !has_team_on(&mut transaction, organization, team).await?
            {
                return Ok(false);
            }
            for sql in [
                "DELETE FROM catalog_items WHERE layer = 'team' AND owner = $1",
                "DELETE FROM team_members WHERE team_id = $1",
                "DELETE FROM teams WHERE id = $1",
            ] {
                statement!(sql, team).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(true)
        };
        self.within(write).await.map_err(writing("a team"))
    }

    /// The members of a team by address; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn team_members(&self, team: &str) -> Result<Vec<TeamMemberRow>, DbError> {
        let query = statement!(
            "SELECT u.id, u.email, m.leads FROM team_members m JOIN users u ON u.id = m.user_id \
             WHERE m.team_id = $1 ORDER BY u.email LIMIT $2",
            team,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(member_of).collect())
            .map_err(reading("members"))
    }

    /// Makes a member of an organization a member of one of its teams, or says anew whether they
    /// lead it; no more than `members` in a team, and no more than `teams` of the organization for
    /// a person.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn put_team_member(
        &self,
        (organization, team): (&str, &str),
        user: &str,
        leads: bool,
        (members, teams): (u32, u32),
        now_ms: i64,
    ) -> Result<TeamJoined, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            if !hold_on(&mut transaction, organization, now_ms).await?
                || !has_team_on(&mut transaction, organization, team).await?
            {
                return Ok(TeamJoined::Missing);
            }
            if role_on(&mut transaction, organization, user)
                .await?
                .is_none()
            {
                return Ok(TeamJoined::Stranger);
            }
            let query = statement!(
                "UPDATE team_members SET leads = $1 WHERE team_id = $2 AND user_id = $3",
                i64::from(leads),
                team,
                user,
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                let sql = "SELECT COUNT(*) FROM team_members WHERE team_id = $1";
                if count_on(&mut transaction, sql, team).await? >= i64::from(members) {
                    return Ok(TeamJoined::Full);
                }
                if teams_of_on(&mut transaction, organization, user).await? >= i64::from(teams) {
                    return Ok(TeamJoined::Busy);
                }
                let query = statement!(
                    "INSERT INTO team_members (team_id, user_id, leads, created_ms) \
                     VALUES ($1, $2, $3, $4)",
                    team,
                    user,
                    i64::from(leads),
                    now_ms,
                );
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(TeamJoined::Done)
        };
        self.within(write).await.map_err(writing("a team's member"))
    }

    /// Takes a person out of a team. False when they are not in it.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_team_member(&self, team: &str, user: &str) -> Result<bool, DbError> {
        let query = statement!(
            "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2",
            team,
            user,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a team's member"))?.rows_affected() > 0)
    }
}

/// Takes a person out of all teams of an organization.
pub(super) async fn leave_teams_on(
    connection: &mut AnyConnection,
    organization: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    let query = statement!(
        "DELETE FROM team_members WHERE user_id = $2 \
         AND team_id IN (SELECT id FROM teams WHERE organization_id = $1)",
        organization,
        user,
    );
    query.execute(connection).await.map(drop)
}

/// Ends all teams of an organization.
pub(super) async fn remove_teams_on(
    connection: &mut AnyConnection,
    organization: &str,
) -> Result<(), sqlx::Error> {
    for sql in [
        "DELETE FROM catalog_items WHERE layer = 'team' \
         AND owner IN (SELECT id FROM teams WHERE organization_id = $1)",
        "DELETE FROM team_members \
         WHERE team_id IN (SELECT id FROM teams WHERE organization_id = $1)",
        "DELETE FROM teams WHERE organization_id = $1",
    ] {
        let query = statement!(sql, organization);
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn has_team_on(
    connection: &mut AnyConnection,
    organization: &str,
    team: &str,
) -> Result<bool, sqlx::Error> {
    let query =
        sqlx::query_scalar("SELECT COUNT(*) FROM teams WHERE organization_id = $1 AND id = $2");
    let found: i64 = query
        .bind(organization)
        .bind(team)
        .fetch_one(connection)
        .await?;
    Ok(found > 0)
}

async fn teams_of_on(
    connection: &mut AnyConnection,
    organization: &str,
    user: &str,
) -> Result<i64, sqlx::Error> {
    let query = sqlx::query_scalar(
        "SELECT COUNT(*) FROM team_members m JOIN teams t ON t.id = m.team_id \
         WHERE t.organization_id = $1 AND m.user_id = $2",
    );
    query
        .bind(organization)
        .bind(user)
        .fetch_one(connection)
        .await
}

fn place_of(row: &AnyRow) -> Result<TeamPlace, sqlx::Error> {
    let leads: Option<i64> = row.try_get(5)?;
    Ok(TeamPlace {
        team: TeamRow {
            id: row.try_get(0)?,
            organization_id: row.try_get(1)?,
            slug: row.try_get(2)?,
            name: row.try_get(3)?,
            created_ms: row.try_get(4)?,
        },
        leads: leads.map(|leads| leads != 0),
    })
}

fn member_of(row: &AnyRow) -> Result<TeamMemberRow, sqlx::Error> {
    Ok(TeamMemberRow {
        user_id: row.try_get(0)?,
        email: row.try_get(1)?,
        leads: row.try_get::<i64, _>(2)? != 0,
    })
}
