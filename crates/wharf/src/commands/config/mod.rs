//! `wharf config`

mod get;
mod list;
mod path;
mod set;
mod unset;

use super::Outcome;
use crate::config::keys::{self, KEYS, Key};
use crate::config::nearest::nearest;
use crate::context::Context;
use crate::error::CommandError;

/// Settings
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// All settings
    List {
        /// Say where each value comes from, and what it shadows
        #[arg(long)]
        origin: bool,
    },
    /// One setting
    Get {
        /// Its name, such as run.timeout
        key: String,
        /// Say where the value comes from, and what it shadows
        #[arg(long)]
        origin: bool,
    },
    /// Set it in your own file
    Set {
        /// Its name
        key: String,
        /// Its value; lists with commas
        value: String,
    },
    /// Take it out of your own file
    Unset {
        /// Its name
        key: String,
    },
    /// Where your own file is
    Path,
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::List { origin } => list::list(cx, origin),
        Command::Get { key, origin } => get::get(cx, find(&key)?, origin),
        Command::Set { key, value } => set::set(cx, find(&key)?, &value),
        Command::Unset { key } => unset::unset(cx, find(&key)?),
        Command::Path => path::path(cx),
    }
}

fn find(name: &str) -> Result<&'static Key, CommandError> {
    keys::find(name).ok_or_else(|| {
        let error = CommandError::usage(format!("there is no setting {name}"));
        match nearest(name, KEYS.iter().map(|key| key.name)) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("wharf config list shows all"),
        }
    })
}
