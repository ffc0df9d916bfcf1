//! The database that is configured: a file at its place, or what `serve.database` says.

use wharf_localstate::server_id;
use wharf_model::Secret;
use wharf_store::db::{Database, DbError};

use crate::config::Value;
use crate::context::Context;
use crate::error::CommandError;

/// The URL in `serve.database`, where it is set.
pub(crate) fn url(cx: &Context) -> Option<Secret> {
    match cx.settings.get("serve.database") {
        Some(Value::Hidden(url)) => Some(url.secret()),
        _ => None,
    }
}

/// The configured database, brought up to date, as this machine's server sees it.
pub(crate) async fn open(cx: &Context) -> Result<Database, CommandError> {
    let opened = match url(cx) {
        Some(url) => Database::open(url.expose()).await,
        None => Database::open_sqlite(&cx.places.database_file()).await,
    };
    let database = opened.map_err(|error| failed(cx, error))?;
    let id = server_id::load(&cx.places.server_id_file())?;
    Ok(database.as_server(&id.unwrap_or_default()))
}

/// Why it cannot be opened, and what can be done about it.
pub(crate) fn failed(cx: &Context, error: DbError) -> CommandError {
    let Some(set) = cx.settings.set_by("serve.database") else {
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
