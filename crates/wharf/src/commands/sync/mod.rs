//! `wharf sync`: an agent's configuration, the same on every machine.
//!
//! What is decided and how it is written is `wharf_sync`'s; here it gets a server, directories and
//! words. Start reading at [`bring`]: [`session`] asks the server, [`place`] holds one directory,
//! [`report`] says what came of it. [`account`] and [`state`] say what is remembered, and for whom.

mod account;
mod bring;
mod contents;
mod diff;
mod error;
pub(crate) mod health;
mod history;
mod import;
mod merge;
mod offline;
mod origin;
mod others;
mod patience;
mod place;
mod push;
mod report;
mod rollback;
mod rows;
mod run;
pub(crate) mod secrets;
mod session;
mod shelf;
mod sites;
mod state;
mod status;
mod undo;
mod upstream;
mod versions;
mod watch;

use std::future::Future;

use super::Outcome;
use crate::context::Context;
use crate::error::CommandError;
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
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    bring: bring::Args,
    #[command(flatten)]
    watch: watch::Args,
}

/// What else can be done.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring what is new on the server here, as wharf sync alone does
    Pull(bring::Args),
    Push(push::Args),
    /// Show what is on both sides, and what there is to do
    Status,
    Diff(diff::Args),
    Merge(merge::Args),
    Origin(origin::Args),
    History(history::Args),
    Undo(undo::Args),
    Rollback(rollback::Args),
    Upstream(upstream::Args),
    Import(import::Args),
}

pub(crate) fn sync(cx: &Context, args: Args) -> Outcome {
    let is_bare = args.bring == bring::Args::default() && args.watch == watch::Args::default();
    if args.command.is_some() && !is_bare {
        // A flag that does nothing where it stands, such as -n, must not be taken for one that does.
        return Err(
            CommandError::usage("a flag of wharf sync stands before another verb")
                .hint("put it behind the verb: wharf sync push -n"),
        );
    }
    match args.command {
        None if args.watch.watch => watch::watch(cx, &args.watch, &args.bring),
        None => answer(cx, pull(cx, &args.bring)),
        Some(Command::Pull(args)) => answer(cx, pull(cx, &args)),
        Some(Command::Push(args)) => answer(cx, push::push(cx, &args)),
        Some(Command::Status) => answer(cx, status::status(cx)),
        Some(Command::Diff(args)) => answer(cx, diff::diff(cx, &args)),
        Some(Command::Merge(args)) => answer(cx, merge::merge(cx, &args)),
        Some(Command::Origin(args)) => answer(cx, origin::origin(cx, &args)),
        Some(Command::History(args)) => answer(cx, history::history(cx, &args)),
        Some(Command::Undo(args)) => undo::undo(cx, &args),
        Some(Command::Rollback(args)) => answer(cx, rollback::rollback(cx, &args)),
        Some(Command::Upstream(args)) => answer(cx, upstream::upstream(cx, &args)),
        Some(Command::Import(args)) => import::import(cx, &args),
    }
}

/// Waits for it. While the server is away, what is known is told beside the error.
fn answer(cx: &Context, verb: impl Future<Output = Outcome>) -> Outcome {
    let outcome = block_on(verb);
    if let Err(error) = &outcome
        && error.code == offline::OFFLINE
    {
        // The error says what matters.
        let _untold = offline::tell(cx);
    }
    outcome
}

async fn pull(cx: &Context, args: &bring::Args) -> Outcome {
    bring::bring(cx, args).await?.show(cx)
}
