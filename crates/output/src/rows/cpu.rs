//! Hardware and modules: `lscpu`, `lsmod`, `lsusb`, `lspci`.

use super::Row;
use super::call::Call;
use super::cells::{auto, int, key, put, row, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "lscpu",
        wants: |call| call.is(&["lscpu"]),
        read: lscpu,
    },
    Parser {
        name: "lsmod",
        wants: |call| call.is(&["lsmod"]),
        read: lsmod,
    },
    Parser {
        name: "lsusb",
        wants: |call| call.is(&["lsusb"]) && !call.short('v') && !call.short('t'),
        read: lsusb,
    },
    Parser {
        name: "lspci_fields",
        wants: |call| {
            call.is(&["lspci"])
                && call
                    .args
                    .iter()
                    .any(|arg| arg.contains("mm") && arg.contains('v'))
        },
        read: lspci_fields,
    },
    Parser {
        name: "lspci",
        wants: |call| {
            call.is(&["lspci"]) && !call.short('v') && !call.short('t') && !call.short('m')
        },
        read: lspci,
    },
];

/// One row: the label is the name, a number is a number.
fn lscpu(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut row = Row::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let (label, value) = line.split_once(':')?;
        let value = value.trim();
        let name = key(label);
        if name == "flags" {
            put(&mut row, "flags", words(value));
        } else if !value.is_empty() {
            // Newer versions indent what belongs together under a heading without a value.
            row.insert(name, auto(value));
        }
    }
    row.contains_key("architecture").then(|| vec![row])
}

fn lsmod(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let headed = lines
        .first()
        .is_some_and(|line| line.starts_with("Module "));
    if !headed && !call.filtered {
        return None;
    }
    lines
        .get(usize::from(headed)..)?
        .iter()
        .map(|line| {
            let cells = words(line);
            let [module, size, used, by @ ..] = cells.as_slice() else {
                return None;
            };
            let mut row = row! { "module" => *module, "size" => int(size)?, "used" => int(used)? };
            if let Some(by) = by.first() {
                let by: Vec<&str> = by.split(',').filter(|name| !name.is_empty()).collect();
                put(&mut row, "by", by);
            }
            Some(row)
        })
        .collect()
}

/// `Bus 002 Device 001: ID 1d6b:0001 Linux Foundation 1.1 root hub`.
fn lsusb(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let rest = line.strip_prefix("Bus ")?;
            let (bus, rest) = rest.split_once(" Device ")?;
            let (device, rest) = rest.split_once(": ID ")?;
            let (id, description) = rest.split_once(' ').unwrap_or((rest, ""));
            int(bus)?;
            Some(row! { "bus" => bus, "device" => device, "id" => id, "description" => description.trim() })
        })
        .collect()
}

/// `00:1f.2 SATA controller: Intel … (rev 02)`, with `[0106]` and `[8086:2922]` for `-nn`.
fn lspci(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (slot, rest) = line.split_once(' ')?;
            let mut row = slot_row(slot)?;
            let (class, device) = rest.split_once(": ")?;
            let (class, class_id) = bracketed(class);
            put(&mut row, "class", class);
            if let Some(id) = class_id {
                put(&mut row, "class_id", id);
            }
            let (device, revision) = match device.split_once(" (rev ") {
                Some((device, revision)) => (device, revision.split(')').next()),
                None => (device.split(" (prog-if").next().unwrap_or(device), None),
            };
            let (device, id) = bracketed(device);
            put(&mut row, "device", device);
            if let Some((vendor, device)) = id.and_then(|id| id.split_once(':')) {
                put(&mut row, "vendor_id", vendor);
                put(&mut row, "device_id", device);
            }
            put(&mut row, "rev", revision);
            Some(row)
        })
        .collect()
}

/// The text before a last word in brackets, and that word when it is a number.
fn bracketed(text: &str) -> (&str, Option<&str>) {
    let split = text
        .strip_suffix(']')
        .and_then(|text| text.rsplit_once(" ["));
    match split {
        Some((before, id))
            if id.len() >= 4 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') =>
        {
            (before, Some(id))
        }
        _ => (text, None),
    }
}

/// `0000:00:1f.2` in its parts.
fn slot_row(slot: &str) -> Option<Row> {
    let (rest, function) = slot.rsplit_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let (domain, bus) = rest.rsplit_once(':').unwrap_or(("00", rest));
    let mut row = row! { "slot" => slot };
    for (name, digits) in [
        ("domain", domain),
        ("bus", bus),
        ("dev", device),
        ("function", function),
    ] {
        put(&mut row, name, digits);
        put(&mut row, &format!("{name}_int"), hex(digits)?);
    }
    Some(row)
}

fn hex(digits: &str) -> Option<i64> {
    i64::from_str_radix(digits, 16).ok()
}

/// `lspci -mmv` and its like: blocks of `Name:<tab>value`.
fn lspci_fields(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        let name = key(name);
        if name == "slot" {
            rows.push(slot_row(value)?);
            continue;
        }
        let row = rows.last_mut()?;
        let (text, id) = bracketed(value);
        if matches!(
            name.as_str(),
            "class" | "vendor" | "device" | "svendor" | "sdevice"
        ) {
            let only = (value.len() == 4).then(|| hex(value)).flatten();
            let id = id.or(only.map(|_| value));
            if let Some(id) = id {
                put(row, &format!("{name}_id"), id);
                put(row, &format!("{name}_id_int"), hex(id));
            }
            if only.is_none() {
                put(row, &name, text);
            }
            continue;
        }
        if name == "progif" {
            put(row, "progif_int", hex(value));
        }
        put(row, &name, value);
    }
    Some(rows)
}
