//! What changed in a sandbox, fetched, and what is made of it here: a patch, a branch, or the files
//! themselves. Nothing here is overwritten that would be lost.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Value, json};
use wharf_workspace::path::RelPath;
use wharf_workspace::plan::Provided;
use wharf_workspace::pull::apply::{Applied, ConflictWhy};
use wharf_workspace::pull::branch::{Branched, Commit, Git, branch};
use wharf_workspace::pull::diff::Patch;
use wharf_workspace::pull::{Bounds, Change, Incoming, Refused, RefusedWhy};
use wharf_workspace::round::{Choice, Round};

use super::place::Place;
use super::take::{self, name};
use crate::context::Context;
use crate::error::CommandError;
use crate::login::now;
use crate::sandbox::{Line, Machine, quoted};

/// Names that are listed before the rest is counted.
pub(super) const LISTED_MAX: usize = 20;

/// What changed there, with its contents.
pub(crate) struct Back<'a> {
    place: &'a Place,
    machine: &'a Machine,
    round: Round,
    incoming: Incoming,
}

/// Fetches it. Nothing of this side is written but a place of our own.
pub(crate) async fn bring<'a>(
    cx: &Context,
    place: &'a Place,
    line: &Line,
    machine: &'a Machine,
    git: bool,
) -> Result<Back<'a>, CommandError> {
    let round = take::look_at(cx, place, line, machine, git).await?;
    let (provided, bounds) = (Provided::default(), Bounds::default());
    let incoming = round.fetch(&line.connection, &provided, &bounds).await?;
    Ok(Back {
        place,
        machine,
        round,
        incoming,
    })
}

impl Back<'_> {
    /// Whether there is nothing to bring.
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.changes().is_empty()
    }

    /// What changed there and is not brought, a line each, with the way to it; none where there is
    /// nothing. A sandbox that is ended takes it along, so it is said each time.
    pub(crate) fn not_taken(&self, only: &[RelPath]) -> Option<String> {
        let mut refused = self.incoming.refused.iter();
        let wanted = |path: &RelPath| only.is_empty() || is_named(only, path);
        let count = refused.clone().filter(|it| wanted(&it.path)).count();
        let first = refused.find(|it| wanted(&it.path))?;
        let mut text = String::new();
        let refused = self.incoming.refused.iter();
        for refused in refused.filter(|it| wanted(&it.path)).take(LISTED_MAX) {
            text.push_str(&not_taken(refused));
        }
        if count > LISTED_MAX {
            text.push_str(&format!("  and {} more\n", count - LISTED_MAX));
        }
        let (path, session) = (name(first.path.as_bytes()), &self.machine.session);
        let at = quoted(&format!(":{}/{path}", self.machine.workspace));
        text.push_str(&format!(
            "  in the sandbox alone; wharf cp --sandbox {session} {at} . brings a file"
        ));
        Some(text)
    }

    /// The same, for programs.
    pub(crate) fn refused_json(&self) -> Value {
        let refused = self.incoming.refused.iter();
        let refused = refused.map(|it| {
            json!({
                "path": name(it.path.as_bytes()), "why": why_refused(it.why),
            })
        });
        refused.collect()
    }

    /// The changes, a line each, and what of them is not taken.
    pub(crate) fn list(&self) -> String {
        let changes = self.incoming.changes();
        let mut text: String = changes
            .iter()
            .take(LISTED_MAX)
            .map(|change| format!("  {} {}\n", letter(change), name(change.path.as_bytes())))
            .collect();
        if changes.len() > LISTED_MAX {
            text.push_str(&format!("  and {} more\n", changes.len() - LISTED_MAX));
        }
        for refused in self.incoming.refused.iter().take(LISTED_MAX) {
            text.push_str(&not_taken(refused));
        }
        let more = self.incoming.refused.len().saturating_sub(LISTED_MAX);
        if more > 0 {
            text.push_str(&format!("  and {more} more are not taken\n"));
        }
        if self.incoming.left > 0 {
            text.push_str(&format!(
                "  {} more are left there by rules\n",
                self.incoming.left
            ));
        }
        text
    }

    /// In words, how much it is.
    pub(crate) fn summary(&self) -> String {
        match self.incoming.changes().len() {
            0 => format!("nothing changed in {}", self.machine.session),
            1 => format!("1 file changed in {}", self.machine.session),
            count => format!("{count} files changed in {}", self.machine.session),
        }
    }

    /// As a patch.
    pub(crate) fn patch(&self) -> Result<Patch, CommandError> {
        Ok(self.round.patch(&self.incoming)?)
    }

    /// As a branch of the repository that the directory is; none where nothing of it changed.
    pub(crate) fn branch(
        &self,
        cx: &Context,
        branch_name: &str,
        message: Option<&str>,
    ) -> Result<Branched, CommandError> {
        let is_ours = |named: &(&str, &str)| !named.0.starts_with("GIT_");
        let env = cx.world.variables();
        let git = Git {
            program: PathBuf::from("git"),
            env: env
                .filter(is_ours)
                .map(|(name, value)| (OsString::from(name), OsString::from(value)))
                .collect(),
        };
        let session = &self.machine.session;
        let usual = format!("Changes made in {session}\n");
        let commit = Commit {
            branch: branch_name,
            message: message.unwrap_or(&usual),
            author: "Wharf sandbox",
            email: &format!("{session}@sandbox.invalid"),
            at: now().millis() / 1000,
        };
        Ok(branch(
            &self.incoming,
            self.place.workspace.root(),
            &git,
            &commit,
        )?)
    }

    /// Makes the changes here, and tells the far side that they are known.
    pub(crate) async fn apply(
        &self,
        line: &Line,
        force: bool,
        only: &[RelPath],
    ) -> Result<Applied, CommandError> {
        let wanted = |path: &RelPath| is_named(only, path);
        let has_names = !only.is_empty();
        let choice = Choice {
            force,
            // Whoever names the rules of what is sent has said yes to them.
            rules: has_names,
            only: if has_names { Some(&wanted) } else { None },
        };
        let applying = self.round.apply(&line.connection, &self.incoming, choice);
        Ok(applying.await?)
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let changes = self.incoming.changes().iter();
        json!({
            "session": self.machine.session,
            "changes": changes.map(|it| json!({
                "path": name(it.path.as_bytes()), "change": letter(it).to_string(),
            })).collect::<Vec<_>>(),
            "refused": self.refused_json(),
            "left_there": self.incoming.left,
        })
    }
}

