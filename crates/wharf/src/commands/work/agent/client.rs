//! OpenCode's client, attached to the agent in the sandbox.

use std::path::Path;
use std::process::Command;

use tokio::runtime::Handle;
use wharf_client::{Client, Door, door};
use wharf_model::{Entropy as _, Secret};

use super::{child, environment};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::sandbox::{Ended, Machine};
use crate::wire::SystemEntropy;

/// Bytes of randomness in a door's password.
const PASSWORD_BYTES: usize = 32;

/// Opens the way to the agent of a session. What the client is told on its command line, for all to
/// read, is a port of this machine; the ticket stays in this process, and what opens the port comes
/// to the client with its environment.
pub(in crate::commands::work) async fn open(
    client: &Client,
    session: &str,
) -> Result<Door, CommandError> {
    let ticket = client.sandbox_ticket(session).await?;
    let mut random = [0; PASSWORD_BYTES];
    SystemEntropy.fill(&mut random);
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let door = Door::open(client, session, ticket, Secret::new(password)).await;
    let door = door.map_err(|error| {
        CommandError::failed("the way to the agent cannot be opened").because(error)
    })?;
    // A client that comes before the agent shows an empty screen until somebody ends it.
    door.ready().await.map_err(|why| {
        let mut error =
            CommandError::new(Kind::TryLater, "the agent in the sandbox does not answer");
        error.causes.push(why);
        error
            .hint(format!(
                "{session} goes on; wharf --agent shell is a shell in it"
            ))
            .hint(format!(
                "its own words: wharf ssh {session} -- cat \
                 /home/user/.local/state/opencode-serve.log"
            ))
    })?;
    Ok(door)
}

/// Hands the terminal to the client, and waits for its end.
pub(in crate::commands::work) fn attach(
    cx: &Context,
    runtime: &Handle,
    program: &Path,
    door: &Door,
    machine: &Machine,
) -> Result<Ended, CommandError> {
    let mut command = Command::new(program);
    command.args(["attach", &door.url(), "--dir", &machine.workspace]);
    let world = &cx.world;
    for name in world.variable_names() {
        if environment::stays(name, &world.variable(name).unwrap_or_default()) {
            command.env_remove(name);
        }
    }
    // Programs read either, and some only one of them.
    for (name, other) in [("NO_PROXY", "no_proxy"), ("no_proxy", "NO_PROXY")] {
        let known = world.variable(name).or_else(|| world.variable(other));
        command.env(name, environment::no_proxy(known));
    }
    command
        .env("OPENCODE_SERVER_USERNAME", door::USER)
        .env("OPENCODE_SERVER_PASSWORD", door.password().expose());
    child::hand_over(runtime, &mut command).map_err(|error| {
        let text = format!("{} could not be started", program.display());
        CommandError::failed(text).because(error)
    })
}
