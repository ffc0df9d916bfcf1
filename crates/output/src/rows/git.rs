//! Git: status, diff counts, branches, remotes, stashes, tags, blame, trees.

use super::Row;

use super::call::Call;
use super::cells::{between, int, put, row, words};
use super::known::Parser;
use super::listing::is_name;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "git_status_short",
        wants: |call| sub(call, "status") && (short(call) || call.filtered),
        read: status_short,
    },
    Parser {
        name: "git_status",
        wants: |call| sub(call, "status"),
        read: status_long,
    },
    Parser {
        name: "git_diff_stat",
        wants: diffs,
        read: diff_stat,
    },
    Parser {
        name: "git_diff_numstat",
        wants: |call| diffs(call) && call.has("--numstat"),
        read: numstat,
    },
    Parser {
        name: "git_diff_names",
        wants: |call| diffs(call) && call.has("--name-status"),
        read: name_status,
    },
    Parser {
        name: "git_diff_names",
        wants: |call| {
            diffs(call) && call.has("--name-only") || sub(call, "ls-files") && !call.short('s')
        },
        read: names,
    },
];

pub(super) fn sub(call: &Call, name: &str) -> bool {
    call.is(&["git"]) && call.sub() == name
}

fn diffs(call: &Call) -> bool {
    ["diff", "show", "diff-tree", "diff-index", "merge", "pull"]
        .iter()
        .any(|name| sub(call, name))
}

fn short(call: &Call) -> bool {
    call.args.iter().any(|arg| {
        matches!(
            arg.as_str(),
            "-s" | "--short" | "-sb" | "-bs" | "-uno" | "-su"
        ) || arg.starts_with("--porcelain")
    })
}

const LETTERS: &[(char, &str)] = &[
    (' ', "unmodified"),
    ('M', "modified"),
    ('T', "type_changed"),
    ('A', "added"),
    ('D', "deleted"),
    ('R', "renamed"),
    ('C', "copied"),
    ('U', "unmerged"),
    ('?', "untracked"),
    ('!', "ignored"),
    ('.', "unmodified"),
];

fn letter(letter: char) -> Option<&'static str> {
    LETTERS
        .iter()
        .find(|(known, _)| *known == letter)
        .map(|(_, name)| *name)
}

fn status_short(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if lines
        .iter()
        .any(|line| line.starts_with("# branch.") || line.starts_with("1 "))
    {
        return porcelain_v2(lines);
    }
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if let Some(head) = line.strip_prefix("## ") {
            rows.push(branch_head(head));
            continue;
        }
        let mut chars = line.chars();
        let (x, y) = (chars.next()?, chars.next()?);
        let path = chars
            .as_str()
            .strip_prefix(' ')
            .filter(|path| !path.is_empty())?;
        rows.push(changed(x, y, path)?);
    }
    Some(rows)
}

/// A file with the two letters of its state.
fn changed(x: char, y: char, path: &str) -> Option<Row> {
    let mut row =
        row! { "code" => format!("{x}{y}"), "index" => letter(x)?, "worktree" => letter(y)? };
    match path
        .split_once(" -> ")
        .filter(|_| matches!(x, 'R' | 'C') || matches!(y, 'R' | 'C'))
    {
        Some((from, to)) => {
            put(&mut row, "path", unquoted(to));
            put(&mut row, "from", unquoted(from));
        }
        None => put(&mut row, "path", unquoted(path)),
    }
    Some(row)
}

fn unquoted(path: &str) -> &str {
    path.strip_prefix('"')
        .and_then(|path| path.strip_suffix('"'))
        .unwrap_or(path)
}

/// `main...origin/main [ahead 1, behind 2]`.
fn branch_head(head: &str) -> Row {
    let (names, counts) = head.split_once(" [").unwrap_or((head, ""));
    let (branch, upstream) = match names.split_once("...") {
        Some((branch, upstream)) => (branch, Some(upstream)),
        None => (names, None),
    };
    let branch = branch.strip_prefix("No commits yet on ").unwrap_or(branch);
    let mut row = row! { "branch" => branch, "upstream" => upstream };
    ahead_behind(&mut row, counts.trim_end_matches(']'));
    row
}

