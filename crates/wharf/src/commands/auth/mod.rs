//! `wharf auth`

pub(crate) mod token;

use super::Outcome;
use crate::context::Context;

/// The token of this machine's server
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print the token, for scripts on this machine
    #[command(
        before_help = "Example:\n  curl -H \"Authorization: Bearer $(wharf auth token)\" http://127.0.0.1:7304/api/sessions"
    )]
    Token,
}

pub(crate) fn dispatch(cx: &Context, command: &Command) -> Outcome {
    match command {
        Command::Token => token::token(cx),
    }
}
