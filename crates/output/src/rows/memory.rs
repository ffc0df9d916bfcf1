//! Memory and its traffic: `free`, `vmstat`, `iostat`, `mpstat`, `swapon`.

use super::Row;
use super::calendar::iso;
use super::call::Call;
use super::cells::{auto, fields, float, int, key, put, row, size, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "free",
        wants: |call| call.is(&["free"]),
        read: free,
    },
    Parser {
        name: "vmstat_disks",
        wants: |call| call.is(&["vmstat"]) && call.short('d'),
        read: vmstat_disks,
    },
    Parser {
        name: "vmstat",
        wants: |call| call.is(&["vmstat"]),
        read: vmstat,
    },
    Parser {
        name: "iostat",
        wants: |call| call.is(&["iostat"]),
        read: iostat,
    },
    Parser {
        name: "pidstat",
        wants: |call| call.is(&["pidstat"]) && call.short('h'),
        read: pidstat,
    },
    Parser {
        name: "mpstat",
        wants: |call| call.is(&["mpstat"]),
        read: mpstat,
    },
];

/// The unit of bare numbers of `free`.
fn free_unit(call: &Call) -> i64 {
    let asked = |letter, long: &str| call.short(letter) || call.has(long);
    if asked('b', "--bytes") {
        1
    } else if asked('m', "--mebi") {
        1 << 20
    } else if asked('g', "--gibi") {
        1 << 30
    } else {
        1 << 10
    }
}

fn free(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut names: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let cells = words(line);
        if cells.first() == Some(&"total") {
            names = cells.iter().map(|name| key(name)).collect();
            continue;
        }
        let (kind, rest) = line.split_once(':')?;
        let mut row = row! { "type" => kind.trim() };
        if names.is_empty() && call.filtered {
            names = ["total", "used", "free", "shared", "buff_cache", "available"]
                .map(str::to_owned)
                .to_vec();
        }
        let values = words(rest);
        if values.is_empty() || values.len() > names.len() {
            return None;
        }
        for (name, value) in names.iter().zip(values) {
            let number = size(value)?;
            let bare = value.bytes().all(|b| b.is_ascii_digit());
            let unit = if bare { free_unit(call) } else { 1 };
            put(&mut row, name, number);
            put(
                &mut row,
                &format!("{name}_bytes"),
                number.saturating_mul(unit),
            );
        }
        rows.push(row);
    }
    Some(rows)
}

const VMSTAT: &[(&str, &str)] = &[
    ("r", "runnable_procs"),
    ("b", "uninterruptible_sleeping_procs"),
    ("swpd", "virtual_mem_used"),
    ("free", "free_mem"),
    ("buff", "buffer_mem"),
    ("cache", "cache_mem"),
    ("inact", "inactive_mem"),
    ("active", "active_mem"),
    ("si", "swap_in"),
    ("so", "swap_out"),
    ("bi", "blocks_in"),
    ("bo", "blocks_out"),
    ("in", "interrupts"),
    ("cs", "context_switches"),
    ("us", "user_time"),
    ("sy", "system_time"),
    ("id", "idle_time"),
    ("wa", "io_wait_time"),
    ("st", "stolen_time"),
    ("gu", "guest_time"),
];

fn vmstat(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut names: Vec<&str> = Vec::new();
    let mut zone = None;
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let cells = words(line);
        if line.trim_start().starts_with("procs") {
            continue;
        }
        if cells.starts_with(&["r", "b"]) {
            names = cells
                .iter()
                .filter_map(|cell| {
                    VMSTAT
                        .iter()
                        .find(|(short, _)| short == cell)
                        .map(|(_, name)| *name)
                })
                .collect();
            zone = cells.get(names.len()).copied();
            continue;
        }
        let (numbers, stamp) = cells
            .split_at_checked(names.len())
            .filter(|_| !names.is_empty())?;
        let mut row = Row::new();
        for (name, number) in names.iter().zip(numbers) {
            put(&mut row, name, int(number)?);
        }
        put_time(&mut row, stamp, zone)?;
        rows.push(row);
    }
    Some(rows)
}

