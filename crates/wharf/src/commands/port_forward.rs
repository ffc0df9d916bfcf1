//! `wharf port-forward ID [LOCAL:]REMOTE…`

use std::sync::Arc;

use serde_json::json;

use crate::commands::Outcome;
use crate::commands::workspace::server;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::ssh_key;
use crate::login::stop::Stop;
use crate::sandbox::forward::{self, Ports};
use crate::sandbox::{Line, find};
use crate::ui;
use crate::wire::block_on;

/// Ports of a sandbox on this machine
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf port-forward gws_01 3000           http://127.0.0.1:3000 is port 3000 of the sandbox
  wharf port-forward gws_01 8080:3000 0:5432

The ports are opened on 127.0.0.1 alone, until Ctrl-C.")]
pub(crate) struct Args {
    /// The sandbox's session
    #[arg(value_name = "ID")]
    session: String,
    /// A port of the sandbox, and the one here if it is another; 0 takes any free one
    #[arg(value_name = "[LOCAL:]REMOTE", required = true)]
    ports: Vec<Ports>,
}

pub(crate) fn port_forward(cx: &Context, args: &Args) -> Outcome {
    ssh_key::ensure(cx)?;
    let server = server(cx)?;
    block_on(async {
        let mut stop = Stop::listen()?;
        let work = async {
            let machine = find::machine(&server.client, &args.session).await?;
            let line = Arc::new(Line::open(cx, &machine, &machine.user).await?);
            let mut open = Vec::new();
            for ports in &args.ports {
                open.push(forward::open(*ports).await?);
            }
            for port in &open {
                let text = match cx.ui.json {
                    true => json!({ "local": port.address, "remote": port.there }).to_string(),
                    false => format!("{} -> {}:{}", port.address, machine.session, port.there),
                };
                ui::data(&format!("{text}\n"))?;
            }
            forward::serve(cx, &line, open).await
        };
        tokio::select! {
            // Somebody had enough; it worked until then.
            kind = stop.asked() => Err(CommandError::new(kind, "stopped")),
            served = work => served.map(|()| crate::commands::DONE),
        }
    })
}
