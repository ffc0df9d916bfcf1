//! Which server a command is for, and whose login.

use wharf_localstate::credentials::{Keeper, Login};

use super::{LOCAL, same_url};
use crate::config::Origin;
use crate::config::nearest::nearest;
use crate::config::options::ClientOptions;
use crate::context::Context;
use crate::error::CommandError;

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The one that runs on this machine.
    Here,
    /// One that was named.
    Named {
        /// Its address.
        url: String,
        /// The profile whose login is for it.
        profile: Option<String>,
    },
}

/// Works out the server. Flags beat everything; then the profile of a login beats the environment,
/// since a token belongs to one server, and that is said; a token that is given by itself goes to
/// the server that is named beside it.
pub(crate) fn target(cx: &Context) -> Result<Target, CommandError> {
    let set = cx.settings.set_by("api_url");
    let origin = set.map(|set| &set.origin);
    let by_flag = matches!(origin, Some(Origin::Flag(_)));
    let url = set.map(|set| set.value.to_string());
    let name = match (profile(cx)?, url.as_ref()) {
        (Some(name), _) if name != LOCAL => name,
        (Some(_), Some(url)) if by_flag => {
            let url = url.clone();
            return Ok(Target::Named { url, profile: None });
        }
        (None, Some(url)) => return by_url(cx, url.clone()),
        _ => return Ok(Target::Here),
    };
    let bound = bound(cx, &name)?;
    if let Some(url) = url.filter(|url| !same_url(url, &bound)) {
        if by_flag && chosen(cx) {
            let message = format!("profile {name} is for {bound}, not for {url}");
            return Err(CommandError::usage(message)
                .hint("a token belongs to one server; leave out --api-url or --profile"));
        }
        if !by_flag && has_token(cx) {
            return Ok(Target::Named { url, profile: None });
        }
        if by_flag || !(chosen(cx) || is_logged_in(cx, &name)?) {
            return by_url(cx, url);
        }
        if let Some(origin @ Origin::Env(_)) = origin {
            let text = format!("{origin} ({url}) ignored: profile {name} is bound to {bound}");
            cx.ignored.call_once(|| cx.ui.warn_always(&text));
        }
    }
    Ok(Target::Named {
        url: bound,
        profile: Some(name),
    })
}

/// The profile that counts, whether or not it has a login.
pub(crate) fn profile(cx: &Context) -> Result<Option<String>, CommandError> {
    let Some(value) = cx.settings.get("profile") else {
        return Ok(None);
    };
    let name = value.to_string();
    if name == LOCAL {
        return Ok(Some(name));
    }
    let known = known(cx)?;
    if known.contains(&name) {
        return Ok(Some(name));
    }
    let error = CommandError::usage(format!("there is no profile {name}"));
    Err(match nearest(&name, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("wharf auth switch lists them; wharf auth login makes one"),
    })
}

/// The server of a profile.
pub(crate) fn bound(cx: &Context, name: &str) -> Result<String, CommandError> {
    if let Some(login) = Keeper::new(&cx.places).login(name)?
        && let Some(about) = login.about
    {
        return Ok(about.url);
    }
    let url = cx.settings.profiles().get(name).cloned();
    url.ok_or_else(|| {
        CommandError::usage(format!("profile {name} has no server"))
            .hint(format!("wharf auth login --profile {name} --api-url URL"))
    })
}

/// All profiles: those of the files and those with a login.
pub(crate) fn known(cx: &Context) -> Result<Vec<String>, CommandError> {
    let mut names: Vec<String> = cx.settings.profiles().keys().cloned().collect();
    let logins = Keeper::new(&cx.places).list()?;
    names.extend(
        logins
            .into_iter()
            .filter(|(_, login)| login.about.is_some())
            .map(|it| it.0),
    );
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whether a token is given by itself. A profile that is chosen by a flag beats one from the
/// environment.
pub(crate) fn has_token(cx: &Context) -> bool {
    let by_flag = |name| {
        let set = cx.settings.set_by(name);
        set.is_some_and(|set| matches!(set.origin, Origin::Flag(_)))
    };
    if by_flag("profile") && !by_flag("token_file") {
        return false;
    }
    cx.world.has("WHARF_TOKEN") || ClientOptions::resolve(&cx.settings).token_file.is_some()
}

/// Whether the profile was chosen for this command, and is not just the usual one.
fn chosen(cx: &Context) -> bool {
    let set = cx.settings.set_by("profile");
    set.is_some_and(|set| matches!(set.origin, Origin::Flag(_) | Origin::Env(_)))
}

fn is_logged_in(cx: &Context, name: &str) -> Result<bool, CommandError> {
    let login = Keeper::new(&cx.places).login(name)?;
    Ok(login.is_some_and(|login| login.about.is_some()))
}

/// A server by its address, with the login for it if there is one.
fn by_url(cx: &Context, url: String) -> Result<Target, CommandError> {
    let is_for = |login: &Login| {
        let about = login.about.as_ref();
        about.is_some_and(|about| same_url(&about.url, &url))
    };
    let logins = Keeper::new(&cx.places).list()?;
    let profile = logins.into_iter().find(|(_, login)| is_for(login));
    Ok(Target::Named {
        profile: profile.map(|(name, _)| name),
        url,
    })
}
