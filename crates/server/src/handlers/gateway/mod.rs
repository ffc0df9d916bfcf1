//! Sandbox sessions: thin doors to `wharf_gateway`, which decides everything.

pub(crate) mod cli;
pub(crate) mod create;
pub(crate) mod credits;
pub(crate) mod events;
pub(crate) mod rpc;
pub(crate) mod sandboxes;
pub(crate) mod sessions;
pub(crate) mod tickets;

use axum::http::request::Parts;
use wharf_engine::ServerView;
use wharf_gateway::Error;

use super::identity::base;
use crate::error::Failure;
use crate::middleware::forward::{is_of_this_machine, is_private};
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

/// Where a session of this server's is reached: its agent is nowhere else. Where several servers
/// share a name a request may come to any of them, so that the address is then the one by which the
/// others know this server, if clients can use it: it leads here from where they are, and nobody on
/// the way reads the ticket in it.
async fn reached_at(app: &App, parts: &Parts) -> Result<String, Failure> {
    let base = base(app, parts);
    let servers = app.engine.servers().await?;
    let is_own = |it: &&ServerView| it.id == app.engine.server();
    let alone = !servers.iter().any(|it| it.live && !is_own(&it));
    let own = servers.iter().find(is_own).and_then(ServerView::reachable);
    Ok(match own {
        Some(url) if !alone && leads_here(app, url, &base) => url.trim_end_matches('/').to_owned(),
        _ => base,
    })
}

fn leads_here(app: &App, url: &str, base: &str) -> bool {
    if is_of_this_machine(url) {
        is_of_this_machine(base)
    } else {
        app.plain_peers || is_private(url)
    }
}
