//! `wharf auth login`

mod device;
mod key;
mod password;
mod terminal;

pub(crate) use password::{from_input, typed};

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use wharf_client::Client;
use wharf_localstate::Registration;
use wharf_localstate::credentials::{Credential, Keeper, Place, is_profile};

use crate::commands::{DONE, Outcome};
use crate::config::Origin;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::fresh::is_due;
use crate::login::keep::{self, StoreChoice};
use crate::login::ssh_key::{self, Made};
use crate::login::{self, LOCAL, day, days_until, now, same_url};
use crate::ui;
use crate::wire::block_on;

/// Log in to a server
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf auth login --api-url https://wharf.example.com      with a code, on any device
  wharf auth login --email ada@example.com                  with a password
  wharf auth login --token-file - < key                     with a key
  wharf auth login --store-file                             where there is no keyring")]
pub(crate) struct Args {
    /// Log in as this person, by password
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["expires", "scope", "qr"])]
    email: Option<String>,
    /// The password is standard input's first line
    #[arg(long, requires = "email")]
    password_stdin: bool,
    /// Keep the login in a file that only you can read
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    store_file: Option<Option<PathBuf>>,
    /// Where to keep the login; without it where the last one was, else in the keyring
    #[arg(long, value_enum, value_name = "STORE", conflicts_with = "store_file")]
    store: Option<StoreChoice>,
    /// Open no browser
    #[arg(long)]
    no_browser: bool,
    /// Show the address as a picture for a phone
    #[arg(long)]
    qr: bool,
    /// How long the login is for, such as 30d; 90 days without it
    #[arg(long, value_name = "TIME", value_parser = crate::commands::key::lifetime)]
    expires: Option<Duration>,
    /// What the login is for: run:low, run, session:ID, sync, admin; several with spaces
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
}

/// Somebody is logged in; nothing is kept yet.
pub(super) struct LoggedIn {
    credential: Credential,
    /// Whether the account's SSH keys are within what it may do.
    role: String,
}

pub(crate) fn login(cx: &Context, args: &Args) -> Outcome {
    let url = server(cx)?;
    let profile = profile(cx, &url)?;
    if let Some(name) = plain_text_to(&url) {
        cx.ui.warn_always(&format!(
            "{name} is reached without encryption: whoever is on the way can read the login"
        ));
    }
    let client = Client::new(&url, None)?;
    let (choice, file) = match &args.store_file {
        Some(file) => (Some(StoreChoice::File), file.as_ref()),
        None => (args.store, None),
    };
    // Before anybody does anything: a login that cannot be kept is a login lost.
    let place = keep::place(cx, &profile, choice, file)?;
    let by_flag = cx.settings.set_by("token_file");
    let by_flag = by_flag.filter(|set| matches!(set.origin, Origin::Flag(_)));
    let logged_in = match (&args.email, by_flag) {
        (Some(email), _) => password::login(cx, &client, email, args.password_stdin)?,
        (None, Some(file)) => key::login(cx, &url, &file.value.to_string())?,
        (None, None) => device::login(cx, &client, args)?,
    };
    let before = Keeper::new(&cx.places).credential(&profile).ok().flatten();
    keep::keep(cx, &profile, &place, &logged_in.credential)?;
    revoke_before(cx, before, &logged_in.credential);
    let key = share_ssh_key(cx, &logged_in.credential);
    show(cx, &profile, &place, &logged_in, &key)?;
    Ok(DONE)
}

/// The server to log in to: the one that is named, the profile's, or the one that runs here.
fn server(cx: &Context) -> Result<String, CommandError> {
    let url = cx.settings.set_by("api_url");
    let by_flag = url.filter(|set| matches!(set.origin, Origin::Flag(_)));
    if let Some(set) = by_flag {
        return Ok(set.value.to_string().trim_end_matches('/').to_owned());
    }
    if let Some(name) = cx.settings.get("profile").map(ToString::to_string)
        && name != LOCAL
        && login::target::known(cx)?.contains(&name)
    {
        return login::target::bound(cx, &name);
    }
    if let Some(set) = url {
        return Ok(set.value.to_string().trim_end_matches('/').to_owned());
    }
    match Registration::find(&cx.places.registration_file())? {
        Some(running) => Ok(running.url),
        None => Err(CommandError::usage("log in to which server?")
            .hint("wharf auth login --api-url https://wharf.example.com")
            .hint("a server on this machine needs no login")),
    }
}

/// The profile for a login at `url`: the one that was chosen, one that is for that server, or one
/// that is named after it.
fn profile(cx: &Context, url: &str) -> Result<String, CommandError> {
    let chosen = cx.settings.set_by("profile");
    if let Some(set) = chosen {
        let name = set.value.to_string();
        let wanted = matches!(set.origin, Origin::Flag(_) | Origin::Env(_));
        if wanted && (name == LOCAL || !is_profile(&name)) {
            return Err(CommandError::usage(format!(
                "a profile cannot be called {name}"
            )));
        }
        let bound = login::target::bound(cx, &name).ok();
        if wanted || bound.is_some_and(|bound| same_url(&bound, url)) {
            return Ok(name);
        }
    }
    for name in login::target::known(cx)? {
        if same_url(&login::target::bound(cx, &name)?, url) {
            return Ok(name);
        }
    }
    Ok(name_of(url))
}

