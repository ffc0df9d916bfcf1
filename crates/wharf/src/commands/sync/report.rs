//! What a sync found and did, as one answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wharf_api::profile::ProfileTree;
use wharf_sync::apply::Outcome;
use wharf_sync::plan::{Plan, Summary};

use super::place::{Place, seconds};
use super::rows::{self, Row};
use super::session::There;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::moment;
use crate::ui::{self, neutral::neutral_line};

/// Digits of a version that are shown.
const VERSION_SHOWN: usize = 7;

/// One directory of a report.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) agent: &'static str,
    pub(super) shown: String,
    pub(super) base: String,
    /// When both sides agreed last, in seconds since 1970; nothing where they never did.
    pub(super) agreed: Option<i64>,
    pub(super) rows: Vec<Row>,
    pub(super) summary: Summary,
    /// The paths in conflict.
    pub(super) conflicts: Vec<String>,
    /// Those of them that a side or a merge solves.
    pub(super) choices: Vec<String>,
    /// What there is not part of a profile.
    pub(super) foreign: Vec<String>,
    /// What was done; nothing where nothing was to be done or should be.
    pub(super) done: Option<Outcome>,
    /// What has no counterpart for this agent.
    pub(super) lost: Vec<(String, String)>,
}

impl Section {
    pub(super) fn new(place: &Place, plan: &Plan, texts: rows::Texts<'_>) -> Self {
        let base = place.work.base();
        let times = place.state.times();
        Self {
            agent: place.site.agent.name(),
            shown: place.site.shown.clone(),
            base: base.version.clone(),
            agreed: Some(times.agreed).filter(|at| *at > 0 && !base.manifest.is_empty()),
            rows: rows::rows(plan, texts),
            summary: plan.summary(),
            conflicts: plan
                .conflicts()
                .map(|(step, _)| step.path.to_string())
                .collect(),
            choices: plan
                .conflicts()
                .filter(|(_, why)| why.is_choice())
                .map(|(step, _)| step.path.to_string())
                .collect(),
            foreign: plan.foreign.iter().map(ToString::to_string).collect(),
            done: None,
            lost: Vec::new(),
        }
    }

    /// Whether both sides are the same.
    pub(super) fn is_settled(&self) -> bool {
        self.rows.is_empty()
    }

    fn is_claude(&self) -> bool {
        self.agent == "claude"
    }

    fn as_json(&self) -> Value {
        let sum = &self.summary;
        let done = self.done.as_ref();
        json!({
            "target": self.agent,
            "directory": self.shown,
            "base": self.base,
            "steps": self.rows.iter().map(rows::as_json).collect::<Vec<_>>(),
            "same": sum.same,
            "added": sum.added,
            "changed": sum.changed,
            "deleted": sum.deleted,
            "kept": sum.kept,
            "conflicts": sum.conflicts,
            "pending": sum.pending(),
            "foreign": self.foreign,
            "lost": self.lost.iter().map(|(path, what)| json!({ "path": path, "what": what }))
                .collect::<Vec<_>>(),
            "applied": done.is_some(),
            "operation": done.and_then(|done| done.operation),
            "skipped": done.map(|done| {
                let doubled = done.doubled.iter().flat_map(|(path, other)| [path, other]);
                let left: BTreeSet<_> = done.skipped.iter().chain(doubled).collect();
                left.into_iter().map(ToString::to_string).collect::<Vec<_>>()
            }),
        })
    }
}

/// All directories.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) there: There,
    pub(super) sections: Vec<Section>,
    /// Why a directory could not be synced.
    pub(super) failed: Vec<CommandError>,
    /// Nothing was to be written.
    pub(super) is_dry: bool,
    /// Something that is not settled is a failure.
    pub(super) is_check: bool,
}

impl Report {
    /// Shows it, and says how the command ends.
    pub(super) fn show(mut self, cx: &Context) -> Result<u8, CommandError> {
        if cx.ui.json {
            ui::data(&format!("{}\n", self.as_json()))?;
        } else if !cx.ui.quiet {
            let all = cx.ui.verbose;
            let sections = self.sections.iter();
            let text: String = sections.map(|it| self.section(it, all)).collect();
            ui::data(&text)?;
        }
        let code = self.code();
        let last = self.failed.pop();
        for error in &self.failed {
            cx.ui.error(error, error.kind.exit_code());
        }
        last.map_or(Ok(code), Err)
    }

