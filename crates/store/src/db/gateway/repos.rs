//! Directories of devices that the server knows as repositories.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::text::without_nul;
use super::super::{Database, DbError};
use super::statement;

/// One directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepoRow {
    /// Its id.
    pub id: String,
    /// The organization's id; empty where there is none.
    pub organization: String,
    /// The person: an account's id, or a caller's name.
    pub owner: String,
    /// The directory, once for an owner in an organization.
    pub path_hash: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// What it is linked to.
    pub connection: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

macro_rules! columns {
    () => {
        "id, organization, owner, path_hash, display_name, connection, created_ms, changed_ms"
    };
}

impl Database {
    /// Makes one, or says anew what the one of this directory is; what is not given stays as it is.
    /// Answers what it is then, and nothing when the owner has `most` others.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn put_repo(&self, row: &RepoRow, most: u32) -> Result<Option<RepoRow>, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                concat!(
                    "INSERT INTO gateway_repos (",
                    columns!(),
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                     ON CONFLICT (organization, owner, path_hash) DO UPDATE SET \
                     display_name = COALESCE(excluded.display_name, gateway_repos.display_name), \
                     connection = COALESCE(excluded.connection, gateway_repos.connection), \
                     changed_ms = excluded.changed_ms"
                ),
                row.id.as_str(),
                row.organization.as_str(),
                row.owner.as_str(),
                row.path_hash.as_str(),
                row.display_name.clone().map(without_nul),
                row.connection.clone().map(without_nul),
                row.created_ms,
                row.changed_ms,
            );
            query.execute(&mut *transaction).await?;
            let query = sqlx::query_scalar(
                "SELECT COUNT(*) FROM gateway_repos WHERE organization = $1 AND owner = $2",
            );
            let query = query.bind(row.organization.clone());
            let query = query.bind(row.owner.clone());
            let count: i64 = query.fetch_one(&mut *transaction).await?;
            let found = select(row).fetch_one(&mut *transaction).await?;
            let found = repo_of(&found)?;
            if found.id == row.id && count > i64::from(most) {
                return Ok(None);
            }
            transaction.commit().await?;
            Ok(Some(found))
        };
        self.within(write).await.map_err(writing("a repository"))
    }

    /// The one of a directory.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn repo(
        &self,
        organization: &str,
        owner: &str,
        path_hash: &str,
    ) -> Result<Option<RepoRow>, DbError> {
        let wanted = RepoRow {
            organization: organization.to_owned(),
            owner: owner.to_owned(),
            path_hash: without_nul(path_hash.to_owned()),
            ..RepoRow::default()
        };
        let row = select(&wanted).fetch_optional(&self.readers);
        let row = self.within(row).await;
        row.and_then(|row| row.as_ref().map(repo_of).transpose())
            .map_err(reading("repositories"))
    }

    /// All of an owner's in the order of their ids; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn repos(&self, organization: &str, owner: &str) -> Result<Vec<RepoRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM gateway_repos WHERE organization = $1 AND owner = $2 ORDER BY id LIMIT $3"
            ),
            organization,
            owner,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        rows.and_then(|rows| rows.iter().map(repo_of).collect())
            .map_err(reading("repositories"))
    }

    /// Forgets all of an owner's. Says how many.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_repos(&self, organization: &str, owner: &str) -> Result<u64, DbError> {
        let query = statement!(
            "DELETE FROM gateway_repos WHERE organization = $1 AND owner = $2",
            organization,
            owner,
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("repositories"))?.rows_affected())
    }
}

fn select(row: &RepoRow) -> sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments> {
    statement!(
        concat!(
            "SELECT ",
            columns!(),
            " FROM gateway_repos WHERE organization = $1 AND owner = $2 AND path_hash = $3"
        ),
        row.organization.clone(),
        row.owner.clone(),
        row.path_hash.clone(),
    )
}

fn repo_of(row: &AnyRow) -> Result<RepoRow, sqlx::Error> {
    Ok(RepoRow {
        id: row.try_get(0)?,
        organization: row.try_get(1)?,
        owner: row.try_get(2)?,
        path_hash: row.try_get(3)?,
        display_name: row.try_get(4)?,
        connection: row.try_get(5)?,
        created_ms: row.try_get(6)?,
        changed_ms: row.try_get(7)?,
    })
}
