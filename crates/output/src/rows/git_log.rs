//! `git log` and `git show`: the forms that git has names for, with counts of changes.

use serde_json::Value;

use super::Row;
use super::calendar::git as git_time;
use super::call::Call;
use super::cells::{put, row};
use super::git::{stat_line, stat_totals, sub};
use super::git_refs::is_commit;
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "git_log_oneline",
        wants: |call| sub(call, "log") || sub(call, "reflog"),
        read: oneline,
    },
    Parser {
        name: "git_log",
        wants: |call| (sub(call, "log") || sub(call, "show")) && !call.filtered,
        read: log,
    },
];

/// A line a commit, with counts below it.
fn oneline(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let graph = call.has("--graph");
    let asked = call.has("--oneline")
        || sub(call, "reflog")
        || call
            .args
            .iter()
            .any(|arg| arg == "--format=oneline" || arg == "--pretty=oneline");
    if !asked {
        return None;
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let line = if graph {
            line.trim_start_matches(['*', '|', '/', '\\', ' ', '_', '-', '.'])
        } else {
            line
        };
        if line.is_empty() {
            continue;
        }
        if let Some(row) = rows.last_mut()
            && stats(row, line)
        {
            continue;
        }
        let (commit, rest) = line.split_once(' ').unwrap_or((line, ""));
        let of_blame = rest.starts_with('(') && rest.contains(" +");
        let subject = !rest.starts_with(' ') && !of_blame;
        (is_commit(commit) && subject && !commit.starts_with('^')).then_some(())?;
        let mut row = row! { "commit" => commit };
        let message = decorations(&mut row, rest);
        put(&mut row, "message", message);
        rows.push(row);
    }
    rows.iter_mut().for_each(finish);
    Some(rows)
}

/// `(HEAD -> main, tag: v1)` before the subject or behind the commit.
fn decorations<'a>(row: &mut Row, text: &'a str) -> &'a str {
    let Some((names, rest)) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return text;
    };
    let names: Vec<&str> = names.split(", ").collect();
    let plausible = names.iter().all(|name| {
        !name.is_empty()
            && (!name.contains(' ') || name.starts_with("tag: ") || name.starts_with("HEAD -> "))
    });
    if !plausible || !(rest.is_empty() || rest.starts_with(' ')) {
        return text;
    }
    put(row, "refs", names);
    rest.trim_start()
}

fn log(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut message: Vec<&str> = Vec::new();
    let mut body = false;
    for line in lines {
        if let Some(rest) = line.strip_prefix("commit ")
            && is_commit(rest.split(' ').next()?)
        {
            close(rows.last_mut(), &mut message);
            let (commit, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let mut row = row! { "commit" => commit };
            decorations(&mut row, rest);
            rows.push(row);
            body = false;
            continue;
        }
        let row = rows.last_mut()?;
        if line.is_empty() {
            if body && !message.is_empty() {
                message.push("");
            }
            body = true;
        } else if let Some(text) = line.strip_prefix("    ") {
            message.push(text);
            body = true;
        } else if !body {
            head(row, line)?;
        } else if line.starts_with("diff --git ") {
            // A patch is not a row: what is known of the commit stays.
            put(row, "patch", true);
        } else if row.contains_key("patch") {
        } else if !stats(row, line) && !changed_name(row, line) {
            return None;
        }
    }
    close(rows.last_mut(), &mut message);
    rows.iter_mut().for_each(finish);
    Some(rows)
}

fn close(row: Option<&mut Row>, message: &mut Vec<&str>) {
    if let Some(row) = row {
        while message.last().is_some_and(|line| line.is_empty()) {
            message.pop();
        }
        put(row, "message", message.join("\n"));
    }
    message.clear();
}

fn head(row: &mut Row, line: &str) -> Option<()> {
    let (label, value) = line.split_once(':')?;
    let value = value.trim();
    match label {
        "Author" | "Commit" => {
            let name = if label == "Author" {
                "author"
            } else {
                "commit_by"
            };
            let (person, mail) = value.rsplit_once('<')?;
            let person = person.trim();
            put(row, name, (!person.is_empty()).then_some(person));
            put(row, &format!("{name}_email"), mail.trim_end_matches('>'));
        }
        "Date" | "AuthorDate" | "CommitDate" => {
            let name = if label == "CommitDate" {
                "commit_by_date"
            } else {
                "date"
            };
            if let Some(epoch) = git_time(value).or_else(|| super::calendar::iso(value)) {
                put(
                    row,
                    if name == "date" {
                        "epoch"
                    } else {
                        "commit_by_epoch"
                    },
                    epoch,
                );
            }
            put(row, name, value);
        }
        "Merge" => put(row, "merge", value),
        "Notes" | "Reflog" | "Reflog message" | "gpg" => {}
        _ => return None,
    }
    Some(())
}

/// Whether a line belongs to the counts below a commit.
fn stats(row: &mut Row, line: &str) -> bool {
    if let Some(totals) = stat_totals(line) {
        with_stats(row, |stats| stats.extend(totals));
        return true;
    }
    if let Some(mut file) = stat_line(line) {
        if let Some(path) = file.remove("path") {
            file.insert("name".to_owned(), path);
        }
        with_stats(row, |stats| push_file(stats, file));
        return true;
    }
    let cells: Vec<&str> = line.splitn(3, '\t').collect();
    if let [added, deleted, path] = cells.as_slice()
        && let (Some(added), Some(deleted)) = (super::cells::int(added), super::cells::int(deleted))
    {
        with_stats(row, |stats| {
            push_file(
                stats,
                row! { "name" => *path, "insertions" => added, "deletions" => deleted },
            );
        });
        return true;
    }
    false
}

/// A letter, a tab and a path; and bare names.
fn changed_name(row: &mut Row, line: &str) -> bool {
    let cells: Vec<&str> = line.split('\t').collect();
    match cells.as_slice() {
        [code, path] if code.len() == 1 && code.bytes().all(|b| b.is_ascii_uppercase()) => {
            with_stats(row, |stats| {
                push_file(stats, row! { "name" => *path, "code" => *code });
            });
            true
        }
        [code, from, path] if code.starts_with(['R', 'C']) => {
            with_stats(row, |stats| {
                push_file(
                    stats,
                    row! { "name" => *path, "code" => *code, "from" => *from },
                );
            });
            true
        }
        [path] if !path.contains(' ') => {
            with_stats(row, |stats| push_file(stats, row! { "name" => *path }));
            true
        }
        _ => false,
    }
}

/// Applies a change to the counts of a commit.
fn with_stats(row: &mut Row, change: impl FnOnce(&mut Row)) {
    let stats = row
        .entry("stats".to_owned())
        .or_insert_with(|| Value::Object(Row::new()));
    if let Value::Object(stats) = stats {
        change(stats);
    }
}

fn push_file(stats: &mut Row, file: Row) {
    let files = stats
        .entry("file_stats".to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(files) = files {
        files.push(file.into());
    }
}

/// The names of the files beside what is known of each.
fn finish(row: &mut Row) {
    let Some(Value::Object(stats)) = row.get_mut("stats") else {
        return;
    };
    let names: Option<Vec<Value>> =
        stats
            .get("file_stats")
            .and_then(Value::as_array)
            .map(|files| {
                files
                    .iter()
                    .filter_map(|file| file.get("name").cloned())
                    .collect()
            });
    if let Some(names) = names {
        put(stats, "files", names);
    }
}
