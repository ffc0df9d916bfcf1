//! Units, jobs and the journal: `systemctl`, `journalctl`, `loginctl`.

use serde_json::Value;

use super::Row;
use super::calendar::iso;
use super::call::Call;
use super::cells::{auto, between, fields, given, int, put, row, size, word_after, words};
use super::known::Parser;
use super::table::Columns;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "systemctl_unit_files",
        wants: |call| systemctl(call, &["list-unit-files"]),
        read: table,
    },
    Parser {
        name: "systemctl_lists",
        wants: |call| {
            systemctl(
                call,
                &["list-jobs", "list-sockets", "list-timers", "list-machines"],
            ) || call.is(&["loginctl"])
        },
        read: table,
    },
    Parser {
        name: "systemctl_units",
        wants: |call| systemctl(call, &["", "list-units"]),
        read: units,
    },
    Parser {
        name: "systemctl_status",
        wants: |call| systemctl(call, &["status"]),
        read: status,
    },
    Parser {
        name: "systemctl_show",
        wants: |call| systemctl(call, &["show"]),
        read: properties,
    },
    Parser {
        name: "systemctl_states",
        wants: |call| systemctl(call, &["is-active", "is-enabled", "is-failed"]),
        read: states,
    },
    Parser {
        name: "journal",
        wants: |call| {
            call.is(&["journalctl"])
                || call.file().is_some_and(|file| {
                    file.starts_with("/var/log/")
                        && [
                            "syslog",
                            "auth.log",
                            "messages",
                            "kern.log",
                            "daemon.log",
                            "secure",
                            "cron",
                            "user.log",
                            "maillog",
                            "mail.log",
                        ]
                        .iter()
                        .any(|name| file.ends_with(name))
                })
        },
        read: journal,
    },
    Parser {
        name: "dmesg",
        wants: |call| call.is(&["dmesg"]),
        read: dmesg,
    },
];

fn systemctl(call: &Call, subs: &[&str]) -> bool {
    call.is(&["systemctl"]) && subs.contains(&call.sub())
}

/// Lines below the table.
fn is_footer(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || [
            "LOAD ",
            "ACTIVE ",
            "SUB ",
            "JOB ",
            "To show all",
            "Legend:",
            "Pass --all",
            "No jobs",
            "No sessions",
            "→",
            "Reflects",
        ]
        .iter()
        .any(|start| line.starts_with(start))
            && (line.contains('=')
                || line.contains("--all")
                || line.starts_with("No ")
                || line.contains("To show")
                || line.contains("Legend"))
        || line.split_once(' ').is_some_and(|(number, rest)| {
            int(number).is_some() && (rest.contains(" listed") || rest.contains("loaded units"))
        })
}

fn units(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let headed = lines
        .first()
        .is_some_and(|line| line.trim_start().starts_with("UNIT"));
    if !headed && !call.filtered && !call.has("--no-legend") && !call.has("--plain") {
        return None;
    }
    // Below the legend there is no unit.
    let end = lines
        .iter()
        .position(|line| line.starts_with("LOAD ") && line.contains("= "))
        .unwrap_or(lines.len());
    lines
        .get(usize::from(headed)..end)?
        .iter()
        .filter(|line| !is_footer(line))
        .map(|line| {
            let line = line.trim_start_matches(['●', '*', '×', '○', '↻', ' ']);
            let cells = fields(line, 5);
            let [unit, load, active, sub, description @ ..] = cells.as_slice() else {
                return None;
            };
            let known = matches!(
                *load,
                "loaded"
                    | "not-found"
                    | "masked"
                    | "error"
                    | "bad-setting"
                    | "merged"
                    | "stub"
                    | "generated"
            );
            known.then(|| {
                row! {
                    "unit" => *unit, "load" => *load, "active" => *active, "sub" => *sub,
                    "description" => description.first().map(|text| text.trim_end()),
                }
            })
        })
        .collect()
}

