//! What was sent, in words.

use serde_json::json;
use wharf_api::profile::ProfileTree;
use wharf_sync::plan::{Plan, Push, SentKind};

use super::RULES;
use crate::commands::sync::report::{count, remote, stuck};
use crate::commands::sync::rows::size;
use crate::commands::sync::session::Look;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::error::Kind;
use crate::ui::{self, neutral::neutral_line};

/// Lines that are shown without `-v`.
const SHOWN_MAX: usize = 40;

pub(super) fn nothing(cx: &Context, look: &Look, plan: &Plan) -> Outcome {
    let conflicts = plan.summary().conflicts;
    if cx.ui.json {
        let none = json!({
            "sent": [], "version": look.there.tree.version, "conflicts": conflicts,
        });
        ui::data(&format!("{none}\n"))?;
    } else if !cx.ui.quiet {
        let shown = &look.place.site.shown;
        let there = remote(&look.there.tree);
        ui::data(&format!("{shown} -> {there}  nothing to send\n"))?;
        ui::data(&conflict_line(plan))?;
    }
    Ok(code(conflicts))
}

pub(super) fn show(
    cx: &Context,
    look: &Look,
    push: &Push,
    plan: &Plan,
    before: Option<&ProfileTree>,
) -> Outcome {
    let conflicts = plan.summary().conflicts;
    let back = comes_back(look, push, before.is_some());
    if cx.ui.json {
        let sent = push.sent.iter().map(|sent| {
            json!({
                "path": sent.path.as_str(),
                "action": word(sent.kind),
                "size": sent.entry.map(|entry| entry.size),
                "gives_up_remote": sent.gives_up_remote,
            })
        });
        let answer = json!({
            "sent": sent.collect::<Vec<_>>(),
            "version": look.there.tree.version,
            "commit_sha": look.there.tree.commit_sha,
            "dry_run": before.is_none(),
            "comes_back": back,
            "conflicts": conflicts,
        });
        ui::data(&format!("{answer}\n"))?;
        return Ok(code(conflicts));
    }
    if cx.ui.quiet {
        return Ok(code(conflicts));
    }
    let shown = &look.place.site.shown;
    let mut text = format!(
        "{shown} -> {}\n",
        remote(before.unwrap_or(&look.there.tree))
    );
    let shown_max = if cx.ui.verbose { usize::MAX } else { SHOWN_MAX };
    for sent in push.sent.iter().take(shown_max) {
        let letter = match sent.kind {
            SentKind::Add => 'A',
            SentKind::Change => 'M',
            SentKind::Delete => 'D',
        };
        let path = neutral_line(sent.path.as_str());
        let size = sent.entry.map_or_else(String::new, |it| size(it.size));
        let line = format!("   {letter}  ->    {path}  {size}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let left = push.sent.len().saturating_sub(shown_max);
    if left > 0 {
        text.push_str(&format!("   … and {left} more; -v shows all\n"));
    }
    let files = count(push.sent.len(), "file", "files");
    text.push_str(&match before {
        Some(_) => format!("{files} sent: {} now.\n", remote(&look.there.tree)),
        None => format!("{files}, nothing sent.\n"),
    });
    for path in &back {
        let path = neutral_line(path);
        text.push_str(&format!(
            "{path} is not yours alone and comes back with wharf sync.\n"
        ));
    }
    text.push_str(&conflict_line(plan));
    ui::data(&text)?;
    Ok(code(conflicts))
}

const fn word(kind: SentKind) -> &'static str {
    match kind {
        SentKind::Add => "add",
        SentKind::Change => "change",
        SentKind::Delete => "delete",
    }
}

/// What the server has otherwise than it was sent.
fn comes_back(look: &Look, push: &Push, is_sent: bool) -> Vec<String> {
    if !is_sent {
        return Vec::new();
    }
    let other = push.sent.iter().filter(|sent| {
        // The server says itself whether what is others' in that text was to be changed.
        let is_theirs =
            sent.path.as_str() != RULES || sent.entry.is_none() || look.there.tree.block_ignored;
        is_theirs && look.there.manifest.get(&sent.path).copied() != sent.entry
    });
    other.map(|sent| sent.path.to_string()).collect()
}

fn conflict_line(plan: &Plan) -> String {
    let choices = plan.conflicts().filter(|(_, why)| why.is_choice()).count();
    let mut text = match choices {
        0 => String::new(),
        n => format!(
            "{} not sent. Look: wharf sync diff. Next: wharf sync merge FILE\n",
            count(n, "conflict", "conflicts")
        ),
    };
    text.push_str(&stuck(plan.summary().conflicts.saturating_sub(choices)));
    text
}

fn code(conflicts: usize) -> u8 {
    if conflicts > 0 {
        Kind::Conflict.exit_code()
    } else {
        DONE
    }
}
