//! PostgreSQL: the URL, connections, settings, the words in which it wants the schema.
//!
//! The library also looks into the environment (`PGPASSWORD`, `PGOPTIONS` and others) and into the
//! home directory (`.pgpass`). What a URL of ours leaves open is therefore filled in here, an empty
//! password included, so that the URL alone says where to go and as whom. Only `PGOPTIONS` and, on
//! encrypted connections, `PGSSLROOTCERT`, `PGSSLCERT` and `PGSSLKEY` cannot be shut out that way.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _};

use super::limits::{IDLE_MAX, LIFETIME_MAX, MIGRATE_MAX, READERS_MAX, WAIT_MAX};
use super::open::{Kind, install_drivers, migrate, within};
use super::{Database, DbError, SqlError};

/// Opens the database at a URL and brings its tables up to date. Two that do so at once take
/// turns: the library holds a lock of the database's meanwhile.
pub(super) async fn open(url: &str) -> Result<Database, DbError> {
    open_and(url, true).await
}

/// Opens the database at a URL as it is.
pub(super) async fn open_as_it_is(url: &str) -> Result<Database, DbError> {
    open_and(url, false).await
}

/// What errors call the database at a URL.
pub(super) fn name_of(url: &str) -> Result<String, DbError> {
    Address::parse(url).map(|address| address.name)
}

async fn open_and(url: &str, up_to_date: bool) -> Result<Database, DbError> {
    let Address {
        options,
        name,
        here,
    } = Address::parse(url)?;
    let failed = |error: sqlx::Error| DbError::Open {
        database: name.clone(),
        source: SqlError::new(error),
    };
    install_drivers();
    // A pool goes on trying until its time is up and forgets why; one connection says at once
    // what is wrong.
    let mut first = within(options.connect()).await.map_err(failed)?;
    let prepared = async {
        let encoding = settle(&mut first, MIGRATOR_SETTINGS)
            .await
            .map_err(failed)?;
        if encoding != "UTF8" {
            return Err(DbError::Encoding {
                database: name.clone(),
                encoding,
            });
        }
        if up_to_date {
            migrate(&mut first, dialect, &name).await?;
        }
        Ok(())
    };
    let prepared = tokio::time::timeout(MIGRATE_MAX, prepared).await;
    prepared.unwrap_or_else(|_| {
        let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
        Err(DbError::Migrate {
            database: name.clone(),
            source: SqlError::new(error),
        })
    })?;
    within(first.close()).await.map_err(failed)?;
    let writer = pool(1, WRITER_SETTINGS).connect_with(options.clone()).await;
    let writer = writer.map_err(failed)?;
    let readers = pool(READERS_MAX, READER_SETTINGS).connect_lazy_with(options);
    Ok(Database {
        writer,
        readers,
        kind: Kind::Postgres { here },
        name: name.as_str().into(),
        server: "".into(),
    })
}

/// A step of the schema for PostgreSQL. Texts are compared byte by byte, as SQLite does it, and not
/// by the rules of the language that the database happens to be made for.
fn dialect(step: &'static str) -> Cow<'static, str> {
    step.replace(" TEXT", " TEXT COLLATE \"C\"")
        .replace(" BLOB", " BYTEA")
        .into()
}

/// A URL that was understood.
#[derive(Debug)]
struct Address {
    options: AnyConnectOptions,
    /// What errors call the database: the URL without a password.
    name: String,
    /// The server is on this machine.
    here: bool,
}

impl Address {
    fn parse(url: &str) -> Result<Self, DbError> {
        let wrong = |problem| DbError::Address { problem };
        let parsed: Result<AnyConnectOptions, _> = url.parse();
        // The error might repeat the password.
        let options = parsed.map_err(|_| wrong("it cannot be understood as a URL"))?;
        let mut options = options.disable_statement_logging();
        let url = &mut options.database_url;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(wrong("it has to begin with `postgres:` or `sqlite:`"));
        }
        let (mut mode, mut socket, mut named) = (None, None, false);
        for (key, value) in url.query_pairs() {
            match &*key {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" | "sslcert" | "sslkey" if value.starts_with('/') => {}
                "sslrootcert" | "sslcert" | "sslkey" => {
                    return Err(wrong(
                        "certificates and keys are named by their whole paths",
                    ));
                }
                "host" if value.starts_with('/') => socket = Some(value.into_owned()),
                "application_name" => named = true,
                "options" => {}
                _ => {
                    return Err(wrong(
                        "of parameters it may have `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, \
                         `host` (a directory), `application_name` and `options`",
                    ));
                }
            }
        }
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() && socket.is_none() {
            return Err(wrong("it names no host"));
        }
        if url.username().is_empty() {
            return Err(wrong("it names no account"));
        }
        if url.path().len() < 2 {
            return Err(wrong("it names no database"));
        }
        let is_here = socket.is_some() || is_here(host);
        match mode.as_deref() {
            None | Some("disable" | "require" | "verify-ca" | "verify-full") => {}
            Some("allow" | "prefer") if is_here => {}
            Some("allow" | "prefer") => {
                return Err(wrong(
                    "the connection to another machine might not be encrypted; say \
                     `sslmode=verify-full`, or `sslmode=disable` where its network is trusted",
                ));
            }
            Some(_) => return Err(wrong("its `sslmode` is none that there is")),
        }
        if url.port().is_none() {
            url.set_port(Some(PORT))
                .map_err(|()| wrong("it names no host"))?;
        }
        if url.password().is_none() {
            url.query_pairs_mut().append_pair("password", "");
        }
        if mode.is_none() {
            let mode = if is_here { "disable" } else { "verify-full" };
            url.query_pairs_mut().append_pair("sslmode", mode);
        }
        if !named {
            url.query_pairs_mut()
                .append_pair("application_name", "wharf");
        }
        let name = format!(
            "postgres://{}@{}:{}{}",
            url.username(),
            socket
                .as_deref()
                .unwrap_or(url.host_str().unwrap_or_default()),
            url.port().unwrap_or(PORT),
            url.path()
        );
        Ok(Self {
            options,
            name,
            here: is_here,
        })
    }
}

fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Result<IpAddr, _> = bare.parse();
    // A slash, encoded: the directory of a socket.
    host == "localhost" || host.starts_with("%2F") || address.is_ok_and(|it| it.is_loopback())
}

/// The port where a URL names none.
const PORT: u16 = 5432;

/// The server gives up before we stop waiting, so that its reason is heard. A transaction that
/// was left open by a client that hangs does not keep others waiting.
const WRITER_SETTINGS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = '60s'";
const READER_SETTINGS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '10s'; \
     SET idle_in_transaction_session_timeout = '60s'; SET default_transaction_read_only = on";
/// A step of the schema may take longer, and so may waiting for another server that is at it.
const MIGRATOR_SETTINGS: &str = "SET statement_timeout = '60s'; SET lock_timeout = '60s'";

/// Makes the settings, and says in which encoding the database keeps its texts.
async fn settle(
    connection: &mut AnyConnection,
    settings: &'static str,
) -> Result<String, sqlx::Error> {
    sqlx::raw_sql(settings).execute(&mut *connection).await?;
    let asked = "SELECT current_setting('server_encoding')";
    sqlx::query_scalar(asked).fetch_one(connection).await
}

/// Connections that may go away at any time: they are asked before they are used, and one that was
/// given up while it waited for an answer is not waited for again.
fn pool(connections: u32, settings: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WAIT_MAX)
        .idle_timeout(IDLE_MAX)
        .max_lifetime(LIFETIME_MAX)
        .test_before_acquire(true)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(settings).execute(connection).await?;
                Ok(())
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                let asked = tokio::time::timeout(RELEASE_MAX, connection.ping()).await;
                asked
                    .unwrap_or(Err(sqlx::Error::PoolTimedOut))
                    .map(|()| true)
            })
        })
}

/// How long a connection that is given back may take to answer.
const RELEASE_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_leaves_open_is_filled_in() {
        let address = Address::parse("postgres://ann@localhost/wharf").unwrap();
        assert_eq!(
            address.options.database_url.as_str(),
            "postgres://ann@localhost:5432/wharf?password=&sslmode=disable&application_name=wharf"
        );
        assert_eq!(address.name, "postgres://ann@localhost:5432/wharf");
        let elsewhere = Address::parse("postgres://ann@db.lan/wharf?sslrootcert=/ca.pem").unwrap();
        let mode = "sslmode=verify-full";
        assert!(elsewhere.options.database_url.as_str().contains(mode));
    }

    #[test]
    fn what_a_url_says_stays_and_the_password_has_no_name() {
        let given = "postgresql://ann:se%2Fcret@[::1]:6000/w?sslmode=prefer&application_name=x";
        let address = Address::parse(given).unwrap();
        assert_eq!(address.options.database_url.as_str(), given);
        assert_eq!(address.name, "postgres://ann@[::1]:6000/w");
        let socket = Address::parse("postgres://ann@localhost/w?host=/run/postgresql").unwrap();
        assert_eq!(socket.name, "postgres://ann@/run/postgresql:5432/w");
    }

    #[test]
    fn a_url_that_is_of_no_use_or_not_safe_is_refused_without_being_repeated() {
        for (url, word) in [
            ("postgres://ann:secret@ho st/w", "understood"),
            ("mysql://ann:secret@localhost/w", "begin with"),
            ("postgres:///w", "no host"),
            ("postgres://localhost/w", "no account"),
            ("postgres://ann:secret@localhost", "no database"),
            ("postgres://ann:secret@localhost/", "no database"),
            ("postgres://ann@localhost/w?pasword=secret", "parameters"),
            ("postgres://ann@localhost/w?host=other", "parameters"),
            (
                "postgres://ann:secret@192.0.2.1/w?sslmode=allow",
                "not be encrypted",
            ),
            (
                "postgres://ann:secret@db/w?sslmode=prefer",
                "not be encrypted",
            ),
            (
                "postgres://ann:secret@db/w?sslmode=on",
                "none that there is",
            ),
            (
                "postgres://ann:secret@db/w?sslrootcert=ca.pem",
                "whole paths",
            ),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(word), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
        for mode in ["disable", "require", "verify-ca", "verify-full"] {
            let url = format!("postgres://ann@db/w?sslmode={mode}");
            assert!(Address::parse(&url).is_ok(), "{mode}");
        }
    }

    /// Time passes by itself here, so that this takes none.
    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_not_waited_for_without_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let begun = tokio::time::Instant::now();
        let opened = open(&format!("postgres://ann@127.0.0.1:{port}/w")).await;
        assert!(matches!(opened, Err(DbError::Open { .. })), "{opened:?}");
        assert!(begun.elapsed() >= crate::db::limits::ANSWER_MAX);
    }
}
