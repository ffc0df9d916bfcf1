//! `wharf db copy`

use std::io::Read as _;

use serde_json::{Map, Value, json};
use wharf_localstate::{FileLock, server_id};
use wharf_model::Secret;
use wharf_store::db::{Copied, Database, Projector};

use crate::commands::serve::holds_password;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;
use crate::wire::{SystemEntropy, block_on, database};

/// Copy everything into an empty database
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf db copy --to postgres://wharf@db.lan/wharf\n  pass show wharf-db | wharf db copy --to -     the URL on standard input, where no list of processes shows its password\n\nThe server must not run. The file stays as it is; afterwards serve.database says where to go on."
)]
pub(crate) struct Args {
    /// The URL of the empty database; `-` reads it from standard input
    #[arg(long, value_name = "URL")]
    to: String,
}

/// The longest URL that is read.
const URL_BYTES_MAX: u64 = 4096;

pub(crate) fn copy(cx: &Context, args: &Args) -> Outcome {
    let Some(file) = database::file(cx)? else {
        let message = "serve.database names a PostgreSQL database already, and no file to copy";
        return Err(CommandError::new(Kind::Conflict, message)
            .hint("wharf db copy --to URL is for going from a file to PostgreSQL")
            .hint("between two PostgreSQL databases, pg_dump and pg_restore do it"));
    };
    let to = target(cx, args)?;
    if !file.exists() {
        return Err(CommandError::new(
            Kind::NotFound,
            format!("there is no {} to be copied", file.display()),
        )
        .hint("a server that starts with serve.database needs no copy"));
    }
    let Some(_lock) = FileLock::try_take(&cx.places.server_lock())? else {
        let message = "the server of this machine runs and would go on writing";
        return Err(CommandError::new(Kind::Conflict, message).hint("wharf serve --stop ends it"));
    };
    let id = server_id::load_or_create(&cx.places.server_id_file(), &SystemEntropy)?;
    let (copied, name) = block_on(async {
        let failed = |error| CommandError::failed("cannot copy the database").because(error);
        let from = Database::open_sqlite(&file).await.map_err(failed)?;
        let from = from.as_server(&id);
        // What the record says and the tables do not have yet.
        let audit = cx.places.audit_dir();
        if audit.is_dir() {
            let mut projector = Projector::open(&from, &audit).await.map_err(failed)?;
            projector.catch_up().await.map_err(failed)?;
        }
        let into = Database::open(to.expose()).await.map_err(failed)?;
        let copied = from.copy_into(&into).await.map_err(failed)?;
        let name = into.name().to_owned();
        into.close().await;
        from.close().await;
        Ok((copied, name))
    })?;
    show(cx, &copied, &name)
}

fn target(cx: &Context, args: &Args) -> Result<Secret, CommandError> {
    if args.to != "-" {
        if holds_password(&args.to) {
            cx.ui.warn_always(
                "the password in --to can be read in the list of processes; --to - reads the URL \
                 from standard input",
            );
        }
        return Ok(Secret::new(args.to.clone()));
    }
    let mut text = String::new();
    let read = std::io::stdin()
        .take(URL_BYTES_MAX)
        .read_to_string(&mut text);
    read.map_err(|error| CommandError::failed("cannot read the URL").because(error))?;
    Ok(Secret::new(text.trim().to_owned()))
}

fn show(cx: &Context, copied: &Copied, name: &str) -> Outcome {
    if cx.ui.json {
        let rows: Map<String, Value> = copied
            .tables
            .iter()
            .map(|(table, rows)| ((*table).to_owned(), (*rows).into()))
            .collect();
        ui::data(&format!("{}\n", json!({ "database": name, "rows": rows })))?;
        return Ok(DONE);
    }
    let rows: String = copied
        .tables
        .iter()
        .map(|(table, rows)| format!("{table:<14}{rows:>10}\n"))
        .collect();
    ui::data(&format!(
        "{rows}ok copied into {name}, and counted there\n\
         next: wharf config set serve.database URL, with the same URL, then start the server; the \
         file stays and is not used any more\n"
    ))?;
    Ok(DONE)
}