/// Whether it is one of them, or below one.
fn is_named(only: &[RelPath], path: &RelPath) -> bool {
    let is_within = |one: &RelPath| path == one || path.is_within(one.as_bytes());
    only.iter().any(is_within)
}

fn not_taken(refused: &Refused) -> String {
    let path = name(refused.path.as_bytes());
    format!("  - {path}  not taken: {}\n", why_refused(refused.why))
}

/// What was done here, in words.
pub(crate) fn applied_words(applied: &Applied) -> String {
    let mut text = format!("{} taken", applied.taken.len());
    if !applied.merged.is_empty() {
        text.push_str(&format!(", {} merged", applied.merged.len()));
    }
    let names = |paths: &[RelPath]| {
        let names = paths
            .iter()
            .take(LISTED_MAX)
            .map(|path| name(path.as_bytes()));
        names.collect::<Vec<_>>().join(", ")
    };
    if !applied.marked.is_empty() {
        text.push_str(&format!(
            "; both are in, between marks: {}",
            names(&applied.marked)
        ));
    }
    for conflict in applied.conflicts.iter().take(LISTED_MAX) {
        let path = name(conflict.path.as_bytes());
        text.push_str(&format!(
            "; left alone: {path} ({})",
            why_conflict(conflict.why)
        ));
    }
    if let Some(why) = &applied.untold {
        text.push_str(&format!(
            "; the sandbox could not be told ({why}): the next look compares both sides anew"
        ));
    }
    text
}

/// The same, for programs.
pub(crate) fn applied_json(applied: &Applied, refused: &Value) -> Value {
    let names = |paths: &[RelPath]| -> Vec<String> {
        paths.iter().map(|path| name(path.as_bytes())).collect()
    };
    let conflicts = applied.conflicts.iter();
    json!({
        "taken": names(&applied.taken),
        "merged": names(&applied.merged),
        "marked": names(&applied.marked),
        "conflicts": conflicts.map(|it| json!({
            "path": name(it.path.as_bytes()), "why": why_conflict(it.why),
        })).collect::<Vec<_>>(),
        "untold": applied.untold,
        "refused": refused,
    })
}

/// Whether somebody has to look at it.
pub(crate) fn is_clean(applied: &Applied) -> bool {
    applied.marked.is_empty() && applied.conflicts.is_empty()
}

const fn letter(change: &Change) -> char {
    match (&change.now, change.was_agreed) {
        (None, _) => 'D',
        (Some(_), false) => 'A',
        (Some(_), true) => 'M',
    }
}

const fn why_refused(why: RefusedWhy) -> &'static str {
    match why {
        RefusedWhy::Special => "it is a pipe, a socket or a device",
        RefusedWhy::LinkOutside => "the link leads out of the directory",
        RefusedWhy::TooLarge => "it is too large",
        RefusedWhy::TooMuch => "all together would be too much",
        RefusedWhy::Impossible => "it is below something that is no directory",
        RefusedWhy::Missed => "it changed while it was fetched",
    }
}

const fn why_conflict(why: ConflictWhy) -> &'static str {
    match why {
        ConflictWhy::BothChanged => "changed on both sides",
        ConflictWhy::GoneHere => "changed there, gone here",
        ConflictWhy::GoneThere => "deleted there, changed here",
        ConflictWhy::ChangedSince => "changed here meanwhile",
        ConflictWhy::Rules => "it decides what is sent there: it is taken when it is named",
        ConflictWhy::NoPlace => "there is no place for it",
    }
}
