//! What sessions are made of.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::super::error::{reading, writing};
use super::super::limits::PAGE_ROWS_MAX;
use super::super::text::without_nul;
use super::super::{Database, DbError};
use super::statement;

/// One configuration: a directory of a device's, or repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigurationRow {
    /// Its id.
    pub id: String,
    /// The organization's id; empty where there is none.
    pub organization: String,
    /// The person: an account's id, or a caller's name.
    pub owner: String,
    /// The directory, once for an owner in an organization.
    pub path_hash: Option<String>,
    /// What people call it.
    pub display_name: Option<String>,
    /// The repositories, the gateway's.
    pub repos: Option<String>,
    /// What a session of it left.
    pub snapshot: Option<String>,
    /// Where that is of use.
    pub provider: Option<String>,
    /// When it was made.
    pub created_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

/// What became of a configuration that was to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigurationMade {
    /// It is new.
    Made,
    /// One of the directory was there already.
    There(Box<ConfigurationRow>),
    /// The owner has as many as there may be.
    Full,
}

macro_rules! columns {
    () => {
        "id, organization, owner, path_hash, display_name, repos, snapshot, provider, created_ms, \
         changed_ms"
    };
}

impl Database {
    /// Makes a configuration, unless there is one of the directory; no more than `most` of an owner
    /// in an organization.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn insert_configuration(
        &self,
        row: &ConfigurationRow,
        most: u32,
    ) -> Result<ConfigurationMade, DbError> {
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let query = statement!(
                concat!(
                    "INSERT INTO gateway_configurations (",
                    columns!(),
                    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"
                ),
                row.id.as_str(),
                row.organization.as_str(),
                row.owner.as_str(),
                row.path_hash.as_deref(),
                row.display_name.clone().map(without_nul),
                row.repos.as_deref(),
                row.snapshot.as_deref(),
                row.provider.as_deref(),
                row.created_ms,
                row.changed_ms,
            );
            if query.execute(&mut *transaction).await?.rows_affected() == 0 {
                let query = statement!(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM gateway_configurations \
                         WHERE organization = $1 AND owner = $2 AND path_hash = $3"
                    ),
                    row.organization.as_str(),
                    row.owner.as_str(),
                    row.path_hash.as_deref(),
                );
                let found = query.fetch_one(&mut *transaction).await?;
                return Ok(ConfigurationMade::There(Box::new(configuration_of(
                    &found,
                )?)));
            }
            let query = sqlx::query_scalar(
                "SELECT COUNT(*) FROM gateway_configurations WHERE organization = $1 AND owner = $2",
            );
            let query = query.bind(row.organization.clone());
            let count: i64 = query
                .bind(row.owner.clone())
                .fetch_one(&mut *transaction)
                .await?;
            if count > i64::from(most) {
                return Ok(ConfigurationMade::Full);
            }
            transaction.commit().await?;
            Ok(ConfigurationMade::Made)
        };
        self.within(write).await.map_err(writing("a configuration"))
    }

    /// The configuration of a directory.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn configuration_of_path(
        &self,
        organization: &str,
        owner: &str,
        path_hash: &str,
    ) -> Result<Option<ConfigurationRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM gateway_configurations \
                 WHERE organization = $1 AND owner = $2 AND path_hash = $3"
            ),
            organization,
            owner,
            without_nul(path_hash.to_owned()),
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(configuration_of).transpose())
            .map_err(reading("configurations"))
    }

    /// One configuration.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn configuration(&self, id: &str) -> Result<Option<ConfigurationRow>, DbError> {
        let query = statement!(
            concat!(
                "SELECT ",
                columns!(),
                " FROM gateway_configurations WHERE id = $1"
            ),
            without_nul(id.to_owned()),
        );
        let row = self.within(query.fetch_optional(&self.readers)).await;
        row.and_then(|row| row.as_ref().map(configuration_of).transpose())
            .map_err(reading("configurations"))
    }

    /// Says what people call a configuration's directory.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn rename_configuration(
        &self,
        id: &str,
        display_name: &str,
        now_ms: i64,
    ) -> Result<(), DbError> {
        let query = statement!(
            "UPDATE gateway_configurations SET display_name = $1, changed_ms = $2 WHERE id = $3",
            without_nul(display_name.to_owned()),
            now_ms,
            id,
        );
        let done = self.within(query.execute(&self.writer)).await;
        done.map(drop).map_err(writing("a configuration"))
    }

    /// Says what a session of a configuration left, or that there is nothing any more, where that is
    /// `before` until now. False when it is not.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_configuration_snapshot(
        &self,
        id: &str,
        before: Option<&str>,
        snapshot: Option<(&str, &str)>,
        now_ms: i64,
    ) -> Result<bool, DbError> {
        let query = statement!(
            "UPDATE gateway_configurations SET snapshot = $1, provider = $2, changed_ms = $3 \
             WHERE id = $4 AND COALESCE(snapshot, '') = $5",
            snapshot.map(|it| it.0),
            snapshot.map(|it| it.1),
            now_ms,
            id,
            before.unwrap_or_default(),
        );
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a configuration"))?.rows_affected() > 0)
    }

    /// What sessions have left and configurations have, each with the configuration's id, in the order
    /// of these, behind one of them; at most [`PAGE_ROWS_MAX`].
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn configuration_snapshots(
        &self,
        after: &str,
    ) -> Result<Vec<(String, String)>, DbError> {
        let query = statement!(
            "SELECT id, snapshot FROM gateway_configurations \
             WHERE id > $1 AND snapshot IS NOT NULL ORDER BY id LIMIT $2",
            after,
            i64::from(PAGE_ROWS_MAX),
        );
        let rows = self.within(query.fetch_all(&self.readers)).await;
        let pair = |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.and_then(|rows| rows.iter().map(pair).collect())
            .map_err(reading("configurations"))
    }

    /// Forgets a configuration. False when there is none.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_configuration(&self, id: &str) -> Result<bool, DbError> {
        let query = statement!("DELETE FROM gateway_configurations WHERE id = $1", id);
        let done = self.within(query.execute(&self.writer)).await;
        Ok(done.map_err(writing("a configuration"))?.rows_affected() > 0)
    }
}

fn configuration_of(row: &AnyRow) -> Result<ConfigurationRow, sqlx::Error> {
    Ok(ConfigurationRow {
        id: row.try_get(0)?,
        organization: row.try_get(1)?,
        owner: row.try_get(2)?,
        path_hash: row.try_get(3)?,
        display_name: row.try_get(4)?,
        repos: row.try_get(5)?,
        snapshot: row.try_get(6)?,
        provider: row.try_get(7)?,
        created_ms: row.try_get(8)?,
        changed_ms: row.try_get(9)?,
    })
}
