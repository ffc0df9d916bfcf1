//! `wharf approvals`

mod approve;
mod deny;
mod list;
mod revoke;
mod show;

use super::Outcome;
use crate::context::Context;

/// Questions that wait for a person, and yeses that hold for longer
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List those that wait for an answer
    List(list::Args),
    /// Show one
    Show {
        /// The approval's id
        approval: String,
    },
    /// Say yes
    Approve(approve::Args),
    /// Say no
    Deny(deny::Args),
    /// Take back a yes that holds for longer
    Revoke {
        /// The id of the approval that it comes from
        approval: String,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::List(args) => list::list(cx, &args),
        Command::Show { approval } => show::show(cx, &approval),
        Command::Approve(args) => approve::approve(cx, args),
        Command::Deny(args) => deny::deny(cx, args),
        Command::Revoke { approval } => revoke::revoke(cx, &approval),
    }
}
