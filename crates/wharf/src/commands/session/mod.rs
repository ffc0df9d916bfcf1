//! `wharf session`

mod create;
mod history;
mod list;
mod rm;
mod sandbox;
mod show;

use std::time::Duration;

use super::Outcome;
use super::run::request::parse_duration;
use crate::context::Context;
use crate::sandbox::find::is_sandbox;
use sandbox::Change;

/// Living shells that keep directory and variables, and sandboxes
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Start a living shell; a bare wharf makes sandboxes
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
    Stop(sandbox::StopArgs),
    /// End living shells and all that runs in them
    Rm {
        /// The sessions' ids
        #[arg(required = true)]
        sessions: Vec<String>,
    },
    /// Hold a sandbox still, so that it costs nothing
    Pause {
        /// The sandbox's session
        session: String,
    },
    /// Let a sandbox go on
    Resume {
        /// The sandbox's session
        session: String,
    },
    /// Let a sandbox live longer
    #[command(before_help = "Example:\n  wharf session extend gws_01 2h")]
    Extend {
        /// The sandbox's session
        session: String,
        /// How long from now, at least
        #[arg(value_name = "TIME", value_parser = parse_duration)]
        time: Duration,
    },
    /// What happens to a sandbox, to its end
    Events {
        /// The sandbox's session
        session: String,
        /// Only what came after this event
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Create(args) => create::create(cx, args),
        Command::List => list::list(cx),
        Command::Show { session } => match is_sandbox(&session) {
            true => sandbox::show(cx, &session),
            false => show::show(cx, &session),
        },
        Command::History(args) => history::history(cx, &args),
        Command::Stop(args) => sandbox::stop(cx, &args),
        Command::Rm { sessions } => rm::rm(cx, &sessions),
        Command::Pause { session } => sandbox::change(cx, &session, Change::Pause),
        Command::Resume { session } => sandbox::change(cx, &session, Change::Resume),
        Command::Extend { session, time } => {
            sandbox::change(cx, &session, Change::Extend(time.as_secs()))
        }
        Command::Events { session, after } => sandbox::events(cx, &session, after),
    }
}
