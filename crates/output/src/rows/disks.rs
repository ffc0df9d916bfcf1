//! Disks and what is mounted from them: `df`, `mount`, `lsblk`, `blkid`, `findmnt`, fstab.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{auto, given, int, key, percent_int, put, row, size, words};
use super::known::Parser;
use super::table::Columns;
use super::text::assignments;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "df",
        wants: |call| call.is(&["df"]),
        read: df,
    },
    Parser {
        name: "mount",
        wants: |call| call.is(&["mount"]),
        read: mount,
    },
    Parser {
        name: "lsblk_pairs",
        wants: |call| call.is(&["lsblk"]) && (call.short('P') || call.has("--pairs")),
        read: pairs,
    },
    Parser {
        name: "lsblk",
        wants: |call| call.is(&["lsblk"]),
        read: lsblk,
    },
    Parser {
        name: "blkid",
        wants: |call| call.is(&["blkid"]),
        read: blkid,
    },
    Parser {
        name: "findmnt",
        wants: |call| call.is(&["findmnt"]),
        read: findmnt,
    },
    Parser {
        name: "fstab",
        wants: |call| {
            call.file().is_some_and(|file| {
                [
                    "/etc/fstab",
                    "/etc/mtab",
                    "/proc/mounts",
                    "/proc/self/mounts",
                ]
                .contains(&file)
            })
        },
        read: fstab,
    },
];

const DF: &str = "Filesystem 1K-blocks Used Available Use% Mounted on";
const DF_HUMAN: &str = "Filesystem Size Used Avail Use% Mounted on";

fn df(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let is_header = |line: &&&str| {
        line.starts_with("Filesystem") && line.ends_with("on")
            || line.starts_with("Filesystem ") && line.contains("Use%")
    };
    let header = match lines.iter().find(is_header) {
        Some(header) if call.filtered || lines.first() == Some(header) => *header,
        None if call.filtered && !call.short('i') && !call.short('T') && !call.has("--output") => {
            if call.short('h') || call.short('H') {
                DF_HUMAN
            } else {
                DF
            }
        }
        _ => return None,
    };
    let names: Vec<String> = words(&header.replace("Mounted on", "Mounted_on"))
        .into_iter()
        .map(|name| match name {
            "Avail" => "available".to_owned(),
            "Capacity" => "capacity_percent".to_owned(),
            _ if name.starts_with('%') => format!("{}_percent", key(name.trim_start_matches('%'))),
            _ => key(name),
        })
        .collect();
    let unit = names.iter().find_map(|name| block_unit(name));
    let mut rows = Vec::new();
    let mut carried = String::new();
    for line in lines
        .iter()
        .filter(|line| **line != header && !line.trim().is_empty())
    {
        // A long name of a device stands on a line of its own.
        let whole = if carried.is_empty() {
            (*line).to_owned()
        } else {
            format!("{carried} {line}")
        };
        match df_line(&names, unit, &whole) {
            Some(row) => {
                carried.clear();
                rows.push(row);
            }
            None if carried.is_empty() && words(line).len() == 1 => {
                (*line).clone_into(&mut carried);
            }
            None => return None,
        }
    }
    carried.is_empty().then_some(rows)
}

/// The unit of bare numbers, from the name of the column that counts blocks.
fn block_unit(name: &str) -> Option<i64> {
    let number = name
        .strip_suffix("_blocks")
        .or_else(|| name.strip_suffix("b_blocks"))?;
    size(&number.to_ascii_uppercase())
}

/// A line of `df`. Names of devices and places of mounting may hold blanks, so the numbers
/// between them are looked for.
fn df_line(names: &[String], unit: Option<i64>, line: &str) -> Option<Row> {
    let words = words(line);
    let middle = names.get(1..names.len().checked_sub(1)?)?;
    (1..words.len()).find_map(|at| {
        let (device, rest) = words.split_at_checked(at)?;
        let (numbers, place) = rest.split_at_checked(middle.len())?;
        if place.is_empty() {
            return None;
        }
        let mut row = row! { "filesystem" => device.join(" ") };
        for (name, cell) in middle.iter().zip(numbers) {
            df_cell(&mut row, name, cell, unit)?;
        }
        put(&mut row, names.last()?, place.join(" "));
        Some(row)
    })
}