pub(super) fn ahead_behind(row: &mut Row, text: &str) {
    for part in text.split(", ") {
        if let Some(number) = part.strip_prefix("ahead ").and_then(int) {
            put(row, "ahead", number);
        } else if let Some(number) = part.strip_prefix("behind ").and_then(int) {
            put(row, "behind", number);
        } else if part == "gone" {
            put(row, "gone", true);
        }
    }
}

fn porcelain_v2(lines: &[&str]) -> Option<Vec<Row>> {
    let mut head = Row::new();
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# ") {
            let (name, value) = rest.split_once(' ')?;
            let name = name.strip_prefix("branch.").unwrap_or(name);
            if name == "ab" {
                let (ahead, behind) = value.split_once(' ')?;
                put(&mut head, "ahead", int(ahead.trim_start_matches('+'))?);
                put(&mut head, "behind", int(behind.trim_start_matches('-'))?);
            } else {
                put(
                    &mut head,
                    if name == "head" { "branch" } else { name },
                    value,
                );
            }
            continue;
        }
        let kind = line.split(' ').next()?;
        // Number of fields before the path.
        let before = match kind {
            "1" => 8,
            "2" => 9,
            "u" => 10,
            "?" | "!" => 1,
            _ => return None,
        };
        let cells: Vec<&str> = line.splitn(before + 1, ' ').collect();
        let path = *cells.get(before)?;
        let (x, y) = match cells.get(1).filter(|_| before > 1) {
            Some(code) => {
                let mut chars = code.chars();
                (chars.next()?, chars.next()?)
            }
            None => (kind.chars().next()?, kind.chars().next()?),
        };
        let (path, from) = match path.split_once('\t') {
            Some((path, from)) => (path, Some(from)),
            None => (path, None),
        };
        let mut row = changed(x, y, path)?;
        if let Some(from) = from {
            put(&mut row, "from", from);
        }
        rows.push(row);
    }
    if !head.is_empty() {
        rows.insert(0, head);
    }
    Some(rows)
}

fn status_long(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let first = lines.first()?;
    let branch = first
        .strip_prefix("On branch ")
        .or_else(|| first.strip_prefix("HEAD detached at "))
        .or_else(|| first.strip_prefix("HEAD detached from "));
    let mut head = row! { "branch" => branch?, "detached" => first.starts_with("HEAD detached") };
    let mut section = "";
    let mut rows = Vec::new();
    for line in lines.iter().skip(1) {
        if let Some(entry) = line.strip_prefix('\t') {
            if section.is_empty() {
                return None;
            }
            let (state, path) = entry.split_once(":   ").unwrap_or((section, entry));
            let state = super::cells::key(state);
            let path = path.trim();
            let (from, path) = match path
                .split_once(" -> ")
                .filter(|_| state == "renamed" || state == "copied")
            {
                Some((from, path)) => (Some(from), path),
                None => (None, path),
            };
            let mut row = row! { "section" => section, "state" => state, "path" => path };
            if let Some(from) = from {
                put(&mut row, "from", from);
            }
            rows.push(row);
            continue;
        }
        section = match *line {
            "Changes to be committed:" => "staged",
            "Changes not staged for commit:" => "unstaged",
            "Untracked files:" => "untracked",
            "Unmerged paths:" => "unmerged",
            "Ignored files:" => "ignored",
            line => {
                upstream(&mut head, line);
                section
            }
        };
    }
    rows.insert(0, head);
    Some(rows)
}

/// `Your branch is ahead of 'origin/main' by 1 commit.`
fn upstream(head: &mut Row, line: &str) {
    if line.starts_with("Your branch") {
        put(head, "upstream", between(line, "'", "'"));
        let number = line
            .rsplit_once(" by ")
            .and_then(|(_, rest)| int(words(rest).first()?));
        if line.contains("ahead of") {
            put(head, "ahead", number);
        } else if line.contains("behind") {
            put(head, "behind", number);
        }
    } else if line.starts_with("and have ") {
        let numbers: Vec<i64> = words(line).iter().filter_map(|word| int(word)).collect();
        if let [ahead, behind] = numbers.as_slice() {
            put(head, "ahead", *ahead);
            put(head, "behind", *behind);
        }
    } else if line.starts_with("nothing to commit") {
        put(head, "clean", true);
    }
}

