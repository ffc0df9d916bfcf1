//! Files of the system that everybody prints: hosts, resolv.conf, os-release, `/proc/…`, sysctl.

use super::Row;
use super::call::Call;
use super::cells::{auto, given, go_on, int, key, put, row, words};
use super::known::Parser;
use super::text::assignments;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "hosts",
        wants: |call| {
            file(call, &["/etc/hosts"])
                || call.is(&["getent"]) && matches!(call.sub(), "hosts" | "ahosts")
        },
        read: hosts,
    },
    Parser {
        name: "resolv_conf",
        wants: |call| file(call, &["/etc/resolv.conf"]),
        read: resolv,
    },
    Parser {
        name: "os_release",
        wants: |call| {
            file(
                call,
                &["/etc/os-release", "/usr/lib/os-release", "/etc/lsb-release"],
            )
        },
        read: os_release,
    },
    Parser {
        name: "lsb_release",
        wants: |call| call.is(&["lsb_release"]),
        read: lsb_release,
    },
    Parser {
        name: "meminfo",
        wants: |call| file(call, &["/proc/meminfo"]),
        read: meminfo,
    },
    Parser {
        name: "cpuinfo",
        wants: |call| file(call, &["/proc/cpuinfo"]),
        read: cpuinfo,
    },
    Parser {
        name: "loadavg",
        wants: |call| file(call, &["/proc/loadavg"]),
        read: loadavg,
    },
    Parser {
        name: "sysctl",
        wants: |call| call.is(&["sysctl"]),
        read: sysctl,
    },
];

fn file(call: &Call, paths: &[&str]) -> bool {
    call.file().is_some_and(|file| paths.contains(&file))
}

fn uncommented<'a>(lines: &[&'a str]) -> impl Iterator<Item = &'a str> {
    lines
        .iter()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
}

fn hosts(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    uncommented(lines)
        .map(|line| {
            let cells = words(line);
            let [ip, names @ ..] = cells.as_slice() else {
                return None;
            };
            ip.split('%')
                .next()?
                .parse::<std::net::IpAddr>()
                .is_ok()
                .then(|| row! { "ip" => *ip, "hostname" => names })
        })
        .collect()
}

fn resolv(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    uncommented(lines)
        .filter(|line| !line.starts_with(';'))
        .map(|line| {
            let cells = words(line);
            let [name, values @ ..] = cells.as_slice() else {
                return None;
            };
            let known = matches!(
                *name,
                "nameserver" | "search" | "domain" | "options" | "sortlist"
            );
            known.then(|| row! { "name" => *name, "values" => values })
        })
        .collect()
}

fn os_release(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut row = Row::new();
    for line in uncommented(lines) {
        let pairs = assignments(line)?;
        for (name, value) in pairs {
            row.insert(name.to_owned(), value.into());
        }
    }
    Some(vec![row])
}

fn lsb_release(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut row = Row::new();
    for line in lines.iter().filter(|line| !line.starts_with("No LSB")) {
        let (name, value) = line.split_once(":\t")?;
        row.insert(key(name), value.into());
    }
    Some(vec![row])
}

/// `MemTotal:  1234 kB`: one row a line, in bytes where a unit is printed.
fn meminfo(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            let cells = words(value);
            Some(match cells.as_slice() {
                [number, "kB"] => row! { "name" => name, "value" => int(number)?, "bytes" => int(number)?.saturating_mul(1024) },
                [number] => row! { "name" => name, "value" => int(number)? },
                _ => return None,
            })
        })
        .collect()
}

fn cpuinfo(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = vec![Row::new()];
    for line in lines {
        if line.trim().is_empty() {
            rows.push(Row::new());
            continue;
        }
        let (name, value) = line.split_once(':')?;
        let (name, value) = (key(name), value.trim());
        let row = rows.last_mut()?;
        if name == "flags" || name == "bugs" {
            put(row, &name, words(value));
        } else {
            put(row, &name, given(value).map(auto));
        }
    }
    rows.retain(|row| !row.is_empty());
    Some(rows)
}

fn loadavg(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let cells = words(lines.first()?);
    let [one, five, fifteen, tasks, last] = cells.as_slice() else {
        return None;
    };
    let (running, total) = tasks.split_once('/')?;
    Some(vec![row! {
        "load_1m" => auto(one), "load_5m" => auto(five), "load_15m" => auto(fifteen),
        "running" => int(running)?, "total" => int(total)?, "last_pid" => int(last)?,
    }])
}

/// `name = value` of Linux and `name: value` of BSD; a name that comes again goes on.
fn sysctl(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('n') {
        return None;
    }
    let linux = lines.first()?.contains(" = ");
    let mut rows: Vec<Row> = Vec::new();
    let mut further = 0;
    for line in lines {
        let split = if linux {
            line.split_once(" =")
        } else {
            line.split_once(": ").or_else(|| line.split_once(':'))
        };
        let named = split.filter(|(name, _)| name.contains('.') && !name.contains(' '));
        match named {
            Some((name, value)) => {
                let value = value.trim();
                let again = rows
                    .last_mut()
                    .filter(|row| row.get("name").is_some_and(|last| last == name));
                match again {
                    Some(row) => go_on(row, "value", value),
                    None => rows.push(row! { "name" => name, "value" => auto(value) }),
                }
            }
            None if linux => return None,
            None => {
                further += 1;
                go_on(rows.last_mut()?, "value", line);
            }
        }
    }
    (further <= rows.len()).then_some(rows)
}
