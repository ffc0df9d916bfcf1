//! All of one database into another, of whatever kind.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::copy_tables::TABLES;
use super::error::{reading, writing};
use super::limits::COPY_ROWS_MAX;
use super::open::Kind;
use super::run_writes::{Parameters, values};
use super::text::without_nul;
use super::{Database, DbError};

/// What a copy has brought over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Rows of each table.
    pub tables: Vec<(&'static str, i64)>,
}

impl Database {
    /// Copies all rows into another database, which has to be empty: all of them or, when anything
    /// fails or the rows do not arrive in equal number, none. What is written into this one
    /// meanwhile stays out of the copy.
    ///
    /// # Errors
    /// When either database does not do its part; [`DbError::NotEmpty`] and
    /// [`DbError::Miscounted`].
    pub async fn copy_into(&self, other: &Self) -> Result<Copied, DbError> {
        // One transaction here, for one view of all tables; one there, for all or nothing.
        let snapshot = match self.kind {
            Kind::Sqlite { .. } => "BEGIN",
            Kind::Postgres { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        let begun = self.within(self.readers.begin_with(snapshot)).await;
        let mut from = begun.map_err(reading("what is to be copied"))?;
        let mut into = other.writer.acquire().await.map_err(writing("the copy"))?;
        let copied = self.copy_on(&mut from, other, &mut into).await;
        if copied.is_err() {
            // As in the projection: whether a transaction is open there is not certain any more.
            into.close_on_drop();
        }
        copied
    }

    async fn copy_on(
        &self,
        from: &mut AnyConnection,
        other: &Self,
        into: &mut AnyConnection,
    ) -> Result<Copied, DbError> {
        let begun = other.within(into.begin()).await;
        let mut into = begun.map_err(writing("the copy"))?;
        let mut tables = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            if other.rows_of(table, &mut into).await? > 0 {
                return Err(DbError::NotEmpty { table: table.name });
            }
            let wanted = self.rows_of(table, from).await?;
            self.copy_table(table, from, other, &mut into).await?;
            let found = other.rows_of(table, &mut into).await?;
            if wanted != found {
                return Err(DbError::Miscounted {
                    table: table.name,
                    wanted,
                    found,
                });
            }
            tables.push((table.name, found));
        }
        let committed = other.within(into.commit()).await;
        committed.map_err(writing("the copy"))?;
        Ok(Copied { tables })
    }

    async fn rows_of(&self, table: &Table, on: &mut AnyConnection) -> Result<i64, DbError> {
        let query = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
        let counted = self.within(sqlx::query_scalar(query).fetch_one(on)).await;
        counted.map_err(reading("a count"))
    }

    async fn copy_table(
        &self,
        table: &Table,
        from: &mut AnyConnection,
        other: &Self,
        into: &mut AnyConnection,
    ) -> Result<(), DbError> {
        let keeps_nul = matches!(other.kind, Kind::Sqlite { .. });
        let mut last: Option<Vec<Cell>> = None;
        loop {
            let query = sqlx::query(AssertSqlSafe(table.select_sql(last.is_some())));
            let query = last.iter().flatten().cloned().fold(query, bind_cell);
            let page = self.within(query.fetch_all(&mut *from)).await;
            let page = page.and_then(|page| {
                let rows = page.iter().map(|row| table.cells(row));
                rows.collect::<Result<Vec<_>, _>>()
            });
            let page = page.map_err(reading("what is to be copied"))?;
            let is_last = page.len() < COPY_ROWS_MAX as usize;
            last = page.last().map(|row| table.key_of(row));
            for rows in page.chunks(INSERT_ROWS) {
                let query = table.insert_sql(rows.len(), Parameters::of(into));
                let cells = rows.iter().flatten().cloned();
                let cells = cells.map(|cell| if keeps_nul { cell } else { cell.without_nul() });
                let query = cells.fold(sqlx::query(AssertSqlSafe(query)), bind_cell);
                let written = other.within(query.execute(&mut *into)).await;
                written.map_err(writing("the copy"))?;
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// Rows that one statement inserts. The widest table makes 1,728 parameters of them.
const INSERT_ROWS: usize = 64;

/// A table to be copied.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The columns of the primary key come first.
    pub(super) columns: &'static [(&'static str, Type)],
    /// How many columns make the primary key.
    pub(super) key: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Integer,
    Bytes,
}

impl Table {
    /// A page of rows in the order of the key, after a key where there was a page before.
    fn select_sql(&self, goes_on: bool) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.0).collect();
        let keys: Vec<&str> = names.iter().copied().take(self.key).collect();
        let (columns, keys) = (names.join(", "), keys.join(", "));
        let after = if goes_on {
            let values: Vec<String> = (1..=self.key).map(|at| format!("${at}")).collect();
            format!("WHERE ({keys}) > ({}) ", values.join(", "))
        } else {
            String::new()
        };
        let name = self.name;
        format!("SELECT {columns} FROM {name} {after}ORDER BY {keys} LIMIT {COPY_ROWS_MAX}")
    }

    fn insert_sql(&self, rows: usize, parameters: Parameters) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.0).collect();
        let values = values(rows, &vec![None; names.len()], parameters);
        format!(
            "INSERT INTO {} ({}) VALUES {values}",
            self.name,
            names.join(", ")
        )
    }

    fn cells(&self, row: &AnyRow) -> Result<Vec<Cell>, sqlx::Error> {
        let columns = self.columns.iter().enumerate();
        let cells = columns.map(|(at, (_, kind))| {
            Ok(match kind {
                Type::Text => Cell::Text(row.try_get(at)?),
                Type::Integer => Cell::Integer(row.try_get(at)?),
                Type::Bytes => Cell::Bytes(row.try_get(at)?),
            })
        });
        cells.collect()
    }

    fn key_of(&self, row: &[Cell]) -> Vec<Cell> {
        row.iter().take(self.key).cloned().collect()
    }
}

#[derive(Debug, Clone)]
enum Cell {
    Text(Option<String>),
    Integer(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

impl Cell {
    fn without_nul(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.map(without_nul)),
            other => other,
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, AnyArguments>;

fn bind_cell(query: Query<'_>, cell: Cell) -> Query<'_> {
    match cell {
        Cell::Text(text) => query.bind(text),
        Cell::Integer(integer) => query.bind(integer),
        Cell::Bytes(bytes) => query.bind(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise a later step of the schema would be left out of copies.
    #[tokio::test]
    async fn the_tables_are_those_of_the_schema() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&dir.path().join("wharf.db"))
            .await
            .unwrap();
        let query = sqlx::query(
            "SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || (c.pk > 0) \
             FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE '!_sqlx%' ESCAPE '!'",
        );
        let rows = query.fetch_all(&db.readers).await.unwrap();
        let mut made: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut listed = Vec::new();
        for table in TABLES {
            for (at, (name, kind)) in table.columns.iter().enumerate() {
                let kind = match kind {
                    Type::Text => "TEXT",
                    Type::Integer => "BIGINT",
                    Type::Bytes => "BLOB",
                };
                let is_key = i32::from(at < table.key);
                listed.push(format!("{} {name} {kind} {is_key}", table.name));
            }
        }
        made.sort();
        listed.sort();
        assert_eq!(listed, made);
    }
}
