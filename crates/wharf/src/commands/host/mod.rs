//! `wharf host`

mod add;
mod list;
mod rm;
mod show;
mod test;
mod trust;

pub(crate) use add::{parse_sandbox, parse_target};

use super::Outcome;
use crate::context::Context;

/// Machines that commands run on over SSH
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Give a host a name here, or say anew how it is reached
    Add(add::Args),
    /// List those that have a name here
    List(list::Args),
    /// Show one: how it is reached, and what it is
    Show {
        /// The host's name
        host: String,
    },
    /// Try hosts: key, connection, round trip
    Test(test::Args),
    /// Look at a host's key, compare it, and trust it
    Trust(trust::Args),
    /// Forget hosts; their keys stay known
    Rm {
        /// The hosts' names
        #[arg(required = true)]
        hosts: Vec<String>,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Add(args) => add::add(cx, args),
        Command::List(args) => list::list(cx, &args),
        Command::Show { host } => show::show(cx, &host),
        Command::Test(args) => test::test(cx, args),
        Command::Trust(args) => trust::trust(cx, &args),
        Command::Rm { hosts } => rm::rm(cx, &hosts),
    }
}
