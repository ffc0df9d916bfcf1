//! How it is with the sync of this machine, for `wharf doctor`; and forgetting it, for `wharf reset`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wharf_localstate::FileLock;
use wharf_sync::apply;

use super::account::Account;
use super::offline::remembered;
use super::place::seconds;
use super::report::{ago, short};
use super::sites;
use super::state::State;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// How it is.
#[derive(Debug)]
pub(crate) struct Health {
    /// The directory.
    pub(crate) shown: String,
    /// What was agreed on last, and when.
    pub(crate) base: String,
    /// How long ago the server was asked, in words.
    pub(crate) asked: String,
    /// The same in days.
    pub(crate) asked_days: i64,
    /// Edits of this machine that were not sent.
    pub(crate) kept: usize,
    /// Where somebody has to choose.
    pub(crate) conflicts: usize,
    /// An operation did not come to its end.
    pub(crate) is_unfinished: bool,
    /// Whom it was synced for last, where that is not the login at hand.
    pub(crate) other: Option<String>,
}

/// How it is, as far as this machine knows; nothing where nothing was ever synced. What was synced for
/// another login, or by another address of a server, is told as that.
pub(crate) fn health(cx: &Context) -> Result<Option<Health>, CommandError> {
    let account = match Account::of(cx) {
        Ok(account) => Some(account),
        Err(error) if error.kind == Kind::Login => None,
        Err(error) => return Err(error),
    };
    let owner = account.as_ref().and_then(|it| it.owner.as_deref());
    let last = State::last(cx, &sites::claude(cx)?);
    let (known, other) = match (remembered(cx, owner)?, &last) {
        (None, Some((_, root))) => {
            // Without a login, it is the last one's that counts.
            let other = account.is_some().then(|| neutral_line(&root.who));
            (remembered(cx, Some(&root.owner))?, other)
        }
        (known, _) => (known, None),
    };
    let Some(known) = known else {
        return Ok(None);
    };
    let (now, sum) = (seconds(), known.plan.summary());
    Ok(Some(Health {
        base: match short(&known.base.version) {
            version if version.is_empty() => "nothing agreed on yet".to_owned(),
            version => format!("{version} agreed on {}", ago(known.times.agreed, now)),
        },
        shown: known.site.shown,
        asked: ago(known.times.asked, now),
        asked_days: now.saturating_sub(known.times.asked) / 86_400,
        kept: sum.kept,
        conflicts: sum.conflicts,
        is_unfinished: last.is_some_and(|(state, _)| apply::is_unfinished(&state.dir)),
        other,
    }))
}

/// The directory of all that a sync remembers, if it is there.
pub(crate) fn remembers(cx: &Context) -> Option<PathBuf> {
    Some(cx.places.sync_dir()).filter(|dir| dir.join("states").is_dir())
}

/// Forgets all of it: what was agreed on, and the backups. The agents' own directories stay as they
/// are.
pub(crate) fn forget(cx: &Context) -> Result<(), CommandError> {
    let dir = cx.places.sync_dir();
    let mut held = Vec::new();
    for lock in entries(&dir.join("roots")).filter(|it| it.extension().is_some_and(|e| e == "lock"))
    {
        let taken = FileLock::try_take(&lock)?.ok_or_else(|| {
            CommandError::new(
                Kind::TryLater,
                "a sync is at work; nothing of it was forgotten",
            )
        })?;
        held.push(taken);
    }
    if entries(&dir.join("states")).any(|state| apply::is_unfinished(&state)) {
        return Err(CommandError::failed("a sync did not come to its end")
            .hint("wharf sync completes it; then it can be forgotten"));
    }
    for part in ["states", "trees"] {
        gone(fs::remove_dir_all(dir.join(part)), &dir)?;
    }
    // Removing a lock would let two processes hold two files of the same name.
    let roots =
        entries(&dir.join("roots")).filter(|it| it.extension().is_some_and(|e| e == "json"));
    for file in roots.chain([dir.join("owners.json"), dir.join("run")]) {
        gone(fs::remove_file(&file), &file)?;
    }
    Ok(())
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn gone(removed: io::Result<()>, what: &Path) -> Result<(), CommandError> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CommandError::failed(format!("cannot remove {}", what.display())).because(error))
        }
        _ => Ok(()),
    }
}
