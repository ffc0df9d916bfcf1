//! `top` in batch mode: one row for each time that it looked.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{auto, fields, float, int, key, put, size, words};
use super::known::Parser;
use super::sessions::uptime_line;

pub(super) const PARSERS: &[Parser] = &[Parser {
    name: "top",
    wants: |call| call.is(&["top"]),
    read: top,
}];

fn top(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<(Row, Vec<Value>)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if let Some(head) = line.strip_prefix("top - ") {
            let mut row = Row::new();
            for (name, value) in uptime_line(head)? {
                if matches!(name.as_str(), "time" | "users")
                    || name.starts_with("load")
                    || name == "uptime_total_seconds"
                {
                    row.insert(name, value);
                }
            }
            if let Some(seconds) = row
                .remove("uptime_total_seconds")
                .and_then(|value| value.as_i64())
            {
                put(&mut row, "uptime", seconds / 60);
            }
            rows.push((row, Vec::new()));
            names.clear();
            continue;
        }
        let (row, processes) = rows.last_mut()?;
        if line.trim().is_empty() {
            continue;
        }
        if names.is_empty() {
            let words = words(line);
            if words.contains(&"PID") && (words.contains(&"COMMAND") || words.len() > 3) {
                names = words;
            } else {
                summary(row, line)?;
            }
            continue;
        }
        let cells = fields(line, names.len());
        if cells.len() != names.len() {
            return None;
        }
        let process: Option<Row> = names
            .iter()
            .zip(&cells)
            .map(|(name, cell)| process_cell(name, cell))
            .collect();
        let mut process = process?;
        for (name, cell) in names.iter().zip(&cells) {
            let name = match *name {
                "VIRT" => "virtual_mem_bytes",
                "RES" => "resident_mem_bytes",
                "SHR" => "shared_mem_bytes",
                _ => continue,
            };
            // A bare number counts KiB.
            let bare = cell.bytes().all(|b| b.is_ascii_digit());
            put(
                &mut process,
                name,
                size(cell).map(|number| {
                    if bare {
                        number.saturating_mul(1024)
                    } else {
                        number
                    }
                }),
            );
        }
        processes.push(process.into());
    }
    let rows = rows.into_iter().map(|(mut row, processes)| {
        put(&mut row, "processes", processes);
        row
    });
    Some(rows.collect())
}

/// `Tasks:`, `%Cpu(s):`, `MiB Mem :` and `MiB Swap:`.
fn summary(row: &mut Row, line: &str) -> Option<()> {
    let (label, counts) = line.split_once(':')?;
    let label = label.trim();
    let (prefix, unit) = match words(label).as_slice() {
        ["Tasks"] => ("tasks", None),
        ["Threads"] => ("threads", None),
        [cpu] if cpu.starts_with("%Cpu") => ("cpu", None),
        [unit, "Mem"] => ("mem", Some(*unit)),
        [unit, "Swap"] => ("swap", Some(*unit)),
        _ => return None,
    };
    if let Some(unit) = unit {
        put(row, &format!("{prefix}_unit"), unit);
    }
    for (number, name) in numbers(counts)? {
        let name = match (prefix, name) {
            ("cpu", "us") => "cpu_user",
            ("cpu", "sy") => "cpu_sys",
            ("cpu", "ni") => "cpu_nice",
            ("cpu", "id") => "cpu_idle",
            ("cpu", "wa") => "cpu_wait",
            ("cpu", "hi") => "cpu_hardware",
            ("cpu", "si") => "cpu_software",
            ("cpu", "st") => "cpu_steal",
            (_, "avail") => "mem_available",
            (_, "buff/cache") => "mem_buff_cache",
            _ => {
                put(row, &format!("{prefix}_{name}"), auto(number));
                continue;
            }
        };
        put(row, name, float(number)?);
    }
    Some(())
}

/// `3.7 total`, `0.0 us`: numbers, each with the word behind it.
fn numbers(text: &str) -> Option<Vec<(&str, &str)>> {
    // A full column loses the blank behind the comma: `0.0 ni,100.0 id`.
    let text = text.split(',');
    let words = text.flat_map(str::split_whitespace);
    let mut out = Vec::new();
    let mut words = words;
    while let Some(number) = words.next() {
        if number == "Mem" {
            continue;
        }
        // `100.0 id` may lose its blank: `100.0id`.
        let number = number.trim_end_matches('+');
        float(number)?;
        out.push((number, words.next()?.trim_end_matches([',', '.'])));
    }
    Some(out)
}

fn process_cell(name: &str, cell: &str) -> Option<(String, Value)> {
    let name = match name {
        "PPID" => "parent_pid",
        "PR" => "priority",
        "NI" => "nice",
        "VIRT" => "virtual_mem",
        "RES" => "resident_mem",
        "SHR" => "shared_mem",
        "S" => "status",
        "%CPU" => "percent_cpu",
        "%MEM" => "percent_mem",
        "TIME+" => "time_hundredths",
        other => {
            return Some((
                key(other),
                if other == "PID" || other == "PPID" {
                    int(cell)?.into()
                } else {
                    auto(cell)
                },
            ));
        }
    };
    let value = match name {
        "status" => status(cell)?.into(),
        "percent_cpu" | "percent_mem" => float(cell)?.into(),
        "virtual_mem" | "resident_mem" | "shared_mem" => memory(cell)?,
        "time_hundredths" => cell.into(),
        "priority" if cell == "rt" => cell.into(),
        _ => auto(cell),
    };
    Some((name.to_owned(), value))
}

/// The number as printed; with a unit behind it the unit is that of the column.
fn memory(cell: &str) -> Option<Value> {
    size(cell)?;
    let number = cell.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    Some(auto(number))
}

fn status(letter: &str) -> Option<&'static str> {
    Some(match letter {
        "D" => "uninterruptible sleep",
        "I" => "idle",
        "R" => "running",
        "S" => "sleeping",
        "T" => "stopped by job control signal",
        "t" => "stopped by debugger during trace",
        "Z" => "zombie",
        _ => return None,
    })
}
