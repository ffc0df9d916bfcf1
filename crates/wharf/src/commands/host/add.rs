//! `wharf host add NAME ADDRESS`

use wharf_api::HostRequest;
use wharf_model::{SandboxTarget, SshTarget};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui;
use crate::wire::block_on;

const EXAMPLES: &str = "\
Examples:
  wharf host add web-1 ada@web-1.example.com --group web --group production
  wharf host add db 10.0.0.5:2222 --jump gate --identity ~/.ssh/id_db --note 'the old one'

What is left out is what ~/.ssh/config says of the host. No password is kept: a key or the agent
opens it.";

/// Give a host a name here, or say anew how it is reached
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Its name: letters, digits and . _ -
    name: String,
    /// Where it is: HOST, USER@HOST or USER@HOST:PORT
    #[arg(value_name = "[USER@]HOST[:PORT]", value_parser = parse_target)]
    address: SshTarget,
    /// The file of the key that opens it, on the server's machine
    #[arg(long, value_name = "FILE")]
    identity: Option<String>,
    /// Hosts on the way, as USER@HOST:PORT, more of them after commas
    #[arg(long, value_name = "HOSTS")]
    jump: Option<String>,
    /// A group that it is in; may be given again
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// What people should know of it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// For clap.
pub(crate) fn parse_target(text: &str) -> Result<SshTarget, String> {
    SshTarget::parse(text).map_err(|error| error.to_string())
}

/// For clap: the id of a sandbox session.
pub(crate) fn parse_sandbox(text: &str) -> Result<SandboxTarget, String> {
    SandboxTarget::new(text).map_err(|error| error.to_string())
}

pub(crate) fn add(cx: &Context, args: Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    // A path that was typed here means this directory where the server is here as well.
    let here = cx.world.cwd().filter(|_| server.local);
    let identity = args.identity.map(|file| match here {
        Some(here) if !file.starts_with("~/") => here.join(&file).display().to_string(),
        _ => file,
    });
    let host = HostRequest {
        address: args.address.host().to_owned(),
        port: args.address.port(),
        user: args.address.user().map(str::to_owned),
        identity,
        jump: args.jump,
        groups: args.groups,
        note: args.note,
    };
    let put = block_on(async { Ok(server.client.put_host(&args.name, &host).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(put)))?;
        return Ok(DONE);
    }
    let name = &put.host.name;
    let done = if put.created { "added" } else { "changed" };
    cx.ui
        .note(&format!("{done} {name}; try it: wharf host test {name}"));
    Ok(DONE)
}