fn df_cell(row: &mut Row, name: &str, cell: &str, unit: Option<i64>) -> Option<()> {
    if name == "type" || name == "file" {
        put(row, name, cell);
        return Some(());
    }
    if cell == "-" {
        put(row, name, Value::Null);
        return Some(());
    }
    if name.ends_with("percent") {
        put(
            row,
            name,
            percent_int(cell).filter(|_| cell.ends_with('%'))?,
        );
        return Some(());
    }
    let number = size(cell)?;
    put(row, name, number);
    let bare = cell.bytes().all(|b| b.is_ascii_digit());
    let counts_inodes = name.starts_with("ifree") || name.starts_with("iused") || name == "inodes";
    if let Some(unit) = unit.filter(|_| bare && !counts_inodes) {
        let name = if name.ends_with("_blocks") {
            "size"
        } else {
            name
        };
        put(row, &format!("{name}_bytes"), number.saturating_mul(unit));
    }
    Some(())
}

fn mount(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (head, options) = line.rsplit_once(" (")?;
            // A label may follow: `(rw) [data]`.
            let (options, label) = options.rsplit_once(')')?;
            let (device, rest) = head.split_once(" on ")?;
            let options: Vec<&str> = options.split(',').map(str::trim).collect();
            let (place, kind) = match rest.rsplit_once(" type ") {
                Some((place, kind)) => (place, kind),
                // The form of BSD names the type first among the options.
                None => (rest, *options.first()?),
            };
            let mut row = row! {
                "filesystem" => device, "mount_point" => place, "type" => kind, "options" => options,
            };
            if let Some(label) = label.trim().strip_prefix('[') {
                put(&mut row, "label", label.trim_end_matches(']'));
            }
            Some(row)
        })
        .collect()
}

fn lsblk(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let (header, body) = lines.split_first()?;
    if !header.starts_with("NAME") || header.chars().any(char::is_lowercase) {
        return None;
    }
    let known = ["MAJ:MIN", "SIZE", "FSTYPE", "UUID", "TYPE", "MOUNTPOINT"];
    known
        .iter()
        .any(|name| words(header).iter().any(|word| word.starts_with(name)))
        .then_some(())?;
    let columns = Columns::read(header, 1)?;
    let mut rows: Vec<Row> = Vec::new();
    for line in body.iter().filter(|line| !line.trim().is_empty()) {
        let line = without_branches(line);
        // Further places of mounting stand on lines of their own.
        if line.starts_with("   ")
            && words(&line).len() == 1
            && columns.keys.last().is_some_and(|key| key == "mountpoints")
        {
            if let Some(Value::Array(places)) = rows.last_mut()?.get_mut("mountpoints") {
                places.push(line.trim().into());
            }
            continue;
        }
        let cells = columns.under(&line)?;
        let mut row = Row::new();
        for (key, cell) in columns.keys.iter().zip(cells) {
            lsblk_cell(&mut row, key, cell)?;
        }
        rows.push(row);
    }
    Some(rows)
}

fn lsblk_cell(row: &mut Row, key: &str, cell: &str) -> Option<()> {
    let value: Value = match key {
        "name" => (!cell.is_empty()).then_some(cell)?.into(),
        "maj_min" => cell
            .split_once(':')
            .filter(|(major, minor)| int(major).is_some() && int(minor).is_some())
            .map(|_| cell)?
            .into(),
        "rm" | "ro" | "rota" | "rand" | "disc_zero" | "hotplug" => match cell {
            "0" => false.into(),
            "1" => true.into(),
            "" => Value::Null,
            _ => return None,
        },
        "mountpoints" => given(cell).into_iter().collect::<Vec<_>>().into(),
        "size" | "fsavail" | "fsused" | "fssize" | "disc_gran" | "disc_max" | "wsame" => {
            if let Some(bytes) = size(cell) {
                put(row, &format!("{key}_bytes"), bytes);
            }
            given(cell).into()
        }
        "ra" | "alignment" | "min_io" | "opt_io" | "phy_sec" | "log_sec" | "rq_size"
        | "disc_aln" => given(cell)
            .map(|cell| int(cell).map_or(Value::from(cell), Value::from))
            .into(),
        _ => given(cell).into(),
    };
    row.insert(key.to_owned(), value);
    Some(())
}

