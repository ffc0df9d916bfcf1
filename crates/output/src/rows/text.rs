//! Lines of text: `grep -n`, `history`, variables, ini and properties files.

use super::Row;
use super::call::Call;
use super::cells::{fields, go_on, int, put, row};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "grep_counts",
        wants: |call| grep(call) && (call.short('c') || call.has("--count")),
        read: grep_counts,
    },
    Parser {
        name: "grep_files",
        wants: |call| {
            grep(call) && (call.short('l') || call.short('L') || call.has("--files-with-matches"))
        },
        read: grep_files,
    },
    Parser {
        name: "grep",
        wants: |call| grep(call),
        read: grep_lines,
    },
    Parser {
        name: "history",
        wants: |call| call.is(&["history"]) || call.is(&["fc"]) && call.short('l'),
        read: history,
    },
    Parser {
        name: "env",
        wants: |call| call.is(&["env", "printenv"]),
        read: env,
    },
    Parser {
        name: "declarations",
        wants: |call| call.is(&["set", "declare", "export", "typeset"]),
        read: declarations,
    },
    Parser {
        name: "alias",
        wants: |call| call.is(&["alias"]),
        read: aliases,
    },
    Parser {
        name: "dotenv",
        wants: |call| {
            call.file().is_some_and(|file| {
                file.rsplit('/')
                    .next()
                    .is_some_and(|name| name.starts_with(".env") || name.ends_with(".env"))
            })
        },
        read: dotenv,
    },
    Parser {
        name: "ini",
        wants: |call| {
            ends(
                call,
                &[
                    ".ini",
                    ".cfg",
                    ".conf",
                    ".desktop",
                    ".service",
                    ".timer",
                    ".socket",
                    ".toml",
                    ".editorconfig",
                    ".gitconfig",
                    ".git/config",
                    ".npmrc",
                    ".repo",
                ],
            )
        },
        read: ini,
    },
    Parser {
        name: "properties",
        wants: |call| ends(call, &[".properties"]),
        read: properties,
    },
];

fn ends(call: &Call, ends: &[&str]) -> bool {
    call.file()
        .is_some_and(|file| ends.iter().any(|end| file.ends_with(end)))
}

fn grep(call: &Call) -> bool {
    call.is(&["grep", "egrep", "fgrep", "rg", "zgrep", "ag", "ack"])
        || call.is(&["git"]) && call.sub() == "grep"
}

/// `path:line:text`, `line:text` and `path:text`, and context lines with `-`.
fn grep_lines(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let other = ['l', 'L', 'c', 'q'].iter().any(|flag| call.short(*flag));
    if other || call.has("--json") || call.short('o') && call.short('b') {
        return None;
    }
    let numbered = call.short('n') || call.has("--line-number") || call.is(&["ag", "ack"]);
    let context = ['A', 'B', 'C'].iter().any(|flag| call.short(*flag));
    // The first line says whether the name of a file stands before the number.
    let first = lines
        .iter()
        .find(|line| !line.is_empty() && **line != "--")?;
    let named = first
        .split_once([':', '-'])
        .is_none_or(|(head, _)| int(head).is_none());
    if !numbered {
        let named = call.short('r') || call.short('R') || call.short('H') || call.is(&["git"]);
        return if named && !call.short('h') && !context {
            lines.iter().map(|line| named_line(line)).collect()
        } else {
            None
        };
    }
    lines
        .iter()
        .filter(|line| !line.is_empty() && **line != "--" && !line.starts_with("Binary file "))
        .map(|line| {
            if named {
                path_and_number(line, context)
            } else {
                number_and_text(line, context)
            }
        })
        .collect()
}

fn named_line(line: &str) -> Option<Row> {
    let (path, text) = line.split_once(':')?;
    (!path.is_empty()).then(|| row! { "path" => path, "text" => text })
}

fn number_and_text(line: &str, context: bool) -> Option<Row> {
    let end = line.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = line.split_at_checked(end)?;
    let mark = rest.chars().next()?;
    (mark == ':' || mark == '-' && context).then_some(())?;
    let mut row = row! { "line" => int(number)?, "text" => rest.get(1..)? };
    if context {
        put(&mut row, "match", mark == ':');
    }
    Some(row)
}

/// The number is the first run of digits between two equal marks.
fn path_and_number(line: &str, context: bool) -> Option<Row> {
    let marks: &[char] = if context { &[':', '-'] } else { &[':'] };
    line.match_indices(marks).find_map(|(at, mark)| {
        let (path, rest) = (line.get(..at)?, line.get(at + 1..)?);
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, rest) = rest.split_at_checked(digits)?;
        let number = int(number).filter(|_| !path.is_empty())?;
        let text = rest.strip_prefix(mark)?;
        let mut row = row! { "path" => path, "line" => number, "text" => text };
        if context {
            put(&mut row, "match", mark == ":");
        }
        Some(row)
    })
}

fn grep_counts(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| match line.rsplit_once(':') {
            Some((path, count)) => Some(row! { "path" => path, "count" => int(count)? }),
            None => Some(row! { "count" => int(line)? }),
        })
        .collect()
}

fn grep_files(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            (!line.is_empty() && super::listing::is_name(line) && !line.contains(':'))
                .then(|| row! { "path" => *line })
        })
        .collect()
}

