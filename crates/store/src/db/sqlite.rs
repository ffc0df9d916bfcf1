//! SQLite: files, connections, settings.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use super::limits::{READERS_MAX, WAIT_MAX};
use super::open::{Kind, install_drivers, migrate};
use super::{Database, DbError, SqlError};

impl Database {
    /// Opens the SQLite database at `path` (0600, its directory 0700), making it when there is
    /// none, and brings its tables up to date.
    ///
    /// # Errors
    /// Names the step: making the file, opening it, bringing it up to date.
    pub async fn open_sqlite(path: &Path) -> Result<Self, DbError> {
        Self::open_file(path, true).await
    }

    /// The file as it is, which has to be there.
    pub(super) async fn open_file_as_it_is(path: &Path) -> Result<Self, DbError> {
        Self::open_file(path, false).await
    }

    async fn open_file(path: &Path, up_to_date: bool) -> Result<Self, DbError> {
        let made = match up_to_date {
            true => create_private(path),
            false => std::fs::metadata(path).map(drop),
        };
        made.map_err(|source| DbError::Create {
            path: path.to_owned(),
            source,
        })?;
        let name = path.display().to_string();
        let failed = |error: sqlx::Error| DbError::Open {
            database: name.clone(),
            source: SqlError::new(error),
        };
        install_drivers();
        let options: AnyConnectOptions = sqlite_url(path).parse().map_err(failed)?;
        let options = options.disable_statement_logging();
        // A pool goes on trying until its time is up and forgets why; one connection says at once
        // what is wrong with the file.
        let mut first = options.connect().await.map_err(failed)?;
        sqlx::raw_sql(WRITER_SETTINGS)
            .execute(&mut first)
            .await
            .map_err(failed)?;
        if up_to_date {
            migrate(&mut first, Cow::Borrowed, &name).await?;
        }
        let writer = pool(1, WRITER_SETTINGS).connect_with(options.clone()).await;
        let writer = writer.map_err(failed)?;
        // Only now: the last connection to leave would clear the write-ahead log away.
        first.close().await.map_err(failed)?;
        let readers = pool(READERS_MAX, READER_SETTINGS).connect_lazy_with(options);
        Ok(Self {
            writer,
            readers,
            kind: Kind::Sqlite {
                path: path.to_owned(),
            },
            name: name.as_str().into(),
            server: "".into(),
        })
    }
}

/// The path of a URL that names a file, when it names one.
pub(super) fn path_of(url: &str) -> Option<Result<PathBuf, DbError>> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let problem = "the path of an SQLite database has to begin with `/`";
    Some(if path.starts_with('/') {
        Ok(path.into())
    } else {
        Err(DbError::Address { problem })
    })
}

/// A commit is safe from a crash of the process without waiting for the disk; the log is the truth.
const WRITER_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
     PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864";
const READER_SETTINGS: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA query_only = ON";

/// Connections that live as long as the pool: a local file does not go away, so asking before each
/// use whether it is still there would only cost time.
fn pool(connections: u32, settings: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_MAX)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(settings).execute(connection).await?;
                Ok(())
            })
        })
}

/// The library would make the file readable for all, and the WAL files after its likeness.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    let options = std::fs::File::options()
        .write(true)
        .create(true)
        .mode(0o600)
        .to_owned();
    options.open(path).map(drop)
}

fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                url.push(char::from(*byte));
            }
            _ => {
                // Writing into a string cannot fail.
                let _infallible = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}
