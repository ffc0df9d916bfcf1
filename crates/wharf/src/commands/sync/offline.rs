//! What is known while the server is away.

use serde_json::json;
use wharf_sync::apply::Base;
use wharf_sync::plan::{Options, Plan, plan};
use wharf_sync::profile::Manifest;

use super::account::Account;
use super::place::{self, seconds};
use super::report::{ago, count, short};
use super::rows;
use super::sites::{self, Site};
use super::state::{Known, State, Times};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;

/// The code of the error that the server is away.
pub(super) const OFFLINE: &str = "offline";

/// What was agreed on last, and what is other by now.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) site: Site,
    pub(super) base: Base,
    pub(super) times: Times,
    /// The newest version that the server told.
    pub(super) version: String,
    /// From what was agreed on, what is here, and what the server told last.
    pub(super) plan: Plan,
}

/// Looks without a server and without the lock; nothing where nothing was ever synced.
pub(super) fn remembered(
    cx: &Context,
    owner: Option<&str>,
) -> Result<Option<Remembered>, CommandError> {
    let Some(owner) = owner else {
        return Ok(None);
    };
    let site = sites::claude(cx)?;
    let state = State::of(cx, owner, &site);
    let (base, mut times) = (Base::peek(&state.dir)?, state.times());
    let Some(known) = Known::of(cx, owner) else {
        return Ok(None);
    };
    // A sync that came to nothing has asked, too.
    times.asked = times.asked.max(known.at);
    let here = place::look(&site, None)?;
    let remote = super::session::manifest(&known.tree.files)?;
    let options = Options {
        unreadable: here.unreadable(&base.manifest),
        ignores_case: here.ignores_case,
        ..Options::default()
    };
    // As with the lock: a directory that is gone was not emptied by hand.
    let agreed = if place::is_emptied(&site, &base.manifest, &here) {
        Manifest::default()
    } else {
        base.manifest.clone()
    };
    let plan = plan(&agreed, &base.seen(&here.manifest), &remote, &options);
    Ok(Some(Remembered {
        site,
        base,
        times,
        version: known.tree.version,
        plan,
    }))
}

/// Makes an error one that says to try later.
pub(super) fn away(mut error: CommandError) -> CommandError {
    error.kind = Kind::TryLater;
    OFFLINE.clone_into(&mut error.code);
    error.hint("try again when the server can be reached")
}

/// Tells what is known.
pub(super) fn tell(cx: &Context) -> Result<(), CommandError> {
    let account = Account::of(cx)?;
    let known = remembered(cx, account.owner.as_deref())?;
    if cx.ui.json {
        ui::data(&format!("{}\n", as_json(known.as_ref())))?;
    } else if !cx.ui.quiet {
        ui::data(&text(known.as_ref(), cx.ui.verbose))?;
    }
    Ok(())
}

fn text(known: Option<&Remembered>, all: bool) -> String {
    let Some(known) = known else {
        return "Nothing was synced with this server yet.\n".to_owned();
    };
    let now = seconds();
    let base = match short(&known.base.version) {
        version if version.is_empty() => "nothing agreed yet".to_owned(),
        version => format!("base {version} ({})", ago(known.times.agreed, now)),
    };
    let mut text = format!(
        "remote (away, asked {}) -> {}      {base}\n",
        ago(known.times.asked, now),
        known.site.shown
    );
    let rows = rows::rows(&known.plan, &|_| None);
    text.push_str(&rows::text(&rows, all));
    let sum = known.plan.summary();
    if sum.kept > 0 {
        let yours = count(sum.kept, "edit is yours", "edits are yours");
        text.push_str(&format!("{yours}, to be sent when the server is back.\n"));
    } else if known.plan.is_settled() {
        text.push_str("Nothing was edited here since.\n");
    }
    text
}

fn as_json(known: Option<&Remembered>) -> serde_json::Value {
    let Some(known) = known else {
        return json!({ "offline": true, "known": false });
    };
    let rows = rows::rows(&known.plan, &|_| None);
    json!({
        "offline": true,
        "known": true,
        "base": known.base.version,
        "remote_when_asked": known.version,
        "agreed_at": known.times.agreed,
        "asked_at": known.times.asked,
        "directory": known.site.shown,
        "steps": rows.iter().map(rows::as_json).collect::<Vec<_>>(),
    })
}
