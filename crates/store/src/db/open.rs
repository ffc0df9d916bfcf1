//! The database as a value: which kind it is, its two pools, and the steps of its schema.

use std::borrow::Cow;
use std::future::Future;
use std::path::PathBuf;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, SqlSafeStr as _};

use super::limits::ANSWER_MAX;
use super::{DbError, SqlError, postgres, sqlite};

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Database {
    pub(super) writer: AnyPool,
    pub(super) readers: AnyPool,
    pub(super) kind: Kind,
    /// The file, or the URL without a password.
    pub(super) name: std::sync::Arc<str>,
    /// The server that this is used by.
    pub(super) server: std::sync::Arc<str>,
}

/// What differs by the kind of database, beside how it is opened.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// One file, and beside it its write-ahead log.
    Sqlite { path: PathBuf },
    /// A server, and whether it is on this machine.
    Postgres { here: bool },
}

impl Database {
    /// Opens the database at a URL and brings its tables up to date:
    /// `postgres://ACCOUNT[:PASSWORD]@HOST[:PORT]/NAME`, or `sqlite:///PATH`, for which see
    /// [`open_sqlite`](Self::open_sqlite).
    ///
    /// A database of PostgreSQL has to be there. Its URL may say `sslmode`, `sslrootcert`,
    /// `sslcert`, `sslkey`, `host` (the directory of a Unix socket), `application_name` and
    /// `options`. Where it says nothing of `sslmode`, connections to another machine are encrypted
    /// and the server's name is checked (`verify-full`), and those on this machine are not
    /// encrypted. A password is never part of an error.
    ///
    /// # Errors
    /// Names the step: understanding the URL, opening, bringing it up to date.
    pub async fn open(url: &str) -> Result<Self, DbError> {
        match sqlite::path_of(url) {
            Some(path) => Self::open_sqlite(&path?).await,
            None => postgres::open(url).await,
        }
    }

    /// Finishes what is on its way and closes the files and connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Waits for an answer, and no longer than [`ANSWER_MAX`] where it comes from a server: that
    /// may vanish without a word. SQLite has its own bounds.
    pub(super) async fn within<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        match self.kind {
            Kind::Sqlite { .. } => answer.await,
            Kind::Postgres { .. } => within(answer).await,
        }
    }
}

/// Waits for the answer of a server.
pub(super) async fn within<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let waited = tokio::time::timeout(ANSWER_MAX, answer).await;
    waited.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
}

/// A database's URL for people and logs: without its password, and of one that cannot be
/// understood only how it begins.
///
/// # Errors
/// What is wrong with it.
pub fn url_without_password(url: &str) -> Result<String, DbError> {
    match sqlite::path_of(url) {
        Some(path) => path.map(|path| format!("sqlite://{}", path.display())),
        None => postgres::name_of(url),
    }
}

/// Both at once: the library takes them only the first time.
pub(super) fn install_drivers() {
    // Fails when they are installed already, which is as good.
    let _installed =
        sqlx::any::install_drivers(&[sqlx::sqlite::any::DRIVER, sqlx::postgres::any::DRIVER]);
}

/// Brings the tables up to date. `dialect` puts a step into the words of the database; `name` is
/// what errors call it.
pub(super) async fn migrate(
    connection: &mut AnyConnection,
    dialect: fn(&'static str) -> Cow<'static, str>,
    name: &str,
) -> Result<(), DbError> {
    let steps = MIGRATIONS.iter().map(|(version, title, sql)| {
        let sql = match dialect(sql) {
            Cow::Borrowed(sql) => sql.into_sql_str(),
            Cow::Owned(sql) => sqlx::AssertSqlSafe(sql).into_sql_str(),
        };
        let kind = MigrationType::Simple;
        Migration::new(*version, Cow::Borrowed(title), kind, sql, false)
    });
    let migrator = Migrator::with_migrations(steps.collect());
    migrator.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(step) => DbError::Newer {
            database: name.to_owned(),
            step,
        },
        error => DbError::Migrate {
            database: name.to_owned(),
            source: SqlError::new(error),
        },
    })
}

/// The steps of the schema. A step that was released is never changed: the next one is added.
pub(super) const MIGRATIONS: [(i64, &str, &str); 10] = [
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (
        2,
        "consents",
        include_str!("../../migrations/0002_consents.sql"),
    ),
    (3, "hosts", include_str!("../../migrations/0003_hosts.sql")),
    (
        4,
        "accounts",
        include_str!("../../migrations/0004_accounts.sql"),
    ),
    (
        5,
        "servers",
        include_str!("../../migrations/0005_servers.sql"),
    ),
    (
        6,
        "catalog",
        include_str!("../../migrations/0006_catalog.sql"),
    ),
    (7, "teams", include_str!("../../migrations/0007_teams.sql")),
    (
        8,
        "gateway",
        include_str!("../../migrations/0008_gateway.sql"),
    ),
    (
        9,
        "tickets",
        include_str!("../../migrations/0009_tickets.sql"),
    ),
    (
        10,
        "claims",
        include_str!("../../migrations/0010_claims.sql"),
    ),
];
