//! What is true of PostgreSQL only: addresses, accounts, and a server that other people use as
//! well.

use std::sync::Arc;

use wharf_store::audit::event::RUN_OPENED;
use wharf_store::db::{Database, DbError, HostRow, Projector};

use crate::server::{GUARDED, Server};
use crate::{Case, Kind, Place};

fn server_of(kind: Kind) -> Arc<Server> {
    match kind {
        Kind::Postgres(server) => server,
        Kind::Sqlite => unreachable!("these cases are on the list for PostgreSQL only"),
    }
}

async fn a_password_is_used_and_never_told(kind: Kind) {
    let server = server_of(kind);
    let name = server.make_database();
    let make = format!(
        "CREATE ROLE {GUARDED} LOGIN PASSWORD 'se/cr@t:1'; ALTER DATABASE {name} OWNER TO {GUARDED}"
    );
    server.execute("postgres", &make);

    let right = server.guarded_url(":se%2Fcr%40t%3A1", &name);
    let db = Database::open(&right).await.unwrap();
    db.set_meta("a", "1").await.unwrap();
    db.close().await;

    for password in [":wrong-one", ""] {
        let refused = Database::open(&server.guarded_url(password, &name)).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, DbError::Open { .. }), "{error:?}");
        assert!(error.to_string().contains(&name), "{error}");
        assert!(!format!("{error:?} {error}").contains("wrong-one"));
    }
}

async fn a_socket_is_an_address_too(kind: Kind) {
    let server = server_of(kind);
    let name = server.make_database();
    let db = Database::open(&server.socket_url(&name)).await.unwrap();
    db.set_meta("a", "1").await.unwrap();
    assert_eq!(db.meta("a").await.unwrap().as_deref(), Some("1"));
}

async fn a_database_that_is_not_there_is_named(kind: Kind) {
    let url = server_of(kind).url("nothing");
    let error = Database::open(&url).await.unwrap_err();
    assert!(matches!(error, DbError::Open { .. }), "{error:?}");
    assert!(error.to_string().contains("/nothing"), "{error}");
}

async fn a_database_that_cannot_keep_every_text_is_refused(kind: Kind) {
    let server = server_of(kind);
    let options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    let name = server.make_database_with(options);
    let error = Database::open(&server.url(&name)).await.unwrap_err();
    assert!(
        matches!(&error, DbError::Encoding { encoding, .. } if encoding == "LATIN1"),
        "{error:?}"
    );
}

async fn a_database_from_a_newer_version_is_refused(kind: Kind) {
    let server = server_of(kind);
    let name = server.make_database();
    Database::open(&server.url(&name))
        .await
        .unwrap()
        .close()
        .await;
    let script = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                  execution_time) VALUES (9999, 'later', true, '\\x00', 0)";
    server.execute(&name, script);
    let error = Database::open(&server.url(&name)).await.unwrap_err();
    assert!(
        matches!(error, DbError::Newer { step: 9_999, .. }),
        "{error:?}"
    );
}

async fn many_that_open_an_empty_database_at_once_take_turns(kind: Kind) {
    let server = server_of(kind);
    let name = server.make_database();
    let url = server.url(&name);
    let opened = tokio::join!(
        Database::open(&url),
        Database::open(&url),
        Database::open(&url)
    );
    for db in [opened.0, opened.1, opened.2] {
        db.unwrap().set_meta("a", "1").await.unwrap();
    }
}

async fn connections_that_were_ended_are_made_again(kind: Kind) {
    let server = server_of(kind);
    let name = server.make_database();
    let db = Database::open(&server.url(&name)).await.unwrap();
    db.set_meta("a", "1").await.unwrap();
    assert!(db.meta("a").await.unwrap().is_some());
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    server.execute("postgres", &end);
    db.set_meta("a", "2").await.unwrap();
    assert_eq!(db.meta("a").await.unwrap().as_deref(), Some("2"));
}

/// Ten seconds long, the time that a statement has.
async fn a_table_that_somebody_holds_is_not_waited_for_without_end(kind: Kind) {
    let server = server_of(kind);
    let name = server.make_database();
    let db = Database::open(&server.url(&name)).await.unwrap();
    let mut holder = crate::schema::connect(&server.url(&name)).await;
    let hold = sqlx::raw_sql("BEGIN; LOCK TABLE meta");
    hold.execute(&mut holder).await.unwrap();
    let (read, written) = tokio::join!(db.meta("a"), db.set_meta("a", "1"));
    assert!(matches!(read, Err(DbError::Read { .. })), "{read:?}");
    assert!(matches!(written, Err(DbError::Write { .. })), "{written:?}");
    drop(holder);
    db.set_meta("a", "1").await.unwrap();
}

/// The language of the database is one in which `a` comes before `B`.
async fn names_are_ordered_as_in_sqlite(kind: Kind) {
    let place = Place::new(&kind).await;
    for name in ["a", "B", "ä"] {
        let host = HostRow {
            name: name.to_owned(),
            ..HostRow::default()
        };
        place.db.put_host(&host).await.unwrap();
    }
    let hosts = place.db.all_hosts().await.unwrap();
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["B", "a", "ä"]);
}

async fn a_text_with_a_nul_holds_nothing_up(kind: Kind) {
    let place = Place::new(&kind).await;
    let opened = place.opened("r", "ann", "echo a\0b");
    place.log.append(RUN_OPENED, 1, &opened).unwrap();
    let mut projector = Projector::open(&place.db, &place.audit()).await.unwrap();
    projector.catch_up().await.unwrap();
    let row = place.db.run("ann", "r").await.unwrap().unwrap();
    assert_eq!(row.command, "echo a\u{FFFD}b");
}

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        &[$((stringify!($case), |kind| Box::pin($case(kind)))),+]
    };
}

pub(crate) const CASES: &[Case] = cases!(
    a_table_that_somebody_holds_is_not_waited_for_without_end,
    a_password_is_used_and_never_told,
    a_socket_is_an_address_too,
    a_database_that_is_not_there_is_named,
    a_database_that_cannot_keep_every_text_is_refused,
    a_database_from_a_newer_version_is_refused,
    many_that_open_an_empty_database_at_once_take_turns,
    connections_that_were_ended_are_made_again,
    names_are_ordered_as_in_sqlite,
    a_text_with_a_nul_holds_nothing_up,
);
