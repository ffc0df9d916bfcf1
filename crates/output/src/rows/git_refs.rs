//! What git knows of branches, remotes, stashes, tags, worktrees, trees and single lines.

use super::Row;
use super::calendar::iso;
use super::call::Call;
use super::cells::{between, int, put, row, words};
use super::git::{ahead_behind, names, sub};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "git_branch",
        wants: |call| sub(call, "branch"),
        read: branch,
    },
    Parser {
        name: "git_remote",
        wants: |call| sub(call, "remote"),
        read: remote,
    },
    Parser {
        name: "git_stash",
        wants: |call| sub(call, "stash"),
        read: stash,
    },
    Parser {
        name: "git_tag",
        wants: |call| sub(call, "tag"),
        read: tags,
    },
    Parser {
        name: "git_blame",
        wants: |call| sub(call, "blame") || sub(call, "annotate"),
        read: blame,
    },
    Parser {
        name: "git_refs",
        wants: |call| sub(call, "ls-remote") || sub(call, "show-ref"),
        read: refs,
    },
    Parser {
        name: "git_worktree",
        wants: |call| sub(call, "worktree"),
        read: worktree,
    },
    Parser {
        name: "git_ls_tree",
        wants: |call| sub(call, "ls-tree"),
        read: ls_tree,
    },
    Parser {
        name: "git_config",
        wants: |call| sub(call, "config") && (call.short('l') || call.has("--list")),
        read: config,
    },
];

fn branch(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.has("--show-current") || call.has("--format") {
        return None;
    }
    let verbose = call
        .args
        .iter()
        .any(|arg| arg.starts_with("-v") || arg == "--verbose" || arg.starts_with("-av"));
    lines
        .iter()
        .map(|line| {
            let (mark, rest) = line.split_at_checked(2)?;
            let mark = mark.trim_end();
            matches!(mark, "" | "*" | "+").then_some(())?;
            let (name, rest) = match rest.strip_prefix('(') {
                // `(HEAD detached at 1234567)`.
                Some(inner) => inner.split_once(')')?,
                None => rest.split_once(' ').unwrap_or((rest, "")),
            };
            let mut row = row! { "branch" => name, "current" => mark == "*" };
            if mark == "+" {
                put(&mut row, "in_worktree", true);
            }
            let rest = rest.trim_start();
            if let Some(target) = rest.strip_prefix("-> ") {
                put(&mut row, "link_to", target);
            } else if verbose {
                branch_tip(&mut row, rest)?;
            } else if !rest.is_empty() {
                return None;
            }
            Some(row)
        })
        .collect()
}

/// `1234567 [origin/main: ahead 1] subject`.
fn branch_tip(row: &mut Row, rest: &str) -> Option<()> {
    let (commit, subject) = rest.split_once(' ').unwrap_or((rest, ""));
    is_commit(commit).then_some(())?;
    put(row, "commit", commit);
    let mut subject = subject;
    // The path of a worktree stands in brackets before.
    if let Some((path, tail)) = subject
        .strip_prefix("(/")
        .and_then(|rest| rest.split_once(") "))
    {
        put(row, "worktree", format!("/{path}"));
        subject = tail;
    }
    if let Some((tracked, tail)) = subject
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        let (upstream, counts) = tracked.split_once(": ").unwrap_or((tracked, ""));
        if upstream.contains('/')
            || !counts.is_empty()
            || upstream.starts_with("ahead")
            || upstream.starts_with("behind")
        {
            let bare = upstream.starts_with("ahead") || upstream.starts_with("behind");
            if !bare {
                put(row, "upstream", upstream);
            }
            ahead_behind(row, if bare { tracked } else { counts });
            subject = tail.trim_start();
        }
    }
    put(row, "subject", subject);
    Some(())
}

