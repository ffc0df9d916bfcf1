//! What follows a login: it is kept first, and the rest may be interrupted.

use std::time::Duration;

use serde_json::json;
use wharf_client::Client;
use wharf_localstate::credentials::{Credential, Keeper};

use super::{Begun, LoggedIn, device};
use crate::commands::{DONE, Outcome};
use crate::config::Origin;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::fresh::is_due;
use crate::login::ssh_key::{self, Made as Key};
use crate::login::{self, keep};
use crate::login::{day, days_until, now, shown_by};
use crate::ui;
use crate::wire::block_on;

/// Keeps a login, and does what follows.
pub(crate) fn finish(cx: &Context, begun: &Begun, logged_in: LoggedIn) -> Outcome {
    let kept = Kept::keep(cx, begun, logged_in)?;
    block_on(kept.go_on(cx, begun, None))
}

/// A login that is kept.
pub(super) struct Kept {
    logged_in: LoggedIn,
    before: Option<Credential>,
}

/// What there is of this device from a login on.
struct Made {
    /// Its id.
    device: Option<String>,
    /// What became of its SSH key, in words.
    key: String,
}

impl Kept {
    /// Keeps it. Nothing is asked of anybody before that.
    pub(super) fn keep(
        cx: &Context,
        begun: &Begun,
        logged_in: LoggedIn,
    ) -> Result<Self, CommandError> {
        let Begun { profile, place, .. } = begun;
        let before = Keeper::new(&cx.places).credential(profile).ok().flatten();
        keep::keep(cx, profile, place, &logged_in.credential)?;
        Ok(Self { logged_in, before })
    }

    /// The rest. Whoever stops it has the login all the same.
    pub(super) async fn go_on(
        mut self,
        cx: &Context,
        begun: &Begun,
        life: Option<Duration>,
    ) -> Outcome {
        if let Some(life) = life {
            device::shorten(cx, begun, &mut self.logged_in, life).await;
        }
        let logged_in = &mut self.logged_in;
        if logged_in.role.is_empty() {
            // It is shown and nothing else, so that it is no failure if it is not known.
            let client = Client::new(&begun.url, Some(&logged_in.credential.token))?;
            let me = client.me().await;
            logged_in.role = me.map_or_else(|_| String::new(), |me| me.role.as_str().to_owned());
        }
        revoke_before(cx, self.before, &logged_in.credential).await;
        let made = Made {
            device: device_id(cx),
            key: share_ssh_key(cx, &logged_in.credential).await,
        };
        show(cx, begun, logged_in, &made)?;
        Ok(DONE)
    }
}

/// The login that was replaced is ended at the server as well, if it can be reached. A key that was
/// given and not made here stays what it was.
async fn revoke_before(cx: &Context, before: Option<Credential>, new: &Credential) {
    let Some(before) = before.filter(|before| !before.is_same_token(new)) else {
        return;
    };
    if before.about.id.is_none() || before.about.refused {
        return;
    }
    let ended: Result<_, CommandError> = async {
        let mut token = before.token.clone();
        if let Some(refresh) = before.refresh.as_ref().filter(|_| is_due(&before, now())) {
            let client = Client::new(&before.about.url, None)?;
            token = client.refresh(refresh).await?.access;
        }
        let client = Client::new(&before.about.url, Some(&token))?;
        Ok(client.logout(false).await?)
    }
    .await;
    match ended {
        Ok(_) => cx.ui.note("the login before this one has been ended"),
        Err(error) if error.kind == Kind::Login => {}
        Err(_) => cx.ui.warn(&format!(
            "the login before this one could not be ended; {} list shows it",
            shown_by(before.about.kind)
        )),
    }
}

/// Makes this device's SSH key and gives it to the account. What fails is said, and is no reason to
/// lose the login.
async fn share_ssh_key(cx: &Context, credential: &Credential) -> String {
    let shared: Result<String, CommandError> = async {
        let (half, made) = ssh_key::ensure(cx)?;
        let client = Client::new(&credential.about.url, Some(&credential.token))?;
        let new = ssh_key::upload(&client, &half).await?;
        let print = half.fingerprint;
        Ok(match (made, new) {
            (Key::WasThere, false) => format!("SSH key {print} registered already"),
            (Key::WasThere, true) => format!("SSH key {print} registered"),
            (_, _) => format!("SSH key {print} made; its private half stays here"),
        })
    }
    .await;
    shared.unwrap_or_else(|error| {
        cx.ui.warn(&format!(
            "the SSH key of this device is not registered: {}",
            error.message
        ));
        "SSH key not registered; wharf keys add tries again".to_owned()
    })
}

/// The id of this device. What fails is said, and is no reason to lose the login.
fn device_id(cx: &Context) -> Option<String> {
    let id = login::device::id(cx);
    id.inspect_err(|error| {
        cx.ui
            .warn_always(&format!("no device id: {}", error.message));
    })
    .ok()
}

/// A token of the surroundings that is used instead of the login just made.
fn outranked(cx: &Context) {
    let file = cx.settings.set_by("token_file");
    let file = file.filter(|set| !matches!(set.origin, Origin::Flag(_)));
    let by = match file {
        _ if cx.world.has("WHARF_TOKEN") => "WHARF_TOKEN".to_owned(),
        Some(set) => format!("the token file of {}", set.origin),
        None => return,
    };
    cx.ui.warn_always(&format!(
        "{by} outranks this login here, except with --profile"
    ));
}

fn show(
    cx: &Context,
    begun: &Begun,
    logged_in: &LoggedIn,
    made: &Made,
) -> Result<(), CommandError> {
    let Begun { profile, place, .. } = begun;
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
            "device": made.device,
        });
        ui::data(&format!("{answer}\n"))?;
        outranked(cx);
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
    cx.ui.event(&format!(
        "{user}{org}{until}; kept in {place}; {}",
        made.key
    ));
    outranked(cx);
    cx.ui.note(&format!(
        "profile {profile} is used from now on; wharf auth switch chooses another"
    ));
    Ok(())
}
