//! `wharf auth logout`

use serde_json::json;
use wharf_client::Client;
use wharf_localstate::credentials::{About, Keeper};

use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::fresh::{LOST, is_refusal};
use crate::login::{self, LOCAL, Target, fresh};
use crate::ui;
use crate::wire::block_on;

/// End the login at the server, and forget it here
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Example:\n  wharf auth logout\n\nA server that cannot be reached keeps the login alive, so that it is kept here as well; \
                   wharf reset forgets it all the same."
)]
pub(crate) struct Args {
    /// Every login of this machine
    #[arg(long)]
    all: bool,
    /// All logins of the account, on every device
    #[arg(long)]
    everywhere: bool,
}

pub(crate) fn logout(cx: &Context, args: &Args) -> Outcome {
    let keeper = Keeper::new(&cx.places);
    let profiles = if args.all {
        let logins = keeper.list()?;
        let logins = logins
            .into_iter()
            .filter(|(_, login)| login.about.is_some());
        logins.map(|(profile, _)| profile).collect()
    } else {
        vec![current(cx)?]
    };
    let mut first = None;
    let mut ended = Vec::new();
    for profile in profiles {
        match end(cx, &keeper, &profile, args.everywhere) {
            Ok(left) => {
                if let Some(left) = left {
                    cx.ui.warn_always(&format!("{profile}: {left}"));
                }
                cx.ui.event(&format!("logged out of {profile}"));
                ended.push(profile);
            }
            Err(error) if first.is_none() => first = Some(error),
            Err(error) => cx.ui.warn_always(&error.message),
        }
    }
    if cx.ui.json {
        ui::data(&format!("{}\n", json!({ "logged_out": ended })))?;
    }
    match first {
        Some(error) => Err(error),
        None => Ok(DONE),
    }
}

/// The profile of the login at hand.
fn current(cx: &Context) -> Result<String, CommandError> {
    let none = || {
        CommandError::new(Kind::Login, "nobody is logged in")
            .hint("a server on this machine needs no login; wharf auth switch lists the logins")
    };
    match login::target(cx)? {
        Target::Named {
            profile: Some(profile),
            ..
        } if profile != LOCAL => {
            let login = Keeper::new(&cx.places).login(&profile)?;
            login.and_then(|login| login.about).ok_or_else(none)?;
            Ok(profile)
        }
        _ => Err(none()),
    }
}

/// Ends one login at its server and then here. What the server does not take any more has ended;
/// what it could not be told goes on, and is kept. Says what goes on all the same.
pub(crate) fn end(
    cx: &Context,
    keeper: &Keeper,
    profile: &str,
    everywhere: bool,
) -> Result<Option<String>, CommandError> {
    let Some(about) = keeper.login(profile)?.and_then(|login| login.about) else {
        return Ok(None);
    };
    let mut lost = None;
    match fresh::token(cx, profile, &about.url) {
        Ok(Some(token)) => {
            let client = Client::new(&about.url, Some(&token))?;
            match block_on(async { Ok(client.logout(everywhere).await) })? {
                Ok(_) => {}
                Err(error) if is_refusal(&error) => {}
                Err(error) => {
                    let message = format!(
                        "the login of profile {profile} goes on: {} could not be told",
                        about.url
                    );
                    return Err(CommandError::new(Kind::TryLater, message)
                        .because(error)
                        .hint("it is kept here; log out again when the server answers"));
                }
            }
        }
        Ok(None) => {}
        // Nobody can end it at the server from here.
        Err(error) if error.code == LOST => lost = Some(goes_on(&about)),
        // It has ended already.
        Err(error) if error.kind == Kind::Login => {}
        Err(error) => return Err(error),
    }
    let held = keeper.hold(profile)?;
    if !keeper.forget_if(&held, &about)? {
        cx.ui.warn_always(&format!(
            "somebody logged in to {profile} meanwhile; that login stays"
        ));
    }
    Ok(lost)
}

/// What is left at the server of a login whose secrets are lost.
fn goes_on(about: &About) -> String {
    let (url, list) = (&about.url, login::shown_by(about.kind));
    match &about.id {
        Some(id) => format!("its store has lost it, and {id} goes on at {url}: {list} revoke {id}"),
        None => format!("its store has lost it, and it goes on at {url}: {list} list shows it"),
    }
}
