//! Whose configuration it is. What was agreed on with one account of one server says nothing about
//! another, so everything that is remembered is remembered for an owner.
//!
//! The server says who the owner is, beside the tree. So that the next sync can begin with what was
//! agreed on, it is remembered here which login led to which owner; where it leads to another one
//! by then, the server's word counts. It counts for that server alone: an owner is one of an address,
//! so that a server that answers with the name of somebody else's owner begins with nothing agreed on.
//! One server by two addresses begins anew, too, which asks more and loses nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_localstate::credentials::Keeper;
use wharf_localstate::{Registration, private};
use wharf_sync::profile::Digest;

use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::target::has_token;
use crate::login::{Target, target};
use crate::ui::neutral::neutral_line;

/// Most logins whose owners are remembered.
const LOGINS_MAX: usize = 256;
const FILE: &str = "owners.json";
/// The server of this machine.
const HERE: &str = "here";

/// A login, as far as it can be told without asking anybody.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Tells it from all others; it holds no secret.
    login: String,
    /// The address whose word counts, or that it is the server of this machine, whose port changes.
    origin: String,
    /// The server, for people.
    pub(super) server: String,
    /// Whom the login is for, where that is kept.
    pub(super) person: Option<String>,
    /// The owner that it led to last.
    pub(super) owner: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Owners {
    /// By login.
    owners: BTreeMap<String, String>,
}

impl Account {
    /// The login at hand. [`Kind::Login`] where there is none and no server runs here.
    pub(super) fn of(cx: &Context) -> Result<Self, CommandError> {
        let (server, origin, login, person) = match target(cx)? {
            Target::Here => {
                let running = Registration::find(&cx.places.registration_file())?;
                let Some(running) = running else {
                    return Err(nobody(cx)?);
                };
                (running.url, HERE.to_owned(), HERE.to_owned(), None)
            }
            Target::Named { url, profile } => {
                let (login, person) = of_profile(cx, &url, profile.as_deref())?;
                (url.clone(), url, login, person)
            }
        };
        let (login, person) = match given(cx)? {
            Some(given) => (format!("{server} {given}"), None),
            None => (login, person),
        };
        let owner = read(cx).owners.remove(&login);
        let server = neutral_line(&server);
        Ok(Self {
            login,
            origin,
            server,
            person,
            owner,
        })
    }

    /// Takes the server's word for who of its owners it is. False where it was known.
    pub(super) fn learn(&mut self, cx: &Context, said: &str) -> Result<bool, CommandError> {
        let owner = if said.is_empty() {
            self.login.clone()
        } else {
            format!("{} {said}", self.origin.trim_end_matches('/'))
        };
        if self.owner.as_ref() == Some(&owner) {
            return Ok(false);
        }
        self.owner = Some(owner.clone());
        private::make_dir(&cx.places.sync_dir())?;
        let mut all = read(cx);
        if all.owners.len() >= LOGINS_MAX {
            all.owners.clear();
        }
        all.owners.insert(self.login.clone(), owner);
        let text = serde_json::to_vec(&all).unwrap_or_default();
        private::write(&cx.places.sync_dir().join(FILE), &text)?;
        Ok(true)
    }
}

/// What cannot be read is learnt anew.
fn read(cx: &Context) -> Owners {
    let text = private::read(&cx.places.sync_dir().join(FILE));
    let text = text.ok().flatten().unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// A login that is kept, by the account that it is for and not by its token, which changes.
fn of_profile(
    cx: &Context,
    url: &str,
    profile: Option<&str>,
) -> Result<(String, Option<String>), CommandError> {
    let about = match profile {
        Some(profile) => Keeper::new(&cx.places).login(profile)?,
        None => None,
    };
    let about = about.and_then(|login| login.about);
    Ok(match (about.and_then(|about| about.user), profile) {
        (Some(user), _) => (format!("{url} user {}", user.id), Some(user.name)),
        (None, Some(profile)) => (format!("{url} profile {profile}"), None),
        (None, None) => (url.to_owned(), None),
    })
}

/// A token that is given for this command, by a few digits of its digest.
fn given(cx: &Context) -> Result<Option<String>, CommandError> {
    if !has_token(cx) {
        return Ok(None);
    }
    let token = connect::current_token(cx)?;
    Ok(token.map(|token| {
        let digest = Digest::of(token.expose().as_bytes()).to_string();
        format!("token {}", digest.get(..16).unwrap_or_default())
    }))
}

/// Nobody is logged in, and no server runs here.
fn nobody(cx: &Context) -> Result<CommandError, CommandError> {
    let error = CommandError::new(Kind::Login, "not logged in to a server");
    let known = crate::login::target::known(cx)?;
    Ok(match known.first() {
        Some(profile) => error.hint(format!("wharf auth switch {profile}")),
        None => error
            .hint("wharf auth login --api-url URL")
            .hint("without one: wharf serve --background keeps versions on this machine"),
    })
}
