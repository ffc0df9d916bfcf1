//! `wharf sync upstream set URL`

use std::fs::File;
use std::io::{self, Read as _};

use serde_json::json;
use wharf_api::identity::Hidden;
use wharf_api::profile::PutUpstream;
use wharf_client::Client;

use super::show::text;
use crate::commands::sync::session::away;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;

/// The longest file that is read: more than the server takes of either.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Give the profile an upstream, in place of the one that it has
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf sync upstream set https://git.example.com/ada/dotfiles.git --with-token token --push
  ssh-keyscan git.example.com > hosts    compare what it prints with what the host says of itself
  wharf sync upstream set ssh://git@git.example.com/ada/dotfiles.git --known-hosts hosts

For SSH the server makes a key; what is printed of it has to be let in there. What opens an upstream
stays while its address is the same, and is to be given again for another one.")]
pub(super) struct Args {
    /// Its address: https://… or ssh://…, without a password
    url: String,
    /// The branch that is followed; main without it
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// A file with the token that opens it over HTTPS; - is standard input
    #[arg(long, value_name = "FILE")]
    with_token: Option<String>,
    /// The name that goes with the token; git without it
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file with the lines of known_hosts that name its keys, for SSH; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["with_token", "user"])]
    known_hosts: Option<String>,
    /// Send each new version there at once
    #[arg(long)]
    push: bool,
}

pub(super) async fn set(cx: &Context, client: &Client, called: &str, args: &Args) -> Outcome {
    let token = args.with_token.as_deref().map(read).transpose()?;
    let known_hosts = args.known_hosts.as_deref().map(read).transpose()?;
    let put = PutUpstream {
        url: args.url.clone(),
        branch: args.branch.clone(),
        user: args.user.clone(),
        token: token.map(|token| Hidden::from(token.trim())),
        known_hosts,
        push: args.push,
    };
    let made = client.put_upstream(called, &put).await;
    let made = made.map_err(|error| match error.problem() {
        // Here it is the command that was worded wrongly.
        Some(problem) if problem.status == 422 => error.into(),
        _ => away(error),
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(made)))?;
        return Ok(DONE);
    }
    let mut shown = text(&made.upstream, client.url());
    if let Some(secret) = &made.webhook_secret {
        shown.push_str(&format!("{:<10} {}\n", "secret", secret.expose()));
    }
    ui::data(&shown)?;
    if made.webhook_secret.is_some() {
        cx.ui
            .event("the secret signs the webhook's messages; it is not shown again");
    }
    cx.ui
        .note("nothing was fetched yet: wharf sync upstream pull");
    Ok(DONE)
}

fn read(file: &str) -> Result<String, CommandError> {
    let mut text = String::new();
    let read = if file == "-" {
        let input = io::stdin().lock();
        input.take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| CommandError::failed(format!("cannot read {file}")).because(error))?;
    if text.trim().is_empty() {
        return Err(CommandError::usage(format!("there is nothing in {file}")));
    }
    Ok(text)
}