    /// Whether something was written.
    pub(super) fn has_written(&self) -> bool {
        let mut done = self.sections.iter().filter_map(|it| it.done.as_ref());
        done.any(|done| done.operation.is_some())
    }

    /// What is told of each path, without what was done about it.
    pub(super) fn rows(&self) -> String {
        let rows = self.sections.iter().flat_map(|it| &it.rows);
        rows.map(|row| rows::as_json(row).to_string()).collect()
    }

    /// Whether both sides are the same everywhere.
    pub(super) fn is_settled(&self) -> bool {
        self.sections.iter().all(Section::is_settled) && self.failed.is_empty()
    }

    /// How many edits of this side could be sent.
    pub(super) fn edits(&self) -> usize {
        let ours = self.sections.iter().filter(|it| it.is_claude());
        ours.map(|it| it.summary.kept).sum()
    }

    fn code(&self) -> u8 {
        let unsettled = self.sections.iter().any(|it| !it.is_settled());
        if self.is_check {
            return if unsettled { PENDING } else { 0 };
        }
        let conflicts = self.sections.iter().any(|it| {
            let skipped = it.done.as_ref().is_some_and(Outcome::is_partial);
            it.summary.conflicts > 0 || skipped
        });
        if conflicts {
            Kind::Conflict.exit_code()
        } else {
            0
        }
    }

    pub(super) fn as_json(&self) -> Value {
        let tree = &self.there.tree;
        json!({
            "remote": {
                "version": tree.version,
                "commit_sha": tree.commit_sha,
                "author": tree.author,
                "updated_at": tree.updated_at,
                "files": tree.files.len(),
            },
            "dry_run": self.is_dry,
            "targets": self.sections.iter().map(Section::as_json).collect::<Vec<_>>(),
        })
    }

    fn section(&self, it: &Section, all: bool) -> String {
        let head = format!("{} -> {}", remote(&self.there.tree), it.shown);
        if it.is_settled() {
            let what = match it.summary.same {
                0 if it.is_claude() => "nothing on either side".to_owned(),
                1 => "the same, 1 file".to_owned(),
                n => format!("the same, {n} files"),
            };
            return format!("{head}  {what}\n{}", lost(it, all));
        }
        if self.is_first_contact(it) {
            return first_contact(&head, it, all);
        }
        let base = match it.agreed {
            Some(at) => format!("base {} ({})", short(&it.base), ago(at, seconds())),
            None => "first sync here".to_owned(),
        };
        let mut text = format!("{head}      {base}\n");
        text.push_str(&rows::text(&it.rows, all));
        text.push_str(&self.end(it));
        text.push_str(&lost(it, all));
        text
    }

    /// Nothing was ever saved there.
    fn is_first_contact(&self, it: &Section) -> bool {
        it.is_claude()
            && self.there.manifest.is_empty()
            && it.summary.kept == it.rows.len()
            && it.agreed.is_none()
    }

    /// What was done, and what comes next.
    fn end(&self, it: &Section) -> String {
        let sum = &it.summary;
        let mut text = match &it.done {
            Some(Outcome {
                operation: Some(number),
                written,
                deleted,
                ..
            }) => format!(
                "{} written (operation {}). Undo: wharf sync undo\n",
                count(written.len() + deleted.len(), "change", "changes"),
                named(it.agent, *number)
            ),
            _ if sum.pending() > 0 => format!(
                "{}, nothing written.\n",
                count(sum.pending(), "change", "changes")
            ),
            _ => "Nothing written.\n".to_owned(),
        };
        if let Some(done) = &it.done {
            for path in &done.skipped {
                let path = neutral_line(path.as_str());
                text.push_str(&format!("{path} was changed meanwhile and left alone.\n"));
            }
            text.push_str(&beside(done));
        }
        if sum.kept > 0 && it.is_claude() {
            let yours = count(sum.kept, "edit is yours", "edits are yours");
            text.push_str(&format!("{yours}. Send: wharf sync push\n"));
        }
        if let Some(first) = it.choices.first() {
            let conflicts = count(it.choices.len(), "conflict", "conflicts");
            let first = neutral_line(first);
            let next = if it.is_claude() {
                format!("Look: wharf sync diff. Next: wharf sync merge {first} | ")
            } else {
                "Next: ".to_owned()
            };
            let target = if it.is_claude() {
                String::new()
            } else {
                format!(" --target {}", it.agent)
            };
            text.push_str(&format!(
                "{conflicts}. {next}wharf sync{target} --prefer remote | local\n"
            ));
        }
        text.push_str(&stuck(it.conflicts.len().saturating_sub(it.choices.len())));
        if !it.foreign.is_empty() {
            let files = count(it.foreign.len(), "file there is", "files there are");
            text.push_str(&format!("{files} not part of a profile and left there.\n"));
        }
        text
    }
}