fn history(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut last = i64::MIN;
    for line in lines {
        let cells = fields(line, 2);
        let numbered = cells
            .first()
            .and_then(|word| int(word.trim_end_matches('*')));
        match (numbered, cells.get(1)) {
            (Some(number), Some(_)) if number <= last && !call.filtered => return None,
            (Some(number), Some(command)) => {
                last = number;
                rows.push(row! { "line" => number, "command" => *command });
            }
            // A command of several lines.
            _ => {
                let row = rows.last_mut().filter(|_| !call.filtered)?;
                go_on(row, "command", line);
            }
        }
    }
    Some(rows)
}

/// `NAME=value`; a value may go on over lines.
fn env(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let operands = call.operands();
    if call.is(&["printenv"]) && !operands.is_empty() {
        if operands.len() == 1 && lines.len() == 1 {
            return Some(vec![
                row! { "name" => *operands.first()?, "value" => lines.join("\n") },
            ]);
        }
        return None;
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        let named = line.split_once('=').filter(|(name, _)| is_name(name));
        match named {
            Some((name, value)) => rows.push(row! { "name" => name, "value" => value }),
            None => {
                let row = rows.last_mut().filter(|_| !call.filtered)?;
                go_on(row, "value", line);
            }
        }
    }
    let continued = lines.len() - rows.len();
    (continued * 4 <= lines.len()).then_some(rows)
}

/// Names of variables, also those of exported functions.
fn is_name(name: &str) -> bool {
    wharf_shell::valid_env_name(name) || name.starts_with("BASH_FUNC_")
}

/// `declare -x NAME="value"`, `export NAME=value`, `NAME=value`.
fn declarations(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (flags, rest) = match line.strip_prefix("declare ") {
                Some(rest) => rest.split_once(' ')?,
                None => ("", line.strip_prefix("export ").unwrap_or(line)),
            };
            let (name, value) = rest.split_once('=').unwrap_or((rest, ""));
            wharf_shell::valid_env_name(name).then_some(())?;
            let mut row = row! { "name" => name, "value" => unquoted(value) };
            if !flags.is_empty() {
                put(&mut row, "flags", flags.trim_start_matches('-'));
            }
            Some(row)
        })
        .collect()
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value)
}

fn aliases(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (name, value) = line
                .strip_prefix("alias ")
                .unwrap_or(line)
                .split_once('=')?;
            (!name.contains(' ')).then(|| row! { "name" => name, "value" => unquoted(value) })
        })
        .collect()
}

fn dotenv(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let entries = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    entries
        .map(|line| {
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap_or(line)
                .split_once('=')?;
            wharf_shell::valid_env_name(name)
                .then(|| row! { "name" => name, "value" => unquoted(value) })
        })
        .collect()
}

/// One row for each value, with the section that it stands in.
fn ini(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut section: Option<&str> = None;
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        let text = line.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = Some(name.trim());
            continue;
        }
        let split = text.find(['=', ':']);
        let pair = split.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)));
        match pair.filter(|(name, _)| !name.trim().is_empty()) {
            Some((name, value)) => rows.push(row! { "section" => section, "name" => name.trim(), "value" => unquoted(value.trim()) }),
            None if line.starts_with([' ', '\t']) => {
                let row = rows.last_mut()?;
                go_on(row, "value", text);
            }
            // Some files have names alone, such as `skip-networking`.
            None if section.is_some() && !text.contains(' ') => rows.push(row! { "section" => section, "name" => text, "value" => None::<&str> }),
            None => return None,
        }
    }
    // Without a section it may be any file of settings; then every line has `=`.
    let plain = section.is_some()
        || call.file().is_some_and(|file| file.ends_with("rc"))
        || rows.len() > 1
            && lines.iter().all(|line| {
                line.trim().is_empty()
                    || line.contains('=')
                    || line.trim_start().starts_with(['#', ';'])
            });
    plain.then_some(rows)
}

/// Files of Java: `name=value`, `name: value`, lines that end in a backslash go on.
fn properties(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut open = String::new();
    for line in lines {
        let text = line.trim_start();
        if open.is_empty() && (text.is_empty() || text.starts_with(['#', '!'])) {
            continue;
        }
        open.push_str(text);
        if open.ends_with('\\') {
            open.pop();
            continue;
        }
        let whole = std::mem::take(&mut open);
        let (name, value) = whole.split_once(['=', ':'])?;
        let name = name.trim();
        (!name.is_empty() && !name.contains(' ')).then_some(())?;
        rows.push(row! { "name" => name, "value" => value.trim() });
    }
    open.is_empty().then_some(rows)
}

/// `NAME="value" NAME=value` on one line.
pub(super) fn assignments(line: &str) -> Option<Vec<(&str, String)>> {
    let mut out = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (name, tail) = rest.split_once('=')?;
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '%' | '.'));
        plain.then_some(())?;
        let (value, tail) = value_at(tail)?;
        out.push((name, value));
        rest = tail.trim_start();
    }
    (!out.is_empty()).then_some(out)
}

/// A value, in quotes or up to a blank, and what follows it.
fn value_at(text: &str) -> Option<(String, &str)> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let end = text.find(' ').unwrap_or(text.len());
        let (value, tail) = text.split_at_checked(end)?;
        return Some((value.to_owned(), tail));
    };
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => value.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => return Some((value, text.get(at + 1..)?)),
            c => value.push(c),
        }
    }
    None
}
