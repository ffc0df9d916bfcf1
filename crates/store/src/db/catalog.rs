//! The catalog: skills, commands, agents and the like, each owned by an organization, a team or a
//! person. What an item means, and who may see or change it, is for whoever asks.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::error::{reading, writing};
use super::limits::PAGE_ROWS_MAX;
use super::text::{contains_pattern, without_nul};
use super::{Database, DbError};

/// Most owners whose items one question is for; more are left out.
pub const CATALOG_OWNERS_MAX: usize = 32;
/// Most words that one question looks for; more are left out.
pub const CATALOG_WORDS_MAX: usize = 8;
/// Most items of one owner.
pub const CATALOG_ITEMS_MAX: i64 = 10_000;
/// Most bytes that the contents of one owner's items have together.
pub const CATALOG_BYTES_MAX: i64 = 256 * 1024 * 1024;

/// One item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogRow {
    /// Its id.
    pub id: String,
    /// Whose kind of owner: `org`, `team` or `user`.
    pub layer: String,
    /// The owner's id.
    pub owner: String,
    /// What it is: `skill`, `command` and so on.
    pub kind: String,
    /// Its name, unique for its owner and kind.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its tags, as JSON.
    pub tags: String,
    /// What it says; empty in lists.
    pub content: String,
    /// What a search looks through, in lower case.
    pub words: String,
    /// How often it was changed.
    pub revision: i64,
    /// Who added it.
    pub added_by: String,
    /// When it was added.
    pub added_ms: i64,
    /// When it was last changed.
    pub changed_ms: i64,
}

/// Which items are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogAsk {
    /// Whose: layer and id. Without one, nobody's.
    pub owners: Vec<(String, String)>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only those with all of these words in them, in lower case.
    pub words: Vec<String>,
    /// How many are passed over.
    pub offset: u64,
    /// Most that are wanted; taken as at least 1 and at most [`PAGE_ROWS_MAX`].
    pub limit: u32,
}

/// What a change of an item came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogChange {
    /// It was made.
    Done,
    /// There is no such item, or it is another owner's.
    Gone,
    /// It is not at the revision that the change was made from.
    Stale,
    /// The owner has another of that kind and name.
    Taken,
    /// The owner has [`CATALOG_ITEMS_MAX`], or would have more than [`CATALOG_BYTES_MAX`].
    Full,
}

impl Database {
    /// Adds an item.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn add_catalog_item(&self, item: &CatalogRow) -> Result<CatalogChange, DbError> {
        let item = item.clone();
        let write = async {
            let mut transaction = self.writer.begin().await?;
            let new = item.clone();
            let query = sqlx::query(
                "INSERT INTO catalog_items (id, layer, owner, kind, name, description, tags, \
                 content, words, revision, added_by, added_ms, changed_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
                 ON CONFLICT DO NOTHING",
            );
            let query = query.bind(item.id).bind(item.layer).bind(item.owner);
            let query = query.bind(item.kind).bind(without_nul(item.name));
            let query = query
                .bind(without_nul(item.description))
                .bind(without_nul(item.tags))
                .bind(without_nul(item.content))
                .bind(without_nul(item.words));
            let query = query.bind(item.revision).bind(item.added_by);
            let query = query.bind(item.added_ms).bind(item.changed_ms);
            let done = query.execute(&mut *transaction).await?;
            if done.rows_affected() == 0 {
                return Ok(CatalogChange::Taken);
            }
            // Looked at after the insertion, which holds the database: whoever reads first may find
            // it taken by another writer in the end.
            let (count, bytes) = others(&mut transaction, &new).await?;
            if count >= CATALOG_ITEMS_MAX || bytes + size(&new) > CATALOG_BYTES_MAX {
                return Ok(CatalogChange::Full);
            }
            transaction.commit().await?;
            Ok(CatalogChange::Done)
        };
        self.within(write).await.map_err(writing("a catalog item"))
    }

    /// Changes name, description, tags and content of the item with the id and owner of `item`, if
    /// it is at the revision before `item`'s. Kind, owner and who added it stay.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is changed.
    pub async fn change_catalog_item(&self, item: &CatalogRow) -> Result<CatalogChange, DbError> {
        let item = item.clone();
        let write = async {
            let mut transaction = self.writer.begin().await?;
            // One statement finds the revision and replaces it: of two who saw the same one, one
            // does.
            let query = sqlx::query(
                "UPDATE catalog_items SET name = $1, description = $2, tags = $3, content = $4, \
                 words = $5, revision = $6, changed_ms = $7 \
                 WHERE id = $8 AND layer = $9 AND owner = $10 AND revision = $11",
            );
            let query = query
                .bind(without_nul(item.name.clone()))
                .bind(without_nul(item.description.clone()))
                .bind(without_nul(item.tags.clone()))
                .bind(without_nul(item.content.clone()))
                .bind(without_nul(item.words.clone()));
            let query = query.bind(item.revision).bind(item.changed_ms);
            let query = query.bind(item.id.clone());
            let query = query.bind(item.layer.clone()).bind(item.owner.clone());
            let query = query.bind(item.revision - 1);
            match query.execute(&mut *transaction).await {
                Ok(done) if done.rows_affected() > 0 => {
                    let (_, bytes) = others(&mut transaction, &item).await?;
                    if bytes + size(&item) > CATALOG_BYTES_MAX {
                        return Ok(CatalogChange::Full);
                    }
                    transaction.commit().await?;
                    return Ok(CatalogChange::Done);
                }
                Ok(_) => drop(transaction),
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    return Ok(CatalogChange::Taken);
                }
                Err(error) => return Err(error),
            }
            let mut connection = self.readers.acquire().await?;
            let there = one(&mut connection, &item.id).await?;
            let same = |it: &CatalogRow| (&it.layer, &it.owner) == (&item.layer, &item.owner);
            Ok(match there.as_ref().is_some_and(same) {
                true => CatalogChange::Stale,
                false => CatalogChange::Gone,
            })
        };
        self.within(write).await.map_err(writing("a catalog item"))
    }

    /// Removes an owner's item, at this revision where one is given. False when there is none.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_catalog_item(
        &self,
        layer: &str,
        owner: &str,
        id: &str,
        revision: Option<i64>,
    ) -> Result<bool, DbError> {
        // Revisions are counted from 1.
        let query = sqlx::query(
            "DELETE FROM catalog_items WHERE layer = $1 AND owner = $2 AND id = $3 \
             AND ($4 = 0 OR revision = $4)",
        );
        let query = query.bind(layer.to_owned()).bind(owner.to_owned());
        let query = query.bind(id.to_owned()).bind(revision.unwrap_or(0));
        let done = query.execute(&self.writer);
        let done = self.within(done).await.map_err(writing("a catalog item"))?;
        Ok(done.rows_affected() > 0)
    }

    /// One item, whosever it is, with its content.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catalog_item(&self, id: &str) -> Result<Option<CatalogRow>, DbError> {
        let read = async {
            let mut connection = self.readers.acquire().await?;
            one(&mut connection, id).await
        };
        self.within(read).await.map_err(reading("a catalog item"))
    }

    /// A page of items by name, without their contents, and how many there are on all pages.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catalog(&self, ask: &CatalogAsk) -> Result<(Vec<CatalogRow>, i64), DbError> {
        if ask.owners.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let Filter { condition, values } = Filter::of(ask);
        let count = format!("SELECT COUNT(*) FROM catalog_items WHERE {condition}");
        let at = values.len();
        let page = format!(
            "SELECT id, layer, owner, kind, name, description, tags, '' AS content, words, \
             revision, added_by, added_ms, changed_ms FROM catalog_items WHERE {condition} \
             ORDER BY name, id LIMIT ${} OFFSET ${}",
            at + 1,
            at + 2
        );
        let read = async {
            let mut query = sqlx::query_scalar(AssertSqlSafe(count));
            for value in &values {
                query = query.bind(value.clone());
            }
            let total: i64 = query.fetch_one(&self.readers).await?;
            let mut query = sqlx::query(AssertSqlSafe(page));
            for value in values {
                query = query.bind(value);
            }
            let query = query.bind(i64::from(ask.limit.clamp(1, PAGE_ROWS_MAX)));
            let query = query.bind(i64::try_from(ask.offset).unwrap_or(i64::MAX));
            let rows = query.fetch_all(&self.readers).await?;
            let items: Result<Vec<_>, _> = rows.iter().map(item_of).collect();
            Ok((items?, total))
        };
        self.within(read).await.map_err(reading("the catalog"))
    }
}

