//! Finding the server to talk to, and starting one where there is none.

use std::path::Path;

use wharf_client::{Client, is_loopback};
use wharf_localstate::{FileLock, Registration, Token};
use wharf_model::Secret;

use crate::commands::serve::background;
use crate::config::options::ClientOptions;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::fresh::Kept;
use crate::login::target::has_token;
use crate::login::{Target, fresh, target};

/// What is said where one is needed.
pub(crate) const NONE_RUNS: &str = "no server runs on this machine";

/// A server, ready to be asked.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) client: Client,
    /// It runs on this machine, so that this machine's directories mean something to it.
    pub(crate) local: bool,
}

/// The server that the settings name, or the one that runs here.
pub(crate) fn find(cx: &Context) -> Result<Server, CommandError> {
    let options = ClientOptions::resolve(&cx.settings);
    if let Target::Named { url, profile } = target(cx)? {
        return named(cx, &url, profile.as_deref(), &options);
    }
    match Registration::find(&cx.places.registration_file())? {
        Some(running) => registered(cx, &running, &options),
        None => Err(none_runs()),
    }
}

/// As [`find`], to ask what needs no token. No login is renewed for it.
pub(crate) fn find_openly(cx: &Context) -> Result<Server, CommandError> {
    let (url, local) = match target(cx)? {
        Target::Named { url, .. } => {
            let local = is_here(cx, &url)?;
            (url, local)
        }
        Target::Here => match Registration::find(&cx.places.registration_file())? {
            Some(running) => (running.url, true),
            None => return Err(none_runs()),
        },
    };
    let client = Client::new(&url, None)?;
    Ok(Server { client, local })
}

fn none_runs() -> CommandError {
    CommandError::failed(NONE_RUNS)
        .hint("wharf serve --background starts one, and so does wharf run")
}

/// Whether a server runs on this machine.
pub(crate) fn runs_here(cx: &Context) -> Result<bool, CommandError> {
    Ok(Registration::find(&cx.places.registration_file())?.is_some())
}

/// As [`find`]; where no server runs and none is named, one is started.
pub(crate) fn find_or_start(cx: &Context) -> Result<Server, CommandError> {
    let options = ClientOptions::resolve(&cx.settings);
    if let Target::Named { url, profile } = target(cx)? {
        return named(cx, &url, profile.as_deref(), &options);
    }
    if let Some(running) = Registration::find(&cx.places.registration_file())? {
        return registered(cx, &running, &options);
    }
    cx.places.make_state()?;
    // Whoever comes second waits here, and then finds the server of the first.
    let _starting = FileLock::wait(&cx.places.start_lock())?;
    if let Some(running) = Registration::find(&cx.places.registration_file())? {
        return registered(cx, &running, &options);
    }
    let running = background::start(cx, &["--or-any-port".to_owned()], None)?;
    cx.ui.note(&format!(
        "started a server in the background at {} (pid {}); wharf serve --stop ends it",
        running.url, running.pid
    ));
    registered(cx, &running, &options)
}

/// The secret for the server at hand: what the user names, else this machine's own.
pub(crate) fn current_token(cx: &Context) -> Result<Option<Secret>, CommandError> {
    let options = ClientOptions::resolve(&cx.settings);
    if let Some(token) = given_token(cx, &options)? {
        return Ok(Some(token));
    }
    match target(cx)? {
        Target::Here => local_token(cx),
        Target::Named { url, profile } => match profile {
            Some(profile) => fresh::token(cx, &profile, &url),
            None if is_here(cx, &url)? => local_token(cx),
            None => Ok(None),
        },
    }
}

/// As [`current_token`], with a login as it is kept: nothing is renewed.
pub(crate) fn kept_token(cx: &Context) -> Result<Kept, CommandError> {
    match target(cx)? {
        Target::Named {
            url,
            profile: Some(profile),
        } if !has_token(cx) => fresh::peek(cx, &profile, &url),
        _ => current_token(cx).map(Kept::from),
    }
}

/// Whether the server at that address is the one that runs on this machine.
fn is_here(cx: &Context, url: &str) -> Result<bool, CommandError> {
    let running = Registration::find(&cx.places.registration_file())?;
    Ok(running.is_some_and(|running| same_server(&running.url, url)))
}

fn local_token(cx: &Context) -> Result<Option<Secret>, CommandError> {
    let found = Token::load(&cx.places.token_file())?;
    Ok(found.map(|(token, repaired)| {
        if let Some(repaired) = repaired {
            cx.ui.warn_always(&repaired.to_string());
        }
        token.secret().clone()
    }))
}

fn registered(
    cx: &Context,
    running: &Registration,
    options: &ClientOptions,
) -> Result<Server, CommandError> {
    let token = match given_token(cx, options)? {
        Some(token) => Some(token),
        None => local_token(cx)?,
    };
    Ok(Server {
        client: Client::new(&running.url, token.as_ref())?,
        local: true,
    })
}

/// A server that was named gets a token that was named, or the login for it, or, where it is the
/// one that runs here, this machine's own: a token belongs to one server.
fn named(
    cx: &Context,
    url: &str,
    profile: Option<&str>,
    options: &ClientOptions,
) -> Result<Server, CommandError> {
    let local = is_here(cx, url)?;
    let token = match (given_token(cx, options)?, profile) {
        (Some(token), _) => Some(token),
        (None, Some(profile)) => fresh::token(cx, profile, url)?,
        (None, None) if local => local_token(cx)?,
        (None, None) => None,
    };
    Ok(Server {
        client: Client::new(url, token.as_ref())?,
        local,
    })
}

/// A flag beats the environment, as everywhere, also one that names a profile; the variable that
/// holds the token itself beats the one that names a file.
fn given_token(cx: &Context, options: &ClientOptions) -> Result<Option<Secret>, CommandError> {
    if !has_token(cx) {
        return Ok(None);
    }
    let by_flag = cx
        .settings
        .set_by("token_file")
        .is_some_and(|set| matches!(set.origin, crate::config::Origin::Flag(_)));
    if !by_flag && cx.world.has("WHARF_TOKEN") {
        return Ok(cx
            .world
            .variable("WHARF_TOKEN")
            .map(|text| Secret::new(text.trim().to_owned())));
    }
    options.token_file.as_deref().map(read_token).transpose()
}

fn read_token(file: &Path) -> Result<Secret, CommandError> {
    match wharf_localstate::private::read(file)? {
        Some(text) => Ok(Secret::new(text.trim().to_owned())),
        None => Err(CommandError::new(
            Kind::Login,
            format!("there is no token file {}", file.display()),
        )),
    }
}

/// Whether both addresses are of this machine's loopback and one port.
fn same_server(running: &str, named: &str) -> bool {
    let port = |url: &str| {
        let authority = url.strip_prefix("http://")?.trim_end_matches('/');
        let (_, port) = authority.rsplit_once(':')?;
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        (is_port && is_loopback(url)).then(|| port.to_owned())
    };
    running == named.trim_end_matches('/')
        || port(running).is_some_and(|running| port(named) == Some(running))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_token_goes_to_the_local_server_only() {
        let running = "http://127.0.0.1:7304";
        assert!(same_server(running, "http://127.0.0.1:7304/"));
        assert!(same_server(running, "http://localhost:7304"));
        for other in [
            "http://127.0.0.1:7305",
            "http://localhost.example.com:7304",
            "http://example.com:7304",
            "http://127.0.0.1:7304@example.com:7304",
            "http://example.com/127.0.0.1:7304",
            "https://127.0.0.1:7304",
        ] {
            assert!(!same_server(running, other), "{other}");
        }
    }
}
