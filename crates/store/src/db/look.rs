//! Looking at a database without changing it, not even an old schema.

use std::path::{Path, PathBuf};

use sqlx::AssertSqlSafe;

use super::copy_tables::TABLES;
use super::error::reading;
use super::open::MIGRATIONS;
use super::{Database, DbError, postgres};

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What the database is called: its file, or its URL without a password.
    pub name: String,
    /// The last step of the schema that it has; 0 is none.
    pub step: i64,
    /// The last step that there is.
    pub newest: i64,
    /// What is wrong with it, as by [`Database::check`].
    pub problems: Vec<String>,
    /// Rows of each table that it has.
    pub rows: Vec<(&'static str, i64)>,
}

impl Database {
    /// Looks at the database of a URL as for [`open`](Self::open).
    ///
    /// # Errors
    /// When it cannot be opened or does not answer.
    pub async fn look(url: &str) -> Result<Looked, DbError> {
        match super::sqlite::path_of(url) {
            Some(path) => Self::look_at_file(&path?).await,
            None => postgres::open_as_it_is(url).await?.looked().await,
        }
    }

    /// The path in a URL that names an SQLite file; none in one for PostgreSQL.
    ///
    /// # Errors
    /// When the path is not absolute.
    pub fn file_of(url: &str) -> Result<Option<PathBuf>, DbError> {
        super::sqlite::path_of(url).transpose()
    }

    /// Looks at the SQLite database at `path`, which has to be there.
    ///
    /// # Errors
    /// When it cannot be opened or does not answer.
    pub async fn look_at_file(path: &Path) -> Result<Looked, DbError> {
        Self::open_file_as_it_is(path).await?.looked().await
    }

    /// What the database is called: its file, or its URL without a password.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last step of the schema that it has; 0 is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema_step(&self) -> Result<i64, DbError> {
        if !self.has_table("_sqlx_migrations").await? {
            return Ok(0);
        }
        let query = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations");
        let step = self.within(query.fetch_one(&self.readers)).await;
        step.map_err(reading("the schema"))
    }

    async fn looked(self) -> Result<Looked, DbError> {
        let step = self.schema_step().await?;
        let newest = MIGRATIONS.iter().map(|step| step.0).max();
        let mut looked = Looked {
            name: self.name().to_owned(),
            step,
            newest: newest.unwrap_or_default(),
            problems: Vec::new(),
            rows: Vec::new(),
        };
        for table in TABLES {
            if self.has_table(table.name).await? {
                let query = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
                let query = sqlx::query_scalar(query).fetch_one(&self.readers);
                let rows = self.within(query).await.map_err(reading("a count"))?;
                looked.rows.push((table.name, rows));
            }
        }
        if looked.step >= looked.newest {
            looked.problems = self.check().await?;
        }
        self.close().await;
        Ok(looked)
    }

    async fn has_table(&self, name: &'static str) -> Result<bool, DbError> {
        let query = if self.is_shared() {
            "SELECT CAST(COUNT(*) AS BIGINT) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = $1"
        } else {
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1"
        };
        let query = sqlx::query_scalar(query).bind(name);
        let count: Result<i64, _> = self.within(query.fetch_one(&self.readers)).await;
        Ok(count.map_err(reading("the schema"))? > 0)
    }
}