/// What an item has to be, with its values in the order of their numbers.
struct Filter {
    condition: String,
    values: Vec<String>,
}

impl Filter {
    fn of(ask: &CatalogAsk) -> Self {
        let mut values = Vec::new();
        let mut number = |value: String| {
            values.push(value);
            values.len()
        };
        let owners = ask.owners.iter().take(CATALOG_OWNERS_MAX);
        let owners: Vec<String> = owners
            .map(|(layer, owner)| {
                let (layer, owner) = (number(layer.clone()), number(owner.clone()));
                format!("(layer = ${layer} AND owner = ${owner})")
            })
            .collect();
        let mut condition = format!("({})", owners.join(" OR "));
        if let Some(kind) = &ask.kind {
            let kind = number(kind.clone());
            condition.push_str(&format!(" AND kind = ${kind}"));
        }
        for word in ask.words.iter().take(CATALOG_WORDS_MAX) {
            let word = number(without_nul(contains_pattern(word)));
            condition.push_str(&format!(" AND words LIKE ${word} ESCAPE '!'"));
        }
        Self { condition, values }
    }
}

/// How many other items the owner of this one has, and how many bytes their contents.
async fn others(
    connection: &mut AnyConnection,
    item: &CatalogRow,
) -> Result<(i64, i64), sqlx::Error> {
    let query = sqlx::query(
        "SELECT COUNT(*), CAST(COALESCE(SUM(OCTET_LENGTH(content)), 0) AS BIGINT) \
         FROM catalog_items WHERE layer = $1 AND owner = $2 AND id <> $3",
    );
    let query = query.bind(item.layer.clone()).bind(item.owner.clone());
    let row = query.bind(item.id.clone()).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn size(item: &CatalogRow) -> i64 {
    i64::try_from(item.content.len()).unwrap_or(i64::MAX / 2)
}

async fn one(connection: &mut AnyConnection, id: &str) -> Result<Option<CatalogRow>, sqlx::Error> {
    let query = sqlx::query(
        "SELECT id, layer, owner, kind, name, description, tags, content, words, revision, \
         added_by, added_ms, changed_ms FROM catalog_items WHERE id = $1",
    );
    let row = query.bind(id.to_owned()).fetch_optional(connection).await?;
    row.as_ref().map(item_of).transpose()
}

fn item_of(row: &AnyRow) -> Result<CatalogRow, sqlx::Error> {
    Ok(CatalogRow {
        id: row.try_get(0)?,
        layer: row.try_get(1)?,
        owner: row.try_get(2)?,
        kind: row.try_get(3)?,
        name: row.try_get(4)?,
        description: row.try_get(5)?,
        tags: row.try_get(6)?,
        content: row.try_get(7)?,
        words: row.try_get(8)?,
        revision: row.try_get(9)?,
        added_by: row.try_get(10)?,
        added_ms: row.try_get(11)?,
        changed_ms: row.try_get(12)?,
    })
}
