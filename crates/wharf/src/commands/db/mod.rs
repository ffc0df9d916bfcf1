//! `wharf db`

mod check;
mod copy;
mod migrate;

use super::Outcome;
use crate::context::Context;

/// The database: SQLite at its place, or what `serve.database` says
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Bring the database up to date, as a start of the server does
    #[command(before_help = "Example:\n  wharf db migrate")]
    Migrate,
    /// Look whether the database is whole and up to date, and what is in it
    #[command(before_help = "Example:\n  wharf db check")]
    Check,
    /// Copy everything into an empty database, for example from a laptop's file to PostgreSQL
    Copy(copy::Args),
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Migrate => migrate::migrate(cx),
        Command::Check => check::check(cx),
        Command::Copy(args) => copy::copy(cx, &args),
    }
}
