//! The database that is configured: a file at its place, or what `serve.database` says.

use std::path::PathBuf;

use wharf_localstate::server_id;
use wharf_model::Secret;
use wharf_store::db::{Database, DbError};

use crate::config::{Settings, Value};
use crate::context::Context;
use crate::error::CommandError;

/// The URL in `serve.database`, where it is set.
pub(crate) fn url(cx: &Context) -> Option<Secret> {
    url_in(&cx.settings)
}

fn url_in(settings: &Settings) -> Option<Secret> {
    match settings.get("serve.database") {
        Some(Value::Hidden(url)) => Some(url.secret()),
        _ => None,
    }
}

/// The SQLite file that is configured, whether or not it is there; none for PostgreSQL.
///
/// # Errors
/// When the URL names a file by no absolute path.
pub(crate) fn file(cx: &Context) -> Result<Option<PathBuf>, CommandError> {
    match url(cx) {
        Some(url) => Database::file_of(url.expose()).map_err(|error| failed(cx, error)),
        None => Ok(Some(cx.places.database_file())),
    }
}

/// The configured database, brought up to date, as this machine's server sees it.
pub(crate) async fn open(cx: &Context) -> Result<Database, CommandError> {
    open_as(cx, &cx.settings).await
}

/// As [`open`], where `settings` configure it.
pub(crate) async fn open_as(cx: &Context, settings: &Settings) -> Result<Database, CommandError> {
    let opened = match url_in(settings) {
        Some(url) => Database::open(url.expose()).await,
        None => Database::open_sqlite(&cx.places.database_file()).await,
    };
    let database = opened.map_err(|error| failed_as(settings, error))?;
    let id = server_id::load(&cx.places.server_id_file())?;
    Ok(database.as_server(&id.unwrap_or_default()))
}

/// Why it cannot be opened, and what can be done about it.
pub(crate) fn failed(cx: &Context, error: DbError) -> CommandError {
    failed_as(&cx.settings, error)
}

fn failed_as(settings: &Settings, error: DbError) -> CommandError {
    let Some(set) = settings.set_by("serve.database") else {
        return CommandError::failed("cannot open the database").because(error);
    };
    let from = format!("serve.database is set by {}", set.origin);
    let hint = match &error {
        DbError::Address { .. } => {
            "it should be postgres://ACCOUNT:PASSWORD@HOST/NAME, what is special in a password \
             written as %XX, and sslrootcert=/FILE where the server's certificate is your own"
        }
        DbError::Open { .. } => {
            "look whether the database server runs, whether the account may log in, whether its \
             certificate is one that the system or sslrootcert=/FILE knows, and whether the \
             database is there: createdb --encoding UTF8 NAME"
        }
        DbError::Migrate { .. } => "the account has to own the database, or its schema `public`",
        _ => "wharf db check looks closer",
    };
    CommandError::failed("cannot open the database")
        .because(error)
        .hint(hint)
        .hint(from)
}
