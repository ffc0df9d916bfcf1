//! `wharf auth switch [NAME]`

use serde_json::json;
use wharf_localstate::credentials::Keeper;

use crate::commands::{DONE, Outcome};
use crate::config::Origin;
use crate::config::nearest::nearest;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::{LOCAL, day, keep, target};
use crate::ui::{self, table::table};

/// List the logins of this machine, or choose the one to use
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf auth switch              list them\n  wharf auth switch acme         use that one from now on\n  wharf auth switch local        use this machine's own server"
)]
pub(crate) struct Args {
    /// The profile to use from now on; local: this machine's own server
    name: Option<String>,
}

pub(crate) fn switch(cx: &Context, args: &Args) -> Outcome {
    match &args.name {
        Some(name) => choose(cx, name),
        None => list(cx),
    }
}

fn choose(cx: &Context, name: &str) -> Outcome {
    let known = target::known(cx)?;
    if name != LOCAL && !known.iter().any(|known| known == name) {
        let error = CommandError::new(Kind::NotFound, format!("there is no profile {name}"));
        return Err(match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint("wharf auth login makes one"),
        });
    }
    keep::use_profile(cx, name, None)?;
    let server = match name {
        LOCAL => "this machine's own server".to_owned(),
        name => target::bound(cx, name)?,
    };
    cx.ui
        .event(&format!("{name} is used from now on: {server}"));
    if let Some(origin @ Origin::Env(_)) = cx.settings.set_by("profile").map(|set| &set.origin) {
        cx.ui.warn_always(&format!("{origin} outranks it here"));
    }
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            json!({ "profile": name, "server": server })
        ))?;
    }
    Ok(DONE)
}

fn list(cx: &Context) -> Outcome {
    let keeper = Keeper::new(&cx.places);
    let mut logins = keeper.list()?;
    let current = cx.settings.get("profile").map(ToString::to_string);
    let current = current.unwrap_or_else(|| LOCAL.to_owned());
    let mut rows = vec![[
        mark(&current, LOCAL),
        LOCAL.to_owned(),
        "this machine's own server".to_owned(),
        "needs no login".to_owned(),
        String::new(),
    ]];
    let mut all = Vec::new();
    for name in target::known(cx)? {
        let login = logins.remove(&name);
        let about = login.as_ref().and_then(|login| login.about.as_ref());
        let url = target::bound(cx, &name)?;
        let who = match about {
            Some(about) if about.refused => "ended; log in again".to_owned(),
            Some(about) => about
                .user
                .as_ref()
                .map_or_else(String::new, |user| user.name.clone()),
            None => "logged out".to_owned(),
        };
        let end = about.and_then(|about| about.expires_at);
        all.push(json!({
            "profile": name,
            "current": name == current,
            "url": url,
            "logged_in": about.is_some_and(|about| !about.refused),
            "user": about.and_then(|about| about.user.as_ref()).map(|user| &user.name),
            "organization": about.and_then(|about| about.org.as_ref()).map(|org| &org.name),
            "expires_at": end.map(|end| end.to_string()),
        }));
        let is_key = about.is_some_and(|it| it.kind == wharf_localstate::credentials::Kind::Key);
        let ends = end.filter(|_| is_key).map(day).unwrap_or_default();
        rows.push([mark(&current, &name), name, url, who, ends]);
    }
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            json!({ "current": current, "profiles": all })
        ))?;
    } else {
        ui::data(&table(["", "PROFILE", "SERVER", "LOGIN", "ENDS"], &rows))?;
    }
    Ok(DONE)
}

fn mark(current: &str, name: &str) -> String {
    if current == name { "*" } else { " " }.to_owned()
}
