//! A plan as lines for people and members for programs.

use serde_json::{Value, json};
use wharf_sync::merge::diff;
use wharf_sync::plan::{Action, Contents, Mine, Origin, Plan, Step};
use wharf_sync::profile::Entry;

use crate::ui::neutral::neutral_line;

/// Lines that are shown of one plan without `-v`.
const ROWS_SHOWN: usize = 40;

/// One path.
#[derive(Debug, Clone)]
pub(super) struct Row {
    path: String,
    there: char,
    here: char,
    arrow: &'static str,
    note: String,
    action: &'static str,
    lines: Option<(usize, usize)>,
    gives_up: Option<&'static str>,
}

/// The contents of one path before and after, where they are at hand.
pub(super) type Texts<'a> = &'a dyn Fn(&Step) -> Option<(String, String)>;

/// The rows of a plan.
pub(super) fn rows(plan: &Plan, texts: Texts<'_>) -> Vec<Row> {
    plan.steps.iter().map(|step| row(step, texts)).collect()
}

fn row(step: &Step, texts: Texts<'_>) -> Row {
    let mut lines = None;
    let (arrow, action, note) = match &step.action {
        Action::Write { to, from } => {
            if *from != Origin::Here {
                lines = texts(step).map(|(old, new)| diff::count(&old, &new));
            }
            ("->", "write", written(step, to, *from, lines))
        }
        Action::Delete => ("->", "delete", "to backup".to_owned()),
        Action::Keep(mine) => ("<-", "keep", kept(step, *mine)),
        Action::Conflict(why) => ("><", "conflict", why.to_string()),
    };
    let gives_up = match (step.gives_up_local, step.gives_up_remote) {
        (true, _) => Some("local"),
        (_, true) => Some("remote"),
        _ => None,
    };
    Row {
        path: step.path.to_string(),
        there: letter(step.base, step.remote),
        here: letter(step.base, step.local),
        arrow,
        note,
        action,
        lines,
        gives_up,
    }
}

fn written(step: &Step, to: &Entry, from: Origin, lines: Option<(usize, usize)>) -> String {
    let mut note = match (from, lines) {
        (Origin::Here, _) if to.executable => "may be run".to_owned(),
        (Origin::Here, _) => "may not be run".to_owned(),
        (_, Some((more, 0))) => format!("+{more}"),
        (_, Some((0, fewer))) => format!("-{fewer}"),
        (_, Some((more, fewer))) => format!("+{more} -{fewer}"),
        (_, None) => size(to.size),
    };
    if from == Origin::Merged {
        note.push_str("  merged with yours");
    }
    if step.gives_up_local {
        note.push_str("  yours to backup");
    }
    note
}

fn kept(step: &Step, mine: Mine) -> String {
    if step.gives_up_remote {
        return "yours wins".to_owned();
    }
    match mine {
        Mine::Added => "yours, new",
        Mine::Edited => "yours, kept",
        Mine::Mode => "yours, its mode",
        Mine::Deleted => "deleted by you",
    }
    .to_owned()
}

/// What became of a file since both sides agreed.
fn letter(base: Option<Entry>, now: Option<Entry>) -> char {
    match (base, now) {
        (None, Some(_)) => 'A',
        (Some(_), None) => 'D',
        (before, now) if before == now => '.',
        _ => 'M',
    }
}

fn word(letter: char) -> Option<&'static str> {
    match letter {
        'A' => Some("added"),
        'D' => Some("deleted"),
        'M' => Some("modified"),
        _ => None,
    }
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{} KiB", bytes.div_ceil(KIB)),
        _ => format!("{} MiB", bytes.div_ceil(MIB)),
    }
}

/// The rows as lines, the first so many of them unless `all`.
pub(super) fn text(rows: &[Row], all: bool) -> String {
    let shown = if all { rows.len() } else { ROWS_SHOWN };
    let shown = rows.get(..shown.min(rows.len())).unwrap_or_default();
    let width = shown.iter().map(|row| row.path.chars().count()).max();
    let width = width.unwrap_or_default().min(48);
    let mut text = String::new();
    if !shown.is_empty() {
        text.push_str(" REMOTE     LOCAL\n");
    }
    for row in shown {
        let (there, here, arrow) = (row.there, row.here, row.arrow);
        let path = neutral_line(&row.path);
        let mark = if row.action == "conflict" {
            "CONFLICT  "
        } else {
            ""
        };
        let note = format!("{mark}{}", neutral_line(&row.note));
        let line = format!("   {there}    {arrow}    {here}    {path:<width$}  {note}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let left = rows.len().saturating_sub(shown.len());
    if left > 0 {
        text.push_str(&format!("   … and {left} more; -v shows all\n"));
    }
    text
}

pub(super) fn as_json(row: &Row) -> Value {
    let mut value = json!({
        "path": row.path,
        "remote": word(row.there),
        "local": word(row.here),
        "action": row.action,
        "note": row.note,
    });
    if let (Some(members), Some((more, fewer))) = (value.as_object_mut(), row.lines) {
        members.insert("lines_added".to_owned(), more.into());
        members.insert("lines_removed".to_owned(), fewer.into());
    }
    if let (Some(members), Some(side)) = (value.as_object_mut(), row.gives_up) {
        members.insert("gives_up".to_owned(), side.into());
    }
    value
}

/// The text that a write replaces and the one that it brings, for both of which there is a content.
pub(super) fn texts_of(
    step: &Step,
    before: &Contents,
    after: &Contents,
) -> Option<(String, String)> {
    let Action::Write { to, .. } = &step.action else {
        return None;
    };
    let text = |contents: &Contents, entry: &Entry| {
        let bytes = contents.get(&entry.sha256)?;
        String::from_utf8(bytes.to_vec()).ok()
    };
    let new = text(after, to)?;
    let old = match &step.local {
        None => String::new(),
        Some(entry) => text(before, entry).or_else(|| text(after, entry))?,
    };
    Some((old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        assert_eq!(
            [0, 1023, 1024, 1_048_576, 1_048_577].map(size),
            ["0 B", "1023 B", "1 KiB", "1 MiB", "2 MiB"]
        );
    }
}
