//! Where a new login goes, found out before anybody logs in.

use std::path::PathBuf;

use wharf_localstate::credentials::{Credential, KeepError, Keeper, LeftBehind, Place, StoreError};
use wharf_localstate::{FileLock, private};
use wharf_model::Secret;

use crate::config::edit;
use crate::context::Context;
use crate::error::{CommandError, Kind};

/// How a store is asked for, if it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreChoice {
    /// The desktop's keyring
    Keyring,
    /// The kernel's keyring: until restart, or a few days after you log out
    Kernel,
    /// A file that only you can read
    File,
}

/// Where a login is to be kept.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct StoreArgs {
    /// Keep the login in a file that only you can read
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    store_file: Option<Option<PathBuf>>,
    /// Where to keep the login; without it where the last one was, else in the keyring
    #[arg(long, value_enum, value_name = "STORE", conflicts_with = "store_file")]
    store: Option<StoreChoice>,
}

impl StoreArgs {
    /// Whether anything is asked for.
    pub(crate) const fn is_given(&self) -> bool {
        self.store.is_some() || self.store_file.is_some()
    }
}

/// The place for the next login of a profile, tried out: as asked for, else where the last one
/// was, else the keyring. What does not work is an error with the choices that there are.
pub(crate) fn place(cx: &Context, profile: &str, args: &StoreArgs) -> Result<Place, CommandError> {
    let (choice, file) = match &args.store_file {
        Some(file) => (Some(StoreChoice::File), file.as_ref()),
        None => (args.store, None),
    };
    let keeper = Keeper::new(&cx.places);
    cx.places.make_state()?;
    let place = match choice {
        Some(StoreChoice::Keyring) => Place::SecretService,
        Some(StoreChoice::Kernel) => Place::Kernel,
        Some(StoreChoice::File) => Place::File(match file {
            Some(file) => absolute(cx, file),
            None => keeper.usual_file(profile)?,
        }),
        None => {
            let before = keeper.login(profile)?;
            before.map_or(Place::SecretService, |login| login.place)
        }
    };
    if let Place::File(file) = &place {
        not_somebody_elses(file)?;
    }
    keeper
        .probe(profile, &place)
        .map_err(|error| no_store(&place, error))?;
    cx.ui.note(&format!("store: {place}, write test ok"));
    Ok(place)
}

/// A file that holds something else than a login is not overwritten.
fn not_somebody_elses(file: &std::path::Path) -> Result<(), CommandError> {
    let there = private::read(file)?.filter(|text| !text.trim().is_empty());
    let is_login = |text: String| Credential::from_text(&Secret::new(text)).is_some();
    if there.is_none_or(is_login) {
        return Ok(());
    }
    let message = format!("{} is there already and holds no login", file.display());
    Err(CommandError::new(Kind::Conflict, message).hint("name another file"))
}

fn absolute(cx: &Context, file: &std::path::Path) -> PathBuf {
    match cx.world.cwd() {
        Some(cwd) => cwd.join(file),
        None => file.to_owned(),
    }
}

/// Nothing is stored anywhere else than where it was asked for: the person chooses.
fn no_store(place: &Place, error: KeepError) -> CommandError {
    let KeepError::Store(store) = &error else {
        return error.into();
    };
    let is_locked = matches!(store, StoreError::Locked | StoreError::Slow(_));
    let mut said = CommandError::from(error);
    said.code = "no_store".to_owned();
    // Those are for whoever has a login.
    said.hints.clear();
    if matches!(place, Place::File(_)) {
        return said.hint("name another file with --store-file=PATH, or set WHARF_TOKEN");
    }
    if is_locked {
        said = said.hint("unlock it and log in again");
    }
    said.hint("wharf auth login --store-file keeps the login in a file that only you can read")
        .hint("or set WHARF_TOKEN to a key, and nothing is kept; nobody was asked to log in yet")
}

/// Keeps a login, makes its profile the usual one, and notes its server in the user's file.
pub(crate) fn keep(
    cx: &Context,
    profile: &str,
    place: &Place,
    credential: &Credential,
) -> Result<(), CommandError> {
    let keeper = Keeper::new(&cx.places);
    let held = keeper.hold(profile)?;
    let left = keeper.put(&held, place, credential)?;
    drop(held);
    if let Some(LeftBehind { place, error }) = left {
        cx.ui.warn_always(&format!(
            "the login before this one could not be deleted from {place}: {error}"
        ));
    }
    use_profile(cx, profile, Some(&credential.about.url))
}

/// Waits until nobody else changes the user's settings.
pub(crate) fn changing(cx: &Context) -> Result<FileLock, CommandError> {
    cx.places.make_state()?;
    Ok(FileLock::wait(&cx.places.config_lock())?)
}

/// Makes a profile the usual one.
pub(crate) fn use_profile(
    cx: &Context,
    profile: &str,
    url: Option<&str>,
) -> Result<(), CommandError> {
    cx.places.make_config()?;
    let _changing = changing(cx)?;
    let file = cx.places.config_file();
    let failed = |error: edit::EditError| {
        CommandError::failed(format!("cannot change {}", file.display())).because(error)
    };
    let old = private::read(&file)?.unwrap_or_default();
    let name = crate::config::value::Value::Text(profile.to_owned());
    let mut new = edit::set(&old, "profile", &name).map_err(failed)?;
    if let Some(url) = url {
        new = edit::set_profile(&new, profile, url).map_err(failed)?;
    }
    if new != old {
        private::write(&file, new.as_bytes())?;
    }
    Ok(())
}