/// A name for a server, made of its address.
fn name_of(url: &str) -> String {
    let address = url.split_once("://").map_or(url, |(_, rest)| rest);
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || ".-_".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = address.chars().map(legal).take(48).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if is_profile(name) && name != LOCAL {
        name.to_owned()
    } else {
        "server".to_owned()
    }
}

/// The host that is reached in plain text over a network, if so.
fn plain_text_to(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    let loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback());
    (!loopback).then_some(host)
}

/// The login that was replaced is ended at the server as well, if it can be reached. A key that was
/// given and not made here stays what it was.
fn revoke_before(cx: &Context, before: Option<Credential>, new: &Credential) {
    let Some(before) = before.filter(|before| !before.is_same_token(new)) else {
        return;
    };
    if before.about.id.is_none() || before.about.refused {
        return;
    }
    let ended = block_on(async {
        let mut token = before.token.clone();
        if let Some(refresh) = before.refresh.as_ref().filter(|_| is_due(&before, now())) {
            let client = Client::new(&before.about.url, None)?;
            token = client.refresh(refresh).await?.access;
        }
        let client = Client::new(&before.about.url, Some(&token))?;
        Ok(client.logout(false).await?)
    });
    match ended {
        Ok(_) => cx.ui.note("the login before this one has been ended"),
        Err(error) if error.kind == crate::error::Kind::Login => {}
        Err(_) => cx
            .ui
            .warn("the login before this one could not be ended; wharf key list shows it"),
    }
}

/// Makes this device's SSH key and gives it to the account. What fails is said, and is no reason to
/// lose the login.
fn share_ssh_key(cx: &Context, credential: &Credential) -> String {
    let shared = || -> Result<String, CommandError> {
        let (half, made) = ssh_key::ensure(cx)?;
        let client = Client::new(&credential.about.url, Some(&credential.token))?;
        let new = block_on(ssh_key::upload(&client, &half))?;
        let print = half.fingerprint;
        Ok(match (made, new) {
            (Made::WasThere, false) => format!("SSH key {print} registered already"),
            (Made::WasThere, true) => format!("SSH key {print} registered"),
            (_, _) => format!("SSH key {print} made; its private half stays here"),
        })
    };
    shared().unwrap_or_else(|error| {
        cx.ui.warn(&format!(
            "the SSH key of this device is not registered: {}",
            error.message
        ));
        "SSH key not registered; wharf keys add tries again".to_owned()
    })
}

fn show(
    cx: &Context,
    profile: &str,
    place: &Place,
    logged_in: &LoggedIn,
    key: &str,
) -> Result<(), CommandError> {
    let about = &logged_in.credential.about;
    let user = about.user.as_ref().map_or("", |user| &user.name);
    if cx.ui.json {
        let answer = json!({
            "event": "logged_in",
            "profile": profile,
            "url": about.url,
            "user": user,
            "organization": about.org.as_ref().map(|org| &org.name),
            "role": logged_in.role,
            "expires_at": about.expires_at.map(|end| end.to_string()),
            "kept_in": place.to_string(),
        });
        ui::data(&format!("{answer}\n"))?;
        return Ok(());
    }
    let org = about
        .org
        .as_ref()
        .map_or_else(String::new, |org| format!(", {}", org.name));
    let until = match (about.kind, about.expires_at) {
        (wharf_localstate::credentials::Kind::Key, Some(end)) => {
            format!("; ends {} ({} days)", day(end), days_until(end))
        }
        _ => "; renewed by itself".to_owned(),
    };
    cx.ui
        .event(&format!("{user}{org}{until}; kept in {place}; {key}"));
    cx.ui.note(&format!(
        "profile {profile} is used from now on; wharf auth switch chooses another"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_gives_its_profile_a_name() {
        for (url, name) in [
            ("https://wharf.example.com", "wharf.example.com"),
            ("http://127.0.0.1:7304", "127.0.0.1-7304"),
            ("http://[::1]:80/x/", "1--80-x"),
            ("http://local", "server"),
        ] {
            assert_eq!(name_of(url), name);
        }
    }

    #[test]
    fn plain_text_over_a_network_is_noticed() {
        assert_eq!(
            plain_text_to("http://wharf.example.com:80/x"),
            Some("wharf.example.com")
        );
        assert_eq!(
            plain_text_to("http://[2001:db8::1]:80"),
            Some("2001:db8::1")
        );
        for good in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost",
            "https://a.b",
        ] {
            assert_eq!(plain_text_to(good), None, "{good}");
        }
    }
}
