//! `wharf session`

mod create;
mod history;
mod list;
mod rm;
mod show;

use super::Outcome;
use crate::context::Context;

/// Living shells that keep directory and variables
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start one
    Create(create::Args),
    /// List yours
    List,
    /// Show one
    Show {
        /// The session's id
        session: String,
    },
    /// What was run in one, newest last
    History(history::Args),
    /// End one and all that runs in it
    Rm {
        /// The sessions' ids
        #[arg(required = true)]
        sessions: Vec<String>,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Create(args) => create::create(cx, args),
        Command::List => list::list(cx),
        Command::Show { session } => show::show(cx, &session),
        Command::History(args) => history::history(cx, &args),
        Command::Rm { sessions } => rm::rm(cx, &sessions),
    }
}