/// What to do with conflicts that no choice of a side solves.
pub(super) fn stuck(conflicts: usize) -> String {
    match conflicts {
        0 => String::new(),
        n => format!(
            "{} that no side solves. Move, rename or repair the file, then wharf sync\n",
            count(n, "conflict", "conflicts")
        ),
    }
}

/// Exit code of `--check`.
const PENDING: u8 = 3;

fn first_contact(head: &str, it: &Section, all: bool) -> String {
    let mut text = format!("{head}  the server has nothing yet\n");
    if all {
        text.push_str(&rows::text(&it.rows, all));
    }
    let yours = count(
        it.summary.kept,
        "file here is yours",
        "files here are yours",
    );
    text.push_str(&format!("{yours}. Send: wharf sync push\n"));
    text
}

/// What another agent cannot have.
fn lost(it: &Section, all: bool) -> String {
    if it.lost.is_empty() {
        return String::new();
    }
    if all {
        let lines = it.lost.iter().map(|(path, what)| {
            format!(
                "   lost -> {}  {}: {}\n",
                it.agent,
                neutral_line(path),
                neutral_line(what)
            )
        });
        return lines.collect();
    }
    let things = count(it.lost.len(), "thing has", "things have");
    format!("{things} no counterpart for {}; -v shows what.\n", it.agent)
}

/// The server's version with who made it and when.
pub(super) fn remote(tree: &ProfileTree) -> String {
    if tree.version.is_empty() {
        return "remote (empty)".to_owned();
    }
    let when = tree.updated_at.as_deref().and_then(moment);
    let when = when.map(|when| ago(when.millis() / 1000, seconds()));
    let who = tree.author.as_deref().map(author);
    let about: Vec<String> = who.into_iter().chain(when).collect();
    let version = short(&tree.version);
    if about.is_empty() {
        return format!("remote {version}");
    }
    format!("remote {version} ({})", about.join(", "))
}

/// Who made a version, without the address behind the name.
pub(super) fn author(said: &str) -> String {
    let name = said.split(" <").next().unwrap_or_default();
    neutral_line(name)
}

/// The beginning of a version, by which people know it.
pub(super) fn short(version: &str) -> String {
    neutral_line(version).chars().take(VERSION_SHOWN).collect()
}

/// An operation's name: a number, and for another agent's directory that agent's name before it.
pub(super) fn named(agent: &str, number: u64) -> String {
    match agent {
        "claude" => number.to_string(),
        other => format!("{other}:{number}"),
    }
}

/// How long ago that was.
pub(super) fn ago(then: i64, now: i64) -> String {
    let seconds = now.saturating_sub(then).max(0);
    match seconds {
        ..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// What else an apply tells, whoever asked for it: files that are one here, and what it has forgotten.
pub(super) fn beside(done: &Outcome) -> String {
    let mut text = String::new();
    for (path, other) in &done.doubled {
        let (path, other) = (neutral_line(path.as_str()), neutral_line(other.as_str()));
        text.push_str(&format!(
            "{path} and {other} are one file here, through a link, and differ there: left alone.\n"
        ));
    }
    if done.pruned.operations > 0 {
        let forgot = count(done.pruned.operations, "operation", "operations");
        text.push_str(&format!(
            "{forgot} can no longer be undone, to make room.\n"
        ));
    }
    text
}

/// A number of things.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_as_people_count() {
        let told = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 864_000].map(|s| ago(0, s));
        assert_eq!(
            told,
            [
                "just now",
                "just now",
                "1 min ago",
                "59 min ago",
                "1 h ago",
                "23 h ago",
                "1 d ago",
                "10 d ago"
            ]
        );
        assert_eq!(ago(10, 5), "just now");
    }

    #[test]
    fn operations_of_other_agents_are_named_by_them() {
        assert_eq!(named("claude", 3), "3");
        assert_eq!(named("opencode", 3), "opencode:3");
    }
}
