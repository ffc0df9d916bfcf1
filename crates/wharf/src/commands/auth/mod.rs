//! `wharf auth`

pub(crate) mod accept;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod password;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod switch;
pub(crate) mod token;

use super::Outcome;
use crate::context::Context;

/// Logins, and the token of this machine's server
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Log in to a server
    Login(login::Args),
    /// End the login at the server, and forget it here
    Logout(logout::Args),
    /// Accept an invitation, and log in
    Accept(accept::Args),
    /// Change your password, or set one with a code
    Password(password::Args),
    /// Say who is logged in where, and until when
    #[command(
        before_help = "Example:\n  wharf auth status\n\nExit code 4 when nobody is logged in, 9 when the server cannot be asked."
    )]
    Status,
    /// Print the token, for scripts on this machine
    #[command(
        before_help = "Example:\n  curl -H \"Authorization: Bearer $(wharf auth token)\" http://127.0.0.1:7304/api/sessions"
    )]
    Token,
    /// List the logins of this machine, or choose the one to use
    Switch(switch::Args),
    /// The logins of your account, on all devices
    #[command(subcommand)]
    Sessions(sessions::Command),
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Login(args) => login::login(cx, &args),
        Command::Logout(args) => logout::logout(cx, &args),
        Command::Accept(args) => accept::accept(cx, &args),
        Command::Password(args) => password::password(cx, &args),
        Command::Status => status::status(cx),
        Command::Token => token::token(cx),
        Command::Switch(args) => switch::switch(cx, &args),
        Command::Sessions(command) => sessions::dispatch(cx, &command),
    }
}