/// `git diff --stat`, and the end of a merge.
fn diff_stat(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let stat = lines.iter().any(|line| line.contains(" changed"));
    if !stat {
        return None;
    }
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if let Some(totals) = stat_totals(line) {
            let mut row = totals;
            put(&mut row, "total", true);
            rows.push(row);
        } else if let Some(row) = stat_line(line) {
            rows.push(row);
        } else if !is_merge_note(line) {
            return None;
        }
    }
    Some(rows)
}

fn is_merge_note(line: &str) -> bool {
    [
        "Updating ",
        "Fast-forward",
        " create mode",
        " delete mode",
        " mode change",
        " rename ",
        "Merge made",
        "From ",
        " * ",
        "   ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// ` 2 files changed, 120 insertions(+), 36 deletions(-)`.
pub(super) fn stat_totals(line: &str) -> Option<Row> {
    let mut row = row! { "files_changed" => 0, "insertions" => 0, "deletions" => 0 };
    let text = line.strip_prefix(' ')?;
    for part in text.split(", ") {
        let (number, what) = part.split_once(' ')?;
        let name = match what {
            "file changed" | "files changed" => "files_changed",
            "insertion(+)" | "insertions(+)" => "insertions",
            "deletion(-)" | "deletions(-)" => "deletions",
            _ => return None,
        };
        put(&mut row, name, int(number)?);
    }
    Some(row)
}

/// ` src/main.rs | 12 ++++----` and ` logo.png | Bin 0 -> 120 bytes`.
pub(super) fn stat_line(line: &str) -> Option<Row> {
    let (name, rest) = line.strip_prefix(' ')?.rsplit_once(" | ")?;
    let mut row = row! { "path" => name.trim() };
    let rest = rest.trim();
    if let Some(sizes) = rest.strip_prefix("Bin") {
        put(&mut row, "binary", true);
        if let Some((from, to)) = sizes.trim().split_once(" -> ") {
            put(&mut row, "bytes_before", int(from));
            put(&mut row, "bytes_after", int(to.trim_end_matches(" bytes")));
        }
        return Some(row);
    }
    let (number, marks) = rest.split_once(' ').unwrap_or((rest, ""));
    marks
        .bytes()
        .all(|b| matches!(b, b'+' | b'-'))
        .then_some(())?;
    put(&mut row, "lines_changed", int(number)?);
    Some(row)
}

fn numstat(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let counts = lines.iter().filter(|line| !line.is_empty());
    counts
        .map(|line| {
            let cells: Vec<&str> = line.splitn(3, '\t').collect();
            let [added, deleted, path] = cells.as_slice() else {
                return None;
            };
            if (*added, *deleted) == ("-", "-") {
                return Some(row! { "path" => *path, "binary" => true });
            }
            Some(
                row! { "insertions" => int(added)?, "deletions" => int(deleted)?, "path" => *path },
            )
        })
        .collect()
}

fn name_status(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let entries = lines.iter().filter(|line| !line.is_empty());
    entries
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let code = cells.first()?;
            let state = letter(code.chars().next()?)?;
            Some(match cells.as_slice() {
                [_, path] => row! { "code" => *code, "state" => state, "path" => *path },
                [_, from, path] => {
                    row! { "code" => *code, "state" => state, "path" => *path, "from" => *from }
                }
                _ => return None,
            })
        })
        .collect()
}

pub(super) fn names(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let entries = lines.iter().filter(|line| !line.is_empty());
    entries
        .map(|line| {
            (is_name(line) && !line.starts_with(' ') && !line.contains("  "))
                .then(|| row! { "path" => unquoted(line) })
        })
        .collect()
}
