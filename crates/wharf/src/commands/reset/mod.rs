//! `wharf reset`: this machine forgets who is logged in.

mod sandboxes;

use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::json;
use wharf_client::Client;
use wharf_localstate::credentials::Keeper;
use wharf_localstate::private;

use super::auth::logout;
use super::{DONE, Outcome, sync};
use crate::config::edit;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::{self, fresh, keep, ssh_key};
use crate::ui;
use crate::wire::block_on;

/// Forget what this machine has as a client
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf reset              logins, profiles and this device's SSH key; sandboxes are asked about
  wharf reset --all        this device's id as well, and what syncs remember with their backups

What a server keeps here, its record, database and token, is never touched.")]
pub(crate) struct Args {
    /// The device's id too, and what syncs remember
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Leave logins, keys and sandboxes on the servers as they are
    #[arg(long)]
    no_revoke: bool,
}

/// Says what goes, asks, ends what it leaves on servers, and forgets.
pub(crate) fn reset(cx: &Context, args: &Args) -> Outcome {
    let keeper = Keeper::new(&cx.places);
    // A list that cannot be read is what a reset is for.
    let (logins, damaged) = match keeper.list() {
        Ok(logins) => (logins, None),
        Err(error) => (Default::default(), Some(CommandError::from(error).message)),
    };
    let files = files(cx, args.all);
    let synced = sync::health::remembers(cx).filter(|_| args.all);
    if synced.is_none()
        && damaged.is_none()
        && logins.is_empty()
        && files.is_empty()
        && !has_profiles(cx)?
    {
        cx.ui.event("there is nothing to forget");
        return Ok(DONE);
    }
    let mut text = String::from("This machine will forget:\n");
    for (profile, login) in &logins {
        let about = login.about.as_ref();
        let url = about.map_or("no login", |about| about.url.as_str());
        text.push_str(&format!("  profile {profile}  {url}  in {}\n", login.place));
    }
    for file in &files {
        text.push_str(&format!("  {}\n", file.display()));
    }
    if let Some(dir) = &synced {
        text.push_str(&format!("  {}, with the backups of syncs\n", dir.display()));
    }
    if damaged.is_some() {
        text.push_str("  the list of logins, which is damaged\n");
    }
    text.push_str("Kept: settings, this machine's own server and all its data.\n");
    cx.ui.say(&ui::neutral::neutral(&text));
    if !args.yes && !ask(cx, "Forget it?")? {
        return Err(
            CommandError::new(Kind::Approval, "nothing was forgotten").hint("--yes does not ask")
        );
    }
    sandboxes::offer(cx, logins.keys(), args.yes && !args.no_revoke)?;
    let open = logins.iter();
    let open: Vec<_> = open
        .filter_map(|(profile, login)| Some((profile, login.about.as_ref()?.kind)))
        .collect();
    let revoke = !open.is_empty()
        && !args.no_revoke
        && (args.yes || ask(cx, "End these logins on their servers too?")?);
    let mut left = Vec::new();
    for (profile, kind) in open {
        let shown = format!("{} list there shows it", login::shown_by(kind));
        if revoke {
            remove_key(cx, profile);
            let ended = logout::end(cx, &keeper, profile, false);
            let why = ended.unwrap_or_else(|error| Some(format!("{}; {shown}", error.message)));
            left.extend(why.map(|why| (profile.to_owned(), why)));
        } else {
            let why = format!("its login goes on at the server; {shown}");
            left.push((profile.to_owned(), why));
        }
    }
    if synced.is_some() {
        sync::health::forget(cx)?;
    }
    forget(cx, &keeper, logins.keys(), &files)?;
    for (profile, why) in &left {
        cx.ui.warn_always(&format!("{profile}: {why}"));
    }
    if let Some(why) = damaged {
        cx.ui.warn_always(&format!(
            "{why}; its logins go on at their servers, and a keyring may still hold them"
        ));
    }
    cx.ui.event("forgotten");
    if cx.ui.json {
        let left: Vec<_> = left.iter().map(|(profile, _)| profile).collect();
        ui::data(&format!(
            "{}\n",
            json!({ "reset": true, "left_on_servers": left })
        ))?;
    }
    Ok(DONE)
}

fn ask(cx: &Context, question: &str) -> Result<bool, CommandError> {
    block_on(async { Ok(cx.ui.yes(question).await) })
}

/// Files of this device that are there.
fn files(cx: &Context, all: bool) -> Vec<PathBuf> {
    let key = cx.places.ssh_key_file();
    let mut files = vec![key.with_extension("pub"), key];
    if all {
        files.push(cx.places.device_id_file());
    }
    files.retain(|file| file.exists());
    files
}

fn has_profiles(cx: &Context) -> Result<bool, CommandError> {
    let text = private::read(&cx.places.config_file())?.unwrap_or_default();
    Ok(edit::forget_profiles(&text).is_ok_and(|new| new.is_some()))
}

/// Takes this device's SSH key from the account. A server that is gone keeps it.
fn remove_key(cx: &Context, profile: &str) {
    let Ok(Some((half, _))) = ssh_key::look(&cx.places) else {
        return;
    };
    let remove = || -> Result<(), CommandError> {
        let url = login::target::bound(cx, profile)?;
        let Some(token) = fresh::token(cx, profile, &url)? else {
            return Ok(());
        };
        let client = Client::new(&url, Some(&token))?;
        block_on(async {
            let keys = client.ssh_keys().await?.keys;
            for key in keys
                .iter()
                .filter(|key| key.fingerprint == half.fingerprint)
            {
                client.remove_ssh_key(&key.id).await?;
            }
            Ok(())
        })
    };
    if let Err(error) = remove() {
        cx.ui.note(&format!(
            "the SSH key stays at the server of {profile}: {}",
            error.message
        ));
    }
}

fn forget<'a>(
    cx: &Context,
    keeper: &Keeper,
    profiles: impl Iterator<Item = &'a String>,
    files: &[PathBuf],
) -> Result<(), CommandError> {
    for profile in profiles {
        let held = keeper.hold(profile)?;
        if let Err(error) = keeper.remove(&held) {
            cx.ui
                .warn_always(&format!("{profile}: what its store holds stays: {error}"));
        }
    }
    let gone = |path: &PathBuf, removed: io::Result<()>| match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CommandError::failed(format!("cannot remove {}", path.display())).because(error))
        }
        _ => Ok(()),
    };
    for file in files {
        gone(file, fs::remove_file(file))?;
    }
    for entry in fs::read_dir(cx.places.credentials_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let file = entry.path();
        // Removing a lock would let two processes hold two files of the same name.
        if file.extension().is_none_or(|it| it != "lock") {
            gone(&file, fs::remove_file(&file))?;
        }
    }
    let _changing = keep::changing(cx)?;
    let file = cx.places.config_file();
    let text = private::read(&file)?.unwrap_or_default();
    let new = edit::forget_profiles(&text).map_err(|error| {
        CommandError::failed(format!("cannot change {}", file.display())).because(error)
    })?;
    match new {
        Some(new) => Ok(private::write(&file, new.as_bytes())?),
        None => Ok(()),
    }
}