/// Branches of a tree become blanks, so that columns keep their place.
fn without_branches(line: &str) -> String {
    let end = line
        .find(|c: char| !matches!(c, '├' | '└' | '─' | '│' | '┬' | ' ' | '|' | '`' | '-'))
        .unwrap_or(0);
    let (branches, rest) = line.split_at(end);
    let width = branches.chars().count();
    format!("{}{rest}", " ".repeat(width))
}

fn pairs(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let pairs = assignments(line)?;
            Some(
                pairs
                    .into_iter()
                    .map(|(name, value)| (key(name), given(&value).map(auto).into()))
                    .collect(),
            )
        })
        .collect()
}

fn blkid(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut fresh = true;
    for line in lines {
        if line.trim().is_empty() {
            fresh = true;
            continue;
        }
        let listed = line
            .split_once(": ")
            .filter(|(device, _)| device.starts_with('/'));
        let pairs = match listed {
            Some((device, rest)) => {
                rows.push(row! { "device" => device });
                assignments(rest)?
            }
            // Forms for scripts: one pair a line, blocks parted by an empty line.
            None => {
                if fresh {
                    rows.push(Row::new());
                }
                let (name, value) = line.split_once('=')?;
                vec![(name, value.to_owned())]
            }
        };
        fresh = false;
        let row = rows.last_mut()?;
        for (name, value) in pairs {
            let name = match key(name).as_str() {
                "devname" => "device".to_owned(),
                name => name.to_owned(),
            };
            let counts = ["_size", "_number", "_offset"]
                .iter()
                .any(|end| name.ends_with(end));
            let value = if counts { auto(&value) } else { value.into() };
            row.insert(name, value);
        }
    }
    // What tells these pairs from any others.
    let known = |row: &Row| {
        row.keys().any(|name| {
            [
                "uuid",
                "type",
                "id_fs_type",
                "ptuuid",
                "partuuid",
                "label",
                "devname",
            ]
            .contains(&name.as_str())
                || name.starts_with("id_")
        })
    };
    rows.iter().any(known).then_some(rows)
}

fn findmnt(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let (header, body) = lines.split_first()?;
    if !header.starts_with("TARGET") {
        return None;
    }
    let columns = Columns::read(header, 1)?;
    body.iter()
        .map(|line| {
            let line = without_branches(line);
            let cells = columns.left_aligned(&line)?;
            let mut row = columns.row(&cells);
            if let Some(Value::String(options)) = row.remove("options") {
                let (named, bare): (Vec<&str>, Vec<&str>) =
                    options.split(',').partition(|option| option.contains('='));
                put(&mut row, "options", bare);
                let named: Row = named
                    .into_iter()
                    .filter_map(|option| option.split_once('='))
                    .map(|(name, value)| (name.to_owned(), value.into()))
                    .collect();
                if !named.is_empty() {
                    put(&mut row, "kv_options", named);
                }
            }
            Some(row)
        })
        .collect()
}

fn fstab(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let entries = lines.iter().filter(|line| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    entries
        .map(|line| {
            let line = line.split(" #").next().unwrap_or(line);
            let cells = words(line);
            let [spec, file, kind, options, rest @ ..] = cells.as_slice() else {
                return None;
            };
            let placed = file.starts_with('/') || matches!(*file, "none" | "swap");
            (placed && rest.len() < 3).then_some(())?;
            let number = |index: usize| match rest.get(index) {
                Some(cell) => int(cell).map(Some),
                None => Some(None),
            };
            Some(row! {
                "fs_spec" => *spec, "fs_file" => *file, "fs_vfstype" => *kind,
                "fs_mntops" => *options, "fs_freq" => number(0)?.unwrap_or(0), "fs_passno" => number(1)?.unwrap_or(0),
            })
        })
        .collect()
}
