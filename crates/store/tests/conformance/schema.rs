//! One set of steps makes the same tables in both databases.

use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tempfile::TempDir;
use wharf_store::db::Database;

use crate::{Case, Kind};

/// What both are asked for: one text a line of the answer.
type Lines = Vec<String>;

async fn both_have_the_same_tables_columns_and_indexes(kind: Kind) {
    let Kind::Postgres(server) = kind else {
        return;
    };
    let name = server.make_database();
    Database::open(&server.url(&name))
        .await
        .unwrap()
        .close()
        .await;
    let mut connection = crate::schema::connect(&server.url(&name)).await;
    let rows = sqlx::query(POSTGRES_SCHEMA)
        .fetch_all(&mut connection)
        .await;
    let rows = rows.unwrap();
    let mut postgres: Lines = rows.iter().map(|row| row.get(0)).collect();
    connection.close().await.unwrap();

    let dir = TempDir::new().unwrap();
    let path = dir.path().join("wharf.db");
    Database::open_sqlite(&path).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = options.connect().await.unwrap();
    let rows = sqlx::query(SQLITE_SCHEMA).fetch_all(&mut connection).await;
    let rows = rows.unwrap();
    let mut sqlite: Lines = rows.iter().map(|row| row.get(0)).collect();
    connection.close().await.unwrap();

    // Each database has an order of its own.
    postgres.sort();
    sqlite.sort();
    assert!(sqlite.len() > 60, "{sqlite:?}");
    assert_eq!(postgres, sqlite);
}

pub(crate) async fn connect(url: &str) -> sqlx::PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    options.connect().await.unwrap()
}

/// A column is its table, place, name, type, whether it has to be there, and whether it is part of
/// the primary key.
const SQLITE_SCHEMA: &str = "
    SELECT m.name || ' ' || c.cid || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\"
        || ' ' || (c.pk > 0) AS line
    FROM sqlite_master m JOIN pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.name NOT LIKE '!_sqlx%' ESCAPE '!'
    UNION ALL
    SELECT 'index ' || tbl_name || ' ' || name FROM sqlite_master
    WHERE type = 'index' AND sql IS NOT NULL";

const POSTGRES_SCHEMA: &str = "
    SELECT c.table_name || ' ' || (c.ordinal_position - 1) || ' ' || c.column_name || ' '
        || CASE c.data_type WHEN 'bigint' THEN 'BIGINT' WHEN 'bytea' THEN 'BLOB'
            WHEN 'text' THEN 'TEXT' ELSE c.data_type END
        || ' ' || CASE c.is_nullable WHEN 'NO' THEN 1 ELSE 0 END
        || ' ' || CASE WHEN k.column_name IS NULL THEN 0 ELSE 1 END AS line
    FROM information_schema.columns c LEFT JOIN information_schema.key_column_usage k
        ON k.table_name = c.table_name AND k.column_name = c.column_name
    WHERE c.table_schema = 'public' AND c.table_name NOT LIKE '!_sqlx%' ESCAPE '!'
    UNION ALL
    SELECT 'index ' || tablename || ' ' || indexname FROM pg_indexes
    WHERE schemaname = 'public' AND indexname NOT LIKE '%!_pkey' ESCAPE '!'";

pub(crate) const CASES: &[Case] = &[("schema", |kind| {
    Box::pin(both_have_the_same_tables_columns_and_indexes(kind))
})];
