//! `wharf auth accept [CODE]`

use wharf_api::identity::{AcceptInvitation, Hidden};

use super::login::{begin, chosen, finish, from_input, session, typed};
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::keep::StoreArgs;
use crate::login::now;
use crate::wire::block_on;

/// Accept an invitation, and log in
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf auth accept --api-url https://wharf.example.com     asks for code, name and password
  wharf auth accept CODE --username ada                     with a new account
  wharf auth accept CODE --have-account                     with the account of that address")]
pub(crate) struct Args {
    /// The code of the invitation; asked for without it
    code: Option<String>,
    /// The name that others see, for a new account; asked for without it
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The invited address has an account already
    #[arg(long, conflicts_with = "username")]
    have_account: bool,
    /// The password is standard input's first line
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn accept(cx: &Context, args: &Args) -> Outcome {
    let begun = begin(cx, &args.store)?;
    let code = match &args.code {
        Some(code) => Hidden::from(code.as_str()),
        None => Hidden::from(typed(cx, "wharf: code of the invitation: ")?.expose()),
    };
    let username = match &args.username {
        _ if args.have_account => None,
        Some(name) => Some(name.clone()),
        None => asked(cx)?,
    };
    let password = match (username.is_some(), args.password_stdin) {
        (_, true) => from_input()?,
        (true, false) => chosen(cx, false)?,
        (false, false) => typed(cx, "wharf: password of your account: ")?,
    };
    let ask = AcceptInvitation {
        code,
        username,
        password: Hidden::from(password.expose()),
    };
    let at = now();
    let got = block_on(async { Ok(begun.client.accept_invitation(&ask).await?) });
    let got = got.map_err(|error| match error.kind {
        // The usual advice is about tokens.
        Kind::Login => CommandError::new(Kind::Login, error.message)
            .hint("the password is the one of the account that the invited address has"),
        _ => error,
    })?;
    let logged_in = session(cx, &begun.client, got, at, "")?;
    finish(cx, &begun, logged_in)
}

/// The name for a new account; none from somebody who has one.
fn asked(cx: &Context) -> Result<Option<String>, CommandError> {
    if !cx.ui.may_ask {
        return Err(CommandError::usage("a new account needs a name")
            .hint("--username NAME, or --have-account if the address has an account"));
    }
    let question = "wharf: name for the new account (empty if you have an account): ";
    let name = block_on(async { Ok(cx.ui.line(question).await) })?;
    let name = name.ok_or_else(|| CommandError::new(Kind::Interrupted, "no name was typed"))?;
    let name = name.trim();
    Ok((!name.is_empty()).then(|| name.to_owned()))
}
