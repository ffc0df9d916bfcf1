//! Sandbox sessions: thin doors to `wharf_gateway`, which decides everything.

pub(crate) mod cli;
pub(crate) mod create;
pub(crate) mod credits;
pub(crate) mod events;
pub(crate) mod rpc;
pub(crate) mod sandboxes;
pub(crate) mod sessions;
pub(crate) mod tickets;

use wharf_gateway::Error;

use crate::error::Failure;
use crate::state::App;

/// What came of it. What is another server's is refused in the words by which the request is handed
/// on to that one.
async fn answered<T>(app: &App, result: Result<T, Error>) -> Result<T, Failure> {
    let error = match result {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    if let Error::Elsewhere { server } = &error {
        let servers = app.engine.servers().await?;
        if let Some(server) = servers.iter().find(|it| it.id == *server) {
            return Err(Failure::elsewhere(server));
        }
    }
    Err(error.into())
}
