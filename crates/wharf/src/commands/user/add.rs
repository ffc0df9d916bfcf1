//! `wharf user add`

use serde_json::json;
use wharf_api::identity::{AccountRole, CreateUser, Hidden, UserCreated};

use super::next::{self, For};
use crate::commands::auth::login::{from_input, typed};
use crate::commands::{DONE, Outcome};
use crate::config::Origin;
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::{self, Target};
use crate::ui;
use crate::wire::{self, block_on};

/// Make one
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf user add ada@example.com                            with a code to set a password
  wharf user add ada@example.com --password                 asks for one
  wharf user add ada@example.com --password-stdin < file    in scripts

On the server's machine this needs no login, and the server need not run.")]
pub(crate) struct Args {
    /// The address to log in with
    email: String,
    /// The name that others see; made of the address without it
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// What they may do: owner, admin, member, viewer, agent
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Option<AccountRole>,
    /// The organization, by id or short name; the first without it
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Ask for the password
    #[arg(long, conflicts_with = "password_stdin")]
    password: bool,
    /// The password is standard input's first line
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) fn add(cx: &Context, args: &Args) -> Outcome {
    let password = if args.password_stdin {
        Some(from_input()?)
    } else if args.password {
        Some(typed(cx, &format!("wharf: password for {}: ", args.email))?)
    } else {
        None
    };
    let ask = CreateUser {
        email: args.email.clone(),
        username: args.username.clone(),
        password: password
            .as_ref()
            .map(|password| Hidden::from(password.expose())),
        role: args.role,
        organization: args.org.clone(),
    };
    let (made, url) = if is_offline(cx)? {
        let token = cx.settings.set_by("token_file");
        if token.is_some_and(|set| matches!(set.origin, Origin::Flag(_))) {
            return Err(CommandError::usage(
                "no server runs here that --token-file could be for",
            ));
        }
        let made = wire::offline::create_user(cx, &ask)?;
        cx.ui
            .event(&format!("no server runs here; made in {}", made.database));
        (made.user, made.public_url)
    } else {
        let server = connect::find(cx)?;
        let made = block_on(async { Ok(server.client.create_user(&ask).await?) })?;
        (made, Some(server.client.url().to_owned()))
    };
    show(cx, &made, url.as_deref())?;
    Ok(DONE)
}

/// Whether it is this machine's server that is meant, and it does not run.
fn is_offline(cx: &Context) -> Result<bool, CommandError> {
    Ok(login::target(cx)? == Target::Here && !connect::runs_here(cx)?)
}

fn show(cx: &Context, made: &UserCreated, url: Option<&str>) -> Result<(), CommandError> {
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(made)))?;
        return Ok(());
    }
    let roles = made.user.organizations.iter();
    let roles: Vec<_> = roles
        .map(|org| format!("{} in {}", org.role.as_str(), org.slug))
        .collect();
    cx.ui.event(&format!(
        "made the account {} ({})",
        made.user.email,
        roles.join(", ")
    ));
    if let Some(reset) = &made.reset {
        ui::data(&format!("{}\n", reset.code.expose()))?;
        cx.ui.event(&format!(
            "with this code they set a password, until {}; it is not shown again",
            reset.expires_at
        ));
        next::say(cx, For::Password, &reset.code, url);
    }
    Ok(())
}

/// Reads a role.
pub(crate) fn role(text: &str) -> Result<AccountRole, String> {
    use AccountRole::{Admin, Agent, Member, Owner, Viewer};
    let all = [Owner, Admin, Member, Viewer, Agent];
    let found = all.into_iter().find(|role| role.as_str() == text);
    found.ok_or_else(|| "should be owner, admin, member, viewer or agent".to_owned())
}
