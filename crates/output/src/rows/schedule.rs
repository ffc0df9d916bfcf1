//! What runs when: `crontab -l` and `/etc/crontab`.

use super::Row;
use super::call::Call;
use super::cells::{fields, row};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "crontab",
        wants: |call| {
            call.is(&["crontab"]) && call.short('l')
                || call
                    .file()
                    .is_some_and(|file| file.starts_with("/var/spool/cron"))
        },
        read: of_user,
    },
    Parser {
        name: "crontab_system",
        wants: |call| {
            call.file()
                .is_some_and(|file| file == "/etc/crontab" || file.starts_with("/etc/cron.d/"))
        },
        read: of_system,
    },
];

fn of_user(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    crontab(lines, false)
}

fn of_system(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    crontab(lines, true)
}

fn crontab(lines: &[&str], user: bool) -> Option<Vec<Row>> {
    let entries = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    entries.map(|line| entry(line, user)).collect()
}

fn entry(line: &str, user: bool) -> Option<Row> {
    let named = line
        .split_once('=')
        .filter(|(name, _)| wharf_shell::valid_env_name(name.trim()));
    if let Some((name, value)) = named {
        let value = value.trim().trim_matches(['"', '\'']);
        return Some(row! { "kind" => "variable", "name" => name.trim(), "value" => value });
    }
    if let Some(rest) = line.strip_prefix('@') {
        let cells = fields(rest, if user { 3 } else { 2 });
        return match cells.as_slice() {
            [occurrence, user, command] => Some(
                row! { "kind" => "entry", "occurrence" => *occurrence, "user" => *user, "command" => *command },
            ),
            [occurrence, command] if !user => {
                Some(row! { "kind" => "entry", "occurrence" => *occurrence, "command" => *command })
            }
            _ => None,
        };
    }
    let cells = fields(line, if user { 7 } else { 6 });
    let [minute, hour, day, month, weekday, rest @ ..] = cells.as_slice() else {
        return None;
    };
    let mut row = row! { "kind" => "entry" };
    for (name, cell) in [
        ("minute", minute),
        ("hour", hour),
        ("day_of_month", day),
        ("month", month),
        ("day_of_week", weekday),
    ] {
        let named = matches!(name, "month" | "day_of_week");
        let mut runs = cell
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|run| !run.is_empty());
        let plain = cell
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '*' | ',' | '-' | '/' | '~'))
            && runs.all(|run| named && run.len() == 3);
        plain.then_some(())?;
        let parts: Vec<&str> = cell.split(',').collect();
        row.insert(name.to_owned(), parts.into());
    }
    let command = match rest {
        [user, command] => {
            row.insert("user".to_owned(), (*user).into());
            command
        }
        [command] if !user => command,
        _ => return None,
    };
    row.insert("command".to_owned(), (*command).into());
    Some(row)
}
