//! `wharf auth password`

use serde_json::json;
use wharf_api::identity::{Hidden, PasswordChange, PasswordReset};

use super::login::{begin, chosen, finish, from_input, session, typed};
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::keep::StoreArgs;
use crate::login::now;
use crate::ui;
use crate::wire::block_on;

/// Change your password, or set one with a code
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf auth password                        asks for the old one and the new one
  wharf auth password --code                 asks for a code and the new one, and logs in
  wharf auth password --password-stdin < f   lines: the old one, the new one

All other logins of the account end; API keys stay.")]
pub(crate) struct Args {
    /// A code in place of the old password; asked for where only --code is given
    #[arg(long, value_name = "CODE", num_args = 0..=1)]
    code: Option<Option<String>>,
    /// The passwords are lines of standard input: the old one, where there is no code, then the new
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn password(cx: &Context, args: &Args) -> Outcome {
    match &args.code {
        Some(code) => reset(cx, args, code.as_deref()),
        None => change(cx, args),
    }
}

fn change(cx: &Context, args: &Args) -> Outcome {
    if args.store.is_given() {
        return Err(CommandError::usage(
            "--store and --store-file are for --code: nobody logs in here",
        ));
    }
    let server = connect::find(cx)?;
    let current = if args.password_stdin {
        from_input()?
    } else {
        typed(
            cx,
            &format!("wharf: your password at {}: ", server.client.url()),
        )?
    };
    let new = chosen(cx, args.password_stdin)?;
    let ask = PasswordChange {
        current_password: Hidden::from(current.expose()),
        new_password: Hidden::from(new.expose()),
    };
    block_on(async { Ok(server.client.change_password(&ask).await?) })?;
    cx.ui
        .event("the password is changed; all other logins of the account have ended");
    if cx.ui.json {
        ui::data(&format!("{}\n", json!({ "changed": true })))?;
    }
    Ok(DONE)
}

fn reset(cx: &Context, args: &Args, code: Option<&str>) -> Outcome {
    let begun = begin(cx, &args.store)?;
    let code = match code {
        Some(code) => Hidden::from(code),
        None => Hidden::from(typed(cx, "wharf: code: ")?.expose()),
    };
    let new = chosen(cx, args.password_stdin)?;
    let ask = PasswordReset {
        code,
        new_password: Hidden::from(new.expose()),
    };
    let at = now();
    let got = block_on(async { Ok(begun.client.reset_password(&ask).await?) })?;
    let logged_in = session(cx, &begun.client, got, at, "")?;
    finish(cx, &begun, logged_in)
}
