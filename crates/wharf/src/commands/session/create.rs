//! `wharf session create [ID]`

use std::time::Duration;

use wharf_api::CreateSession;
use wharf_model::{SandboxTarget, SshTarget, Target};

use crate::commands::host::{parse_sandbox, parse_target};
use crate::commands::run::request::{parse_duration, parse_variable};
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;
use crate::wire::block_on;

/// Start a session, or find the one of that name
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf session create work\n  wharf session create --timeout 8h --env NODE_ENV=test\n  wharf session create far --host web-1"
)]
pub(crate) struct Args {
    /// A name of your own
    session: Option<String>,
    /// On this host, a name of `wharf host` or of ~/.ssh/config
    #[arg(long, value_name = "[USER@]HOST[:PORT]", value_parser = parse_target)]
    host: Option<SshTarget>,
    /// In this sandbox, the id of a sandbox session
    #[arg(long, value_name = "ID", value_parser = parse_sandbox, conflicts_with = "host")]
    sandbox: Option<SandboxTarget>,
    /// The directory to start in; the current one when absent, the home directory on a host
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// A variable to start with
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// End it after this long without use
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

pub(crate) fn create(cx: &Context, args: Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    let here = || {
        cx.world
            .cwd()
            .filter(|_| server.local && args.host.is_none() && args.sandbox.is_none())?
            .to_str()
            .map(str::to_owned)
    };
    let target = args.host.clone().map(Target::Ssh);
    let target = target.or_else(|| args.sandbox.clone().map(Target::Sandbox));
    let new = CreateSession {
        session_id: args.session,
        timeout: args.timeout.map(|time| time.as_secs().max(1)),
        cwd: args.cwd.or_else(here),
        env: (!args.env.is_empty()).then(|| args.env.into_iter().collect()),
        target: target.map(|target| target.to_string()),
        ..CreateSession::default()
    };
    let made = block_on(async { Ok(server.client.create_session(&new).await?) })?;
    if cx.ui.json {
        let json = serde_json::to_string(&made)
            .map_err(|error| CommandError::failed("cannot write the answer").because(error))?;
        ui::data(&format!("{json}\n"))?;
        return Ok(DONE);
    }
    ui::data(&format!("{}\n", made.session_id))?;
    if !made.created {
        cx.ui.note("that session was there already and goes on");
    }
    cx.ui.note(&format!(
        "run in it: wharf run -s {} -- pwd",
        made.session_id
    ));
    Ok(DONE)
}
