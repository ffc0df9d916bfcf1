//! The machine and its clock: `uname`, `date`, `hostnamectl`, `timedatectl`.

use serde_json::Value;

use super::Row;
use super::calendar::{clock_seconds, days, iso, month_number, zone_seconds};
use super::call::Call;
use super::cells::{int, key, put, row, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "uname",
        wants: |call| call.is(&["uname"]) && (call.short('a') || call.has("--all")),
        read: uname,
    },
    Parser {
        name: "date",
        wants: |call| call.is(&["date"]),
        read: date,
    },
    Parser {
        name: "hostnamectl",
        wants: |call| call.is(&["hostnamectl"]),
        read: hostnamectl,
    },
    Parser {
        name: "timedatectl",
        wants: |call| call.is(&["timedatectl"]),
        read: timedatectl,
    },
];

/// The one line that holds something.
fn only<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let mut lines = lines.iter().filter(|line| !line.trim().is_empty());
    let line = lines.next()?;
    lines.next().is_none().then_some(*line)
}

/// `Linux host 6.1.0 #1 SMP … x86_64 x86_64 x86_64 GNU/Linux`: the version in the middle has any
/// number of words, and some machines leave out processor and platform.
fn uname(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let line = only(lines)?;
    let cells = words(line);
    if cells.first() == Some(&"Darwin") || cells.first() == Some(&"FreeBSD") {
        let [kernel, node, release, version @ .., machine] = cells.as_slice() else {
            return None;
        };
        return Some(vec![row! {
            "kernel_name" => *kernel, "node_name" => *node, "kernel_release" => *release,
            "kernel_version" => version.join(" "), "machine" => *machine,
        }]);
    }
    let [kernel, node, release, rest @ .., system] = cells.as_slice() else {
        return None;
    };
    let known =
        system.contains("Linux") || matches!(*system, "Msys" | "Cygwin" | "Android" | "Toybox");
    known.then_some(())?;
    let is_machine = |word: &&str| {
        [
            "x86_64",
            "aarch64",
            "arm",
            "i386",
            "i486",
            "i586",
            "i686",
            "ppc",
            "s390",
            "riscv",
            "mips",
            "unknown",
            "athlon",
            "GenuineIntel",
            "AuthenticAMD",
            "loongarch",
        ]
        .iter()
        .any(|start| word.starts_with(start))
    };
    let count = rest
        .iter()
        .rev()
        .take(3)
        .take_while(|word| is_machine(word))
        .count();
    let (version, machines) = rest.split_at_checked(rest.len() - count)?;
    let mut row = row! {
        "kernel_name" => *kernel, "node_name" => *node, "kernel_release" => *release,
        "operating_system" => *system, "kernel_version" => version.join(" "),
    };
    for (name, machine) in ["machine", "processor", "hardware_platform"]
        .iter()
        .zip(machines)
    {
        put(&mut row, name, *machine);
    }
    (count > 0).then(|| vec![row])
}

/// `Wed Mar 24 11:11:30 UTC 2021` and what `LC_TIME` of newer systems makes of it.
fn date(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let line = only(lines)?;
    if let Some(epoch) = iso(line) {
        return Some(vec![row! { "iso" => line.trim(), "epoch" => epoch }]);
    }
    let text = line.replace(',', "");
    let cells = words(&text);
    let (month, day, year) = match cells.as_slice() {
        [_, month, day, .., year]
            if month_number(month).is_some() && int(year).is_some_and(|year| year > 1900) =>
        {
            (*month, *day, *year)
        }
        [_, day, month, year, ..] | [_, month, day, year, ..]
            if int(year).is_some_and(|year| year > 1900) && month_number(month).is_some() =>
        {
            (*month, *day, *year)
        }
        _ => return None,
    };
    let clock = cells.iter().find(|word| clock_seconds(word).is_some())?;
    let afternoon = cells
        .iter()
        .find(|word| matches!(**word, "AM" | "PM" | "am" | "pm"))
        .map(|word| word.to_ascii_uppercase());
    let zone = cells.iter().skip(3).find(|word| {
        word.len() >= 3
            && word.chars().all(|c| c.is_ascii_alphabetic())
            && !matches!(**word, "AM" | "PM")
            && month_number(word).is_none()
            || (word.starts_with(['+', '-']) && int(&word.replace(':', "")).is_some())
    });
    date_row(
        int(year)?,
        month,
        int(day)?,
        clock,
        afternoon,
        zone.copied(),
    )
    .map(|row| vec![row])
}

