//! Which session is meant, and its machine, brought up where it is not.

use wharf_api::gateway::Sandbox;
use wharf_client::Client;

use super::line::Machine;
use crate::error::{CommandError, Kind};

/// What every id of a sandbox session begins with; one of a shell's own name does not.
const PREFIX: &str = "gws_";

/// Whether an id is of a sandbox session.
pub(crate) fn is_sandbox(id: &str) -> bool {
    id.starts_with(PREFIX)
}

/// Whether a session may be gone on with.
pub(crate) fn is_there(sandbox: &Sandbox) -> bool {
    !matches!(sandbox.status.as_str(), "stopped" | "failed")
}

/// The machine of a session.
///
/// # Errors
/// When there is none of that id, it has ended, or it cannot be brought up.
pub(crate) async fn machine(client: &Client, id: &str) -> Result<Machine, CommandError> {
    let connection = client.connect_sandbox(id).await.map_err(|error| {
        let said = CommandError::from(error);
        match said.kind {
            Kind::NotFound | Kind::Conflict => said.hint("wharf session list shows what is there"),
            _ => said,
        }
    })?;
    Machine::connected(&connection).ok_or_else(|| nowhere(id))
}

/// The session that is named, or the newest of a directory that is there.
pub(crate) async fn session(
    client: &Client,
    named: Option<&str>,
    directory: &str,
) -> Result<String, CommandError> {
    if let Some(id) = named {
        return Ok(id.to_owned());
    }
    let list = client.sandboxes(Some(directory), false).await?;
    let newest = list.sandboxes.into_iter().find(is_there);
    newest.map(|sandbox| sandbox.id).ok_or_else(|| {
        CommandError::new(Kind::NotFound, "there is no sandbox of this directory")
            .hint("wharf makes one; --session ID names one of another directory")
    })
}

/// A session whose machine is not reached by SSH.
pub(crate) fn nowhere(id: &str) -> CommandError {
    CommandError::failed(format!(
        "the server does not say how {id} is reached by SSH"
    ))
    .hint(format!(
        "wharf session show {id}; wharf session stop {id} ends it"
    ))
}
