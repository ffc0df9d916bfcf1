//! Processes: `ps`, `lsof`, `jobs`, `pgrep`.

use super::Row;
use super::call::Call;
use super::cells::{auto, fields, float, given, int, key, put, row, words};
use super::known::Parser;
use super::table::Columns;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "ps",
        wants: |call| call.is(&["ps"]),
        read: ps,
    },
    Parser {
        name: "lsof",
        wants: |call| call.is(&["lsof"]),
        read: lsof,
    },
    Parser {
        name: "jobs",
        wants: |call| call.is(&["jobs"]),
        read: jobs,
    },
    Parser {
        name: "pgrep",
        wants: |call| call.is(&["pgrep", "pidof"]),
        read: pgrep,
    },
];

const AUX: &str = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND";
const EF: &str = "UID PID PPID C STIME TTY TIME CMD";

fn ps(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let is_header = |line: &&&str| {
        let names = words(line);
        names.contains(&"PID")
            && names
                .iter()
                .all(|name| name.chars().all(|c| !c.is_lowercase()))
    };
    let header = match lines.iter().find(is_header) {
        Some(header) if call.filtered || lines.first() == Some(header) => *header,
        None if call.filtered
            && call
                .args
                .iter()
                .any(|arg| arg.starts_with("au") || arg.starts_with("ax") && arg.contains('u')) =>
        {
            AUX
        }
        None if call.filtered && call.short('f') && (call.short('e') || call.short('A')) => EF,
        _ => return None,
    };
    let names = words(header);
    let keys: Vec<String> = names.iter().map(|name| ps_key(name)).collect();
    // Words of a command or a date can only be told apart in the last column.
    let wordy = names
        .iter()
        .rev()
        .skip(1)
        .any(|name| matches!(*name, "COMMAND" | "CMD" | "STARTED" | "LABEL"));
    if wordy && !call.short('M') && !names.contains(&"TT") {
        return None;
    }
    lines
        .iter()
        .filter(|line| **line != header && !line.trim().is_empty())
        .map(|line| {
            let cells = fields(line, keys.len());
            (cells.len() == keys.len()).then_some(())?;
            keys.iter()
                .zip(cells)
                .map(|(key, cell)| ps_cell(key, cell))
                .collect()
        })
        .collect::<Option<Vec<Row>>>()
        .map(with_bytes)
}

fn ps_key(name: &str) -> String {
    match name.strip_prefix('%') {
        Some(rest) => format!("{}_percent", rest.to_ascii_lowercase()),
        None => key(name),
    }
}

fn ps_cell(key: &str, cell: &str) -> Option<(String, serde_json::Value)> {
    let value = match key {
        "pid" | "ppid" | "pgid" | "sid" | "tid" | "lwp" | "nlwp" | "vsz" | "rss" | "sz" | "c" => {
            int(cell)?.into()
        }
        "ni" | "pri" | "wchan" => given(cell).map(auto).into(),
        "cpu_percent" | "mem_percent" => float(cell)?.into(),
        "tty" | "tt" => given(cell).into(),
        _ => cell.into(),
    };
    Some((key.to_owned(), value))
}

/// `ps` counts memory in KiB.
fn with_bytes(mut rows: Vec<Row>) -> Vec<Row> {
    for row in &mut rows {
        for (name, bytes) in [("vsz", "vsz_bytes"), ("rss", "rss_bytes")] {
            if let Some(kib) = row.get(name).and_then(serde_json::Value::as_i64) {
                put(row, bytes, kib.saturating_mul(1024));
            }
        }
    }
    rows
}

fn lsof(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('t') || call.short('F') {
        return None;
    }
    let (header, body) = lines.split_first()?;
    if !header.starts_with("COMMAND") || !header.ends_with("NAME") {
        return None;
    }
    let columns = Columns::read(header, 1)?;
    body.iter()
        .map(|line| {
            let cells = columns.under(line)?;
            let mut row = Row::new();
            for (key, cell) in columns.keys.iter().zip(cells) {
                let value = match key.as_str() {
                    "pid" => int(cell)?.into(),
                    "size_off" => given(cell)
                        .map(|cell| auto(cell.strip_prefix("0t").unwrap_or(cell)))
                        .into(),
                    "tid" | "ppid" | "pgid" | "node" => given(cell).map(auto).into(),
                    "name" => cell.into(),
                    _ => given(cell).into(),
                };
                row.insert(key.clone(), value);
            }
            Some(row)
        })
        .collect()
}

fn jobs(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (number, rest) = line.strip_prefix('[')?.split_once(']')?;
            let mark = rest.chars().next()?;
            let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest).trim_start();
            let (pid, rest) = match rest.split_once(' ') {
                Some((word, tail)) if int(word).is_some() => (int(word), tail.trim_start()),
                _ => (None, rest),
            };
            let (status, command) = rest.split_once("  ")?;
            let mut row = row! {
                "job_number" => int(number)?, "status" => status, "command" => command.trim(),
            };
            if let Some(pid) = pid {
                put(&mut row, "pid", pid);
            }
            match mark {
                '+' => put(&mut row, "history", "current"),
                '-' => put(&mut row, "history", "previous"),
                _ => {}
            }
            Some(row)
        })
        .collect()
}

fn pgrep(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for line in lines {
        if call.short('l') || call.short('a') {
            let (pid, rest) = line.split_once(' ')?;
            let name = if call.short('a') { "command" } else { "name" };
            let mut row = row! { "pid" => int(pid)? };
            put(&mut row, name, rest);
            rows.push(row);
        } else {
            for pid in line.split_whitespace() {
                rows.push(row! { "pid" => int(pid)? });
            }
        }
    }
    Some(rows)
}