fn date_row(
    year: i64,
    month: &str,
    day: i64,
    clock: &str,
    afternoon: Option<String>,
    zone: Option<&str>,
) -> Option<Row> {
    let month_num = month_number(month)?;
    let date = days(year, month_num, day)?;
    let mut seconds = clock_seconds(clock)?;
    match afternoon.as_deref() {
        Some("PM") if seconds < 43_200 => seconds += 43_200,
        Some("AM") if seconds >= 43_200 => seconds -= 43_200,
        _ => {}
    }
    let hour = seconds / 3_600;
    let weekday = (date + 3).rem_euclid(7) + 1;
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let name = usize::try_from(weekday - 1)
        .ok()
        .and_then(|index| names.get(index))
        .copied();
    let mut row = row! {
        "year" => year, "month" => month.get(..3), "month_num" => month_num, "day" => day,
        "weekday" => name, "weekday_num" => weekday,
        "hour" => if hour % 12 == 0 { 12 } else { hour % 12 }, "hour_24" => hour,
        "minute" => seconds / 60 % 60, "second" => seconds % 60,
        "period" => if hour >= 12 { "PM" } else { "AM" },
        "timezone" => zone, "day_of_year" => date - days(year, 1, 1)? + 1,
        "week_of_year" => (date - days(year, 1, 1)? + 8 - weekday) / 7,
    };
    let offset = zone.and_then(zone_seconds);
    put(&mut row, "timezone_aware", offset == Some(0));
    let clock = format!(
        "{year:04}-{month_num:02}-{day:02}T{hour:02}:{:02}:{:02}",
        seconds / 60 % 60,
        seconds % 60
    );
    if let Some(offset) = offset {
        put(&mut row, "epoch_utc", date * 86_400 + seconds - offset);
        put(&mut row, "epoch", date * 86_400 + seconds - offset);
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 3_600, offset.abs() / 60 % 60);
        put(
            &mut row,
            "utc_offset",
            format!("{sign}{hours:02}{minutes:02}"),
        );
        put(
            &mut row,
            "iso",
            format!("{clock}{sign}{hours:02}:{minutes:02}"),
        );
    } else {
        put(&mut row, "iso", clock);
    }
    Some(row)
}

/// Labels that end at the same column, one row for all of them.
fn labels(lines: &[&str], least: usize) -> Option<Row> {
    let mut row = Row::new();
    let mut last = String::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        match line
            .split_once(": ")
            .or_else(|| line.strip_suffix(':').map(|label| (label, "")))
        {
            Some((label, value)) => {
                last = key(label);
                row.insert(last.clone(), value.trim().into());
            }
            None => match row.get_mut(&last) {
                Some(Value::String(text)) if line.starts_with(' ') => {
                    text.push('\n');
                    text.push_str(line.trim());
                }
                _ => return None,
            },
        }
    }
    (row.len() >= least).then_some(row)
}

fn hostnamectl(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let row = labels(lines, 2)?;
    row.contains_key("static_hostname").then(|| vec![row])
}

fn timedatectl(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.sub() == "list-timezones" {
        return lines
            .iter()
            .map(|line| (!line.contains(' ')).then(|| row! { "time_zone" => *line }))
            .collect();
    }
    let text: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| {
            !line.contains("DST change") && !line.starts_with("   ") || line.contains(": ")
        })
        .collect();
    let mut row = labels(&text, 3)?;
    row.contains_key("universal_time").then_some(())?;
    for (from, to) in [
        ("network_time_on", "ntp_enabled"),
        (
            "systemd_timesyncd_service_active",
            "systemd-timesyncd.service_active",
        ),
    ] {
        if let Some(value) = row.remove(from) {
            row.insert(to.to_owned(), value);
        }
    }
    for value in row.values_mut() {
        match value.as_str() {
            Some("yes" | "active") => *value = true.into(),
            Some("no" | "inactive") => *value = false.into(),
            _ => {}
        }
    }
    let universal = row
        .get("universal_time")
        .and_then(Value::as_str)
        .and_then(|text| iso(text.split_once(' ')?.1));
    if let Some(epoch) = universal {
        put(&mut row, "epoch_utc", epoch);
    }
    Some(vec![row])
}