/// Tables with names in capitals.
fn table(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let (header, body) = lines.split_first()?;
    if header.chars().any(char::is_lowercase) {
        return None;
    }
    let first = words(header).first().copied()?;
    let known = [
        "UNIT", "JOB", "LISTEN", "NEXT", "MACHINE", "SESSION", "UID", "SEAT", "NAME",
    ]
    .contains(&first);
    let files = header.contains("UNIT FILE") == systemctl(call, &["list-unit-files"]);
    (known && files).then_some(())?;
    let header = header
        .replace("UNIT FILE", "UNIT_FILE")
        .replace("VENDOR PRESET", "VENDOR_PRESET");
    let names: Vec<String> = words(&header).into_iter().map(super::cells::key).collect();
    let positional = systemctl(call, &["list-timers", "list-sockets"]);
    let columns = Columns::read(&header, 1)?;
    body.iter()
        .take_while(|line| !is_footer(line))
        .map(|line| {
            if positional && let Some(cells) = columns.left_aligned(line) {
                return Some(columns.row(&cells));
            }
            let cells = fields(line, names.len());
            // The last column may be empty.
            (cells.len() + 1 >= names.len() && cells.len() > 1 || names.len() == 1).then(|| {
                names
                    .iter()
                    .zip(cells)
                    .map(|(name, cell)| {
                        let value = if name == "job" || name == "uid" {
                            auto(cell)
                        } else {
                            given(cell).into()
                        };
                        (name.clone(), value)
                    })
                    .collect()
            })
        })
        .collect()
}

/// `systemctl status`: one row for each unit.
fn status(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut log: Vec<Value> = Vec::new();
    for line in lines {
        let text = line.trim();
        if let Some(head) = line.strip_prefix(['●', '×', '○', '↻', '*']).map(str::trim) {
            if let Some(row) = rows.last_mut() {
                put(row, "log", std::mem::take(&mut log));
            }
            let (unit, description) = head.split_once(" - ").unwrap_or((head, ""));
            rows.push(row! { "unit" => unit, "description" => given(description) });
            continue;
        }
        if text.is_empty() {
            continue;
        }
        let row = rows.last_mut()?;
        match text.split_once(": ").filter(|_| line.starts_with("  ")) {
            Some((label, value)) if !text.starts_with(['├', '└', '│']) => {
                status_field(row, label, value)?;
            }
            _ if line.starts_with("  ") => processes(row, text),
            _ => log.push((*line).into()),
        }
    }
    put(rows.last_mut()?, "log", log);
    rows.iter()
        .all(|row| row.contains_key("load") && row.contains_key("active"))
        .then_some(rows)
}

fn processes(row: &mut Row, text: &str) {
    let text = text.trim_start_matches(['├', '└', '─', '│', ' ']);
    let Some((pid, command)) = text.split_once(' ') else {
        return;
    };
    if let Some(pid) = int(pid) {
        let list = row
            .entry("processes".to_owned())
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(row! { "pid" => pid, "command" => command.trim_matches('"') }.into());
        }
    }
}

fn status_field(row: &mut Row, label: &str, value: &str) -> Option<()> {
    match label {
        "Loaded" => {
            put(row, "load", value.split(' ').next());
            let inner = between(value, "(", ")").unwrap_or_default();
            let mut parts = inner.split("; ");
            put(row, "unit_file", parts.next());
            put(row, "enabled", parts.next());
            if let Some(preset) = parts.next() {
                put(row, "preset", preset.rsplit(' ').next());
            }
        }
        "Active" => {
            put(row, "active", value.split(' ').next());
            put(row, "sub", between(value, "(", ")"));
            if let Some((_, since)) = value.split_once(" since ") {
                let (since, ago) = since.split_once("; ").unwrap_or((since, ""));
                put(row, "since", since);
                put(row, "ago", given(ago.trim_end_matches(" ago")));
                if let Some(epoch) = since.split_once(' ').and_then(|(_, time)| iso(time)) {
                    put(row, "since_epoch", epoch);
                }
            }
        }
        "Main PID" => {
            put(row, "main_pid", value.split(' ').next().and_then(int));
            put(row, "main_process", between(value, "(", ")"));
        }
        "Tasks" => {
            put(row, "tasks", value.split(' ').next().and_then(int));
            put(
                row,
                "tasks_limit",
                word_after(value, "limit: ").and_then(|word| int(word.trim_end_matches(')'))),
            );
        }
        "Memory" => {
            put(row, "memory", value);
            put(row, "memory_bytes", value.split(' ').next().and_then(size));
        }
        _ => put(row, &super::cells::key(label), value),
    }
    Some(())
}

