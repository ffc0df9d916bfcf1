//! Sandboxes that this device leaves on servers: without its key nobody gets into them from here.

use wharf_api::gateway::Sandbox;
use wharf_client::Client;
use wharf_localstate::{Registration, Token};

use super::ask;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::{self, fresh};
use crate::sandbox::find::is_there;
use crate::wire::block_on;

/// How many are named before the rest is counted.
const NAMED_MAX: usize = 5;

/// A server with sandboxes of ours.
struct Left {
    client: Client,
    sandboxes: Vec<Sandbox>,
}

/// Ends them, where somebody says so. What cannot be asked or ended is said, and is no reason to
/// keep the login.
pub(super) fn offer<'a>(
    cx: &Context,
    profiles: impl Iterator<Item = &'a String>,
    yes: bool,
) -> Result<(), CommandError> {
    let clients = profiles.filter_map(|profile| of_profile(cx, profile).ok().flatten());
    let clients: Vec<Client> = clients.chain(of_this_machine(cx)).collect();
    for client in clients {
        let Some(left) = look(client) else { continue };
        let names = left
            .sandboxes
            .iter()
            .take(NAMED_MAX)
            .map(|it| it.id.as_str());
        let mut names = names.collect::<Vec<_>>().join(", ");
        let more = left.sandboxes.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            names.push_str(&format!(" and {more} more"));
        }
        let url = left.client.url().to_owned();
        let question = format!("End the sandboxes at {url} too, with what is in them ({names})?");
        if !yes && !ask(cx, &question)? {
            cx.ui.event(&format!(
                "{names} at {url}: they go on, and end by themselves"
            ));
            continue;
        }
        for sandbox in &left.sandboxes {
            let ended = block_on(async { Ok(left.client.end_sandbox(&sandbox.id).await?) });
            if let Err(error) = ended {
                cx.ui.warn_always(&format!(
                    "{} at {url} goes on: {}",
                    sandbox.id, error.message
                ));
            }
        }
    }
    Ok(())
}

fn of_profile(cx: &Context, profile: &str) -> Result<Option<Client>, CommandError> {
    let url = login::target::bound(cx, profile)?;
    let Some(token) = fresh::token(cx, profile, &url)? else {
        return Ok(None);
    };
    Ok(Some(Client::new(&url, Some(&token))?))
}

/// The server of this machine, if it runs: one that does not has none that run.
fn of_this_machine(cx: &Context) -> Option<Client> {
    let running = Registration::find(&cx.places.registration_file()).ok()??;
    let (token, _) = Token::load(&cx.places.token_file()).ok()??;
    Client::new(&running.url, Some(token.secret())).ok()
}

fn look(client: Client) -> Option<Left> {
    let asked = block_on(async { Ok(client.sandboxes(None, false).await?) });
    let mut sandboxes = asked.ok()?.sandboxes;
    sandboxes.retain(is_there);
    (!sandboxes.is_empty()).then_some(Left { client, sandboxes })
}