fn put_time(row: &mut Row, stamp: &[&str], zone: Option<&str>) -> Option<()> {
    match stamp {
        [] => {}
        [date, time] => {
            let text = format!("{date} {time}");
            if let Some(zone) = zone {
                put(row, "timezone", zone);
                put(row, "epoch", iso(&format!("{text} {zone}")));
            }
            put(row, "timestamp", text);
        }
        _ => return None,
    }
    Some(())
}

fn vmstat_disks(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    const NAMES: &[&str] = &[
        "total_reads",
        "merged_reads",
        "sectors_read",
        "reading_ms",
        "total_writes",
        "merged_writes",
        "sectors_written",
        "writing_ms",
        "current_io",
        "io_seconds",
    ];
    let mut zone = None;
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let cells = words(line);
        if line.starts_with("disk") {
            continue;
        }
        if cells.first() == Some(&"total") {
            zone = cells.get(NAMES.len()).copied();
            continue;
        }
        let (disk, rest) = cells.split_first()?;
        let (numbers, stamp) = rest.split_at_checked(NAMES.len())?;
        let mut row = row! { "disk" => *disk };
        for (name, number) in NAMES.iter().zip(numbers) {
            put(&mut row, name, int(number)?);
        }
        put_time(&mut row, stamp, zone)?;
        rows.push(row);
    }
    Some(rows)
}

fn iostat(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut kind = "";
    for line in lines {
        let cells = words(line);
        let Some(first) = cells.first() else {
            continue;
        };
        let header = first.trim_end_matches(':');
        if header == "avg-cpu" || header == "Device" {
            kind = if header == "Device" { "device" } else { "cpu" };
            names = cells.iter().skip(1).map(|name| key(name)).collect();
            continue;
        }
        // The first line names the system, and `-t` prints the time.
        if kind.is_empty()
            || line.starts_with("Linux ")
            || int(&first.replace('/', "")).is_some_and(|_| first.contains('/'))
        {
            if !line.starts_with("Linux ") && !first.contains('/') {
                return None;
            }
            continue;
        }
        let mut row = row! { "type" => kind };
        let numbers = if kind == "device" {
            put(&mut row, "device", *first);
            cells.get(1..)?
        } else {
            cells.as_slice()
        };
        if numbers.len() != names.len() {
            return None;
        }
        for (name, number) in names.iter().zip(numbers) {
            float(&number.replace(',', "."))?;
            put(&mut row, name, auto(&number.replace(',', ".")));
        }
        rows.push(row);
    }
    Some(rows)
}

fn mpstat(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("Linux ") {
            continue;
        }
        let cells = words(line);
        if let Some(at) = cells
            .iter()
            .position(|cell| matches!(*cell, "CPU" | "NODE"))
        {
            names = cells.get(at..)?.iter().map(|name| key(name)).collect();
            continue;
        }
        let at = cells
            .len()
            .checked_sub(names.len())
            .filter(|at| (1..=2).contains(at))?;
        let (time, values) = cells.split_at_checked(at)?;
        let mut row = row! { "type" => if names.get(1).is_some_and(|name| name.starts_with("percent_")) { "cpu" } else { "interrupts" } };
        match time {
            ["Average:"] => put(&mut row, "average", true),
            _ => put(&mut row, "time", time.join(" ")),
        }
        for (name, value) in names.iter().zip(values) {
            let value = if name == "cpu" || name == "node" {
                (*value).into()
            } else {
                float(value)?.into()
            };
            row.insert(name.clone(), value);
        }
        rows.push(row);
    }
    Some(rows)
}

/// `pidstat -h`: a header that begins with `#`, and a line for each process.
fn pidstat(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for line in lines
        .iter()
        .filter(|line| !line.trim().is_empty() && !line.starts_with("Linux "))
    {
        if let Some(header) = line.strip_prefix('#') {
            names = words(header).into_iter().map(key).collect();
            continue;
        }
        let cells = fields(line, names.len());
        (cells.len() == names.len() && !names.is_empty()).then_some(())?;
        let row: Option<Row> = names
            .iter()
            .zip(cells)
            .map(|(name, cell)| {
                let value = if name == "command" || name == "time" {
                    auto(cell)
                } else {
                    float(cell).map(|_| auto(cell))?
                };
                Some((name.clone(), value))
            })
            .collect();
        rows.push(row?);
    }
    Some(rows)
}