/// Whether a word can be the name of a commit.
pub(super) fn is_commit(text: &str) -> bool {
    let text = text.strip_prefix('^').unwrap_or(text);
    (4..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn remote(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if !matches!(call.sub_sub(), "" | "show") || call.operands().len() > 2 {
        return None;
    }
    lines
        .iter()
        .map(|line| {
            if !call.short('v') && !call.has("--verbose") {
                return (!line.contains(char::is_whitespace)).then(|| row! { "name" => *line });
            }
            let (name, rest) = line.split_once('\t')?;
            let (url, direction) = rest.split_once(" (")?;
            let (direction, filter) = direction.split_once(')')?;
            let mut row = row! { "name" => name, "url" => url, "direction" => direction };
            if let Some(filter) = between(filter, "[", "]") {
                put(&mut row, "filter", filter);
            }
            Some(row)
        })
        .collect()
}

fn stash(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.sub_sub() != "list" {
        return None;
    }
    lines
        .iter()
        .map(|line| {
            let (name, rest) = line.split_once(": ")?;
            let index = between(name, "stash@{", "}")?;
            let (place, message) = rest.split_once(": ").unwrap_or((rest, ""));
            let branch = place.strip_prefix("WIP on ").or_else(|| place.strip_prefix("On "));
            Some(row! {
                "name" => name, "index" => int(index), "branch" => branch, "wip" => place.starts_with("WIP"), "message" => message,
            })
        })
        .collect()
}

fn tags(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let annotated = call.short('n');
    lines
        .iter()
        .map(|line| match line.split_once(' ') {
            None => Some(row! { "tag" => *line }),
            Some((name, rest)) => {
                annotated.then(|| row! { "tag" => name, "message" => rest.trim() })
            }
        })
        .collect()
}

/// `1234567 path (Author 2024-01-02 03:04:05 +0100 12) text`.
fn blame(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (head, rest) = line.split_once(" (").or_else(|| line.split_once("\t("))?;
            let (commit, path) = match head.split_once(' ') {
                Some((commit, path)) => (commit, Some(path.trim())),
                None => (head, None),
            };
            is_commit(commit).then_some(())?;
            let (inner, text) = rest.split_once(") ").or_else(|| rest.split_once(')'))?;
            let cells = words(inner);
            let [author @ .., date, time, zone, number] = cells.as_slice() else {
                return None;
            };
            let date = format!("{date} {time} {zone}");
            let mut row = row! {
                "commit" => commit.trim_start_matches('^'), "author" => author.join(" "), "epoch" => iso(&date)?,
                "date" => date, "line" => int(number)?, "text" => text,
            };
            if commit.starts_with('^') {
                put(&mut row, "boundary", true);
            }
            if let Some(path) = path {
                put(&mut row, "path", path);
            }
            Some(row)
        })
        .collect()
}

fn refs(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.starts_with("From "))
        .map(|line| {
            let (commit, name) = line.split_once(['\t', ' '])?;
            (commit.len() >= 40 && is_commit(commit))
                .then(|| row! { "commit" => commit, "reference" => name.trim() })
        })
        .collect()
}

fn worktree(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (path, rest) = line.split_once(' ')?;
            let cells = words(rest);
            let [commit, state @ ..] = cells.as_slice() else {
                return None;
            };
            path.starts_with('/').then_some(())?;
            if *commit == "(bare)" {
                return Some(row! { "path" => path, "bare" => true });
            }
            is_commit(commit).then_some(())?;
            let state = state.join(" ");
            let branch = between(&state, "[", "]").map(str::to_owned);
            Some(row! { "path" => path, "commit" => *commit, "branch" => branch, "detached" => state.contains("detached") })
        })
        .collect()
}

fn ls_tree(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.has("--name-only") || call.has("--name-status") {
        return names(call, lines);
    }
    lines
        .iter()
        .map(|line| {
            let (head, path) = line.split_once('\t')?;
            let cells = words(head);
            let [mode, kind, object, size @ ..] = cells.as_slice() else {
                return None;
            };
            is_commit(object).then_some(())?;
            let mut row =
                row! { "mode" => *mode, "type" => *kind, "object" => *object, "path" => path };
            if let Some(size) = size.first() {
                put(&mut row, "size", int(size));
            }
            Some(row)
        })
        .collect()
}

fn config(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.contains('.') && !name.contains(' '))
                .then(|| row! { "name" => name, "value" => value })
        })
        .collect()
}
