//! What is true of the SQLite database only: its files, and opening them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;
use wharf_store::db::{Database, DbError};

#[tokio::test]
async fn nobody_else_can_read_its_files() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a #1%/wharf ?.db");
    let db = Database::open_sqlite(&path).await.unwrap();
    db.set_meta("a", "1").await.unwrap();

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_file_name("wharf ?.db-wal")), 0o600);
    db.close().await;
}

#[tokio::test]
async fn it_is_opened_again_with_what_it_held() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("wharf.db");
    let db = Database::open_sqlite(&path).await.unwrap();
    db.set_meta("a", "1").await.unwrap();
    db.close().await;

    let db = Database::open_sqlite(&path).await.unwrap();
    assert_eq!(db.meta("a").await.unwrap().as_deref(), Some("1"));
    db.close().await;
    assert!(
        !path.with_file_name("wharf.db-wal").exists(),
        "closing leaves one file"
    );
}

#[tokio::test]
async fn a_url_names_the_file_as_well() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("wharf.db");
    let url = format!("sqlite://{}", path.display());
    Database::open(&url).await.unwrap().close().await;
    assert!(path.exists());
    for url in ["sqlite://wharf.db", "sqlite:wharf.db", "wharf.db"] {
        let refused = Database::open(url).await;
        assert!(
            matches!(refused, Err(DbError::Address { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_kept() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("wharf.db");
    let text = "this is no database ".repeat(100);
    std::fs::write(&path, &text).unwrap();

    let refused = Database::open_sqlite(&path).await;

    assert!(matches!(refused, Err(DbError::Open { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_database_from_a_newer_version_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("wharf.db");
    Database::open_sqlite(&path).await.unwrap().close().await;
    let script = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                  execution_time) VALUES (9999, 'later', 1, x'00', 0)";
    let options: sqlx::any::AnyConnectOptions =
        format!("sqlite://{}", path.display()).parse().unwrap();
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::Executor::execute(&mut connection, script)
        .await
        .unwrap();
    drop(connection);

    let refused = Database::open_sqlite(&path).await;

    assert!(
        matches!(refused, Err(DbError::Newer { step: 9_999, .. })),
        "{refused:?}"
    );
}
