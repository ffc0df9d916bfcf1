//! `wharf auth login`

mod after;
mod device;
mod key;
mod password;
mod terminal;

pub(crate) use after::finish;
pub(crate) use password::{chosen, from_input, session, typed};

use std::time::Duration;

use wharf_client::{Client, plain_text_host};
use wharf_localstate::Registration;
use wharf_localstate::credentials::{Credential, Place, is_profile};

use crate::commands::Outcome;
use crate::config::Origin;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::keep::{self, StoreArgs};
use crate::login::{self, LOCAL, same_url};

/// Log in to a server
#[derive(Debug, Default, clap::Args)]
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
    #[command(flatten)]
    store: StoreArgs,
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
pub(crate) struct LoggedIn {
    credential: Credential,
    /// The role; empty where the server has not said it yet.
    role: String,
    /// What the login is for, where the server said it.
    scopes: Vec<String>,
}

/// What is known before anybody logs in.
pub(crate) struct Begun {
    /// The server, asked without a token.
    pub(crate) client: Client,
    url: String,
    profile: String,
    place: Place,
}

/// Finds server, profile and a place for a login, before anybody does anything: a login that
/// cannot be kept is a login lost.
pub(crate) fn begin(cx: &Context, store: &StoreArgs) -> Result<Begun, CommandError> {
    let url = server(cx)?;
    let profile = profile(cx, &url)?;
    if let Some(name) = plain_text_host(&url) {
        cx.ui.warn_always(&format!(
            "{name} is reached without encryption: whoever is on the way can read the login"
        ));
    }
    let client = Client::new(&url, None)?;
    let place = keep::place(cx, &profile, store)?;
    Ok(Begun {
        client,
        url,
        profile,
        place,
    })
}

pub(crate) fn login(cx: &Context, args: &Args) -> Outcome {
    let by_flag = cx.settings.set_by("token_file");
    let by_flag = by_flag.filter(|set| matches!(set.origin, Origin::Flag(_)));
    if args.email.is_some() && by_flag.is_some() {
        return Err(CommandError::usage(
            "--email logs in by password and --token-file with a key: give one of them",
        ));
    }
    can_shorten(args)?;
    let begun = begin(cx, &args.store)?;
    match (&args.email, by_flag) {
        (Some(email), _) => {
            let logged_in = password::login(cx, &begun.client, email, args.password_stdin)?;
            finish(cx, &begun, logged_in)
        }
        (None, Some(file)) => {
            let logged_in = key::login(&begun.url, &file.value.to_string())?;
            finish(cx, &begun, logged_in)
        }
        (None, None) => device::login(cx, &begun, args),
    }
}

/// Logs in with a code, with nothing else said.
pub(crate) fn by_code(cx: &Context) -> Outcome {
    let args = Args::default();
    let begun = begin(cx, &args.store)?;
    device::login(cx, &begun, &args)
}

/// A shorter key is made with the one of the login, which has to be allowed to.
fn can_shorten(args: &Args) -> Result<(), CommandError> {
    let narrow = |scope: &String| !scope.split_whitespace().any(|it| it == "admin");
    if args.expires.is_some() && args.scope.as_ref().is_some_and(narrow) {
        return Err(
            CommandError::usage("--expires needs a login that may make keys: --scope with admin")
                .hint("leave out one of them, or make a key elsewhere: wharf key create NAME --scope SCOPES --expires TIME")
                .hint("and log in with it: wharf auth login --token-file FILE"),
        );
    }
    Ok(())
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
    let known = login::target::known(cx)?;
    for name in &known {
        if same_url(&login::target::bound(cx, name)?, url) {
            return Ok(name.clone());
        }
    }
    Ok(free(&name_of(url), &known))
}

/// `name`, or with the first number behind it under which no other server is known.
fn free(name: &str, known: &[String]) -> String {
    let is_free = |name: &String| !known.contains(name);
    let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(is_free).unwrap_or_default()
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
    fn a_name_that_is_another_servers_gets_a_number() {
        let known = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        assert_eq!(free("a.b", &known(&["c"])), "a.b");
        assert_eq!(free("a.b", &known(&["a.b"])), "a.b-2");
        assert_eq!(free("a.b", &known(&["a.b", "a.b-2"])), "a.b-3");
    }
}