fn properties(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = vec![Row::new()];
    for line in lines {
        if line.is_empty() {
            rows.push(Row::new());
            continue;
        }
        let (name, value) = line.split_once('=')?;
        name.chars()
            .all(|c| c.is_ascii_alphanumeric())
            .then_some(())?;
        rows.last_mut()?
            .insert(name.to_owned(), given(value).map(auto).into());
    }
    rows.retain(|row| !row.is_empty());
    Some(rows)
}

fn states(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let operands = call.operands();
    let units = operands.get(1..)?;
    (units.len() == lines.len()).then_some(())?;
    let name = call.sub().strip_prefix("is-")?;
    lines
        .iter()
        .zip(units)
        .map(|(line, unit)| {
            let mut row = row! { "unit" => *unit };
            put(
                &mut row,
                if name == "failed" { "active" } else { name },
                (!line.contains(' ')).then_some(*line)?,
            );
            Some(row)
        })
        .collect()
}

/// `Nov 21 06:15:09 host sshd[12]: text`, and the same with an ISO time.
fn journal(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        if line.starts_with("-- ") {
            continue;
        }
        if line.starts_with("  ") {
            // A message of several lines.
            if let Some(Value::String(text)) = rows.last_mut()?.get_mut("message") {
                text.push('\n');
                text.push_str(line.trim_start());
            }
            continue;
        }
        rows.push(journal_line(line)?);
    }
    Some(rows)
}

fn journal_line(line: &str) -> Option<Row> {
    let cells = fields(line, 5);
    let (date, rest) = match cells.as_slice() {
        [month, day, clock, ..] if super::calendar::month_number(month).is_some() => {
            int(day)?;
            super::calendar::clock_seconds(clock)?;
            let date = format!("{month} {day} {clock}");
            (date, fields(line, 4).get(3).copied()?)
        }
        [time, ..]
            if time.contains('T')
                && time
                    .get(..10)
                    .is_some_and(|date| super::calendar::date_parts(date).is_some()) =>
        {
            ((*time).to_owned(), fields(line, 2).get(1).copied()?)
        }
        _ => return None,
    };
    let (host, rest) = rest.split_once(' ')?;
    let (source, message) = rest.split_once(": ").or_else(|| rest.split_once(':'))?;
    let (identifier, pid) = match source.split_once('[') {
        Some((identifier, pid)) => (identifier, int(pid.trim_end_matches(']'))),
        None => (source, None),
    };
    (!identifier.contains(' ') && !message.starts_with(':')).then_some(())?;
    let mut row = row! { "time" => date.as_str(), "host" => host, "identifier" => identifier, "pid" => pid, "message" => message };
    if let Some(epoch) = iso(&date) {
        put(&mut row, "epoch", epoch);
    }
    Some(row)
}

/// `[    0.123456] text` and `[Fri Nov 21 06:15:09 2026] text`.
fn dmesg(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (stamp, message) = line.strip_prefix('[')?.split_once(']')?;
            let stamp = stamp.trim();
            let mut row = row! { "message" => message.trim_start() };
            match super::cells::float(stamp) {
                Some(seconds) => put(&mut row, "seconds", seconds),
                None => put(&mut row, "time", stamp),
            }
            Some(row)
        })
        .collect()
}
