//! `wharf sync`: an agent's configuration, the same on every machine.
//!
//! What is decided and how it is written is `wharf_sync`'s; here it gets a server, directories and
//! words. Start reading at [`bring`]: [`session`] asks the server, [`place`] holds one directory,
//! [`report`] says what came of it. [`account`] and [`state`] say what is remembered, and for whom.

mod account;
mod bring;
mod contents;
mod error;
mod offline;
mod others;
mod place;
mod report;
mod rows;
mod session;
mod shelf;
mod sites;
mod state;

use super::Outcome;
use crate::context::Context;
use crate::wire::block_on;

const EXAMPLES: &str = "\
Examples:
  wharf sync                   bring what is new on the server to ~/.claude
  wharf sync -n                show what that would do
  wharf sync push              send what you changed here
  wharf sync diff              look at the changes, line by line
  wharf sync undo              take the last sync back
  wharf sync --check           exit 3 when the two sides are not the same

A file that you changed is never overwritten unasked: changed on the server too, it is a conflict
(exit 6), of which nothing is touched until you say which side wins.";

/// Keep the configuration of your agents the same on every machine
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bring: bring::Args,
}

/// What else can be done.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring what is new on the server here, as wharf sync alone does
    Pull(bring::Args),
}

pub(crate) fn sync(cx: &Context, args: Args) -> Outcome {
    match args.command {
        None => pull(cx, &args.bring),
        Some(Command::Pull(args)) => pull(cx, &args),
    }
}

fn pull(cx: &Context, args: &bring::Args) -> Outcome {
    let report = block_on(bring::bring(cx, args))?;
    report.show(cx)
}
