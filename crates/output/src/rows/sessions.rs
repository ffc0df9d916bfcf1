//! Who is there and for how long: `w`, `who`, `last`, `uptime`.

use super::Row;
use super::call::Call;
use super::cells::{fields, float, given, int, put, row, words};
use super::known::Parser;
use super::table::Columns;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "uptime",
        wants: |call| call.is(&["uptime"]),
        read: uptime,
    },
    Parser {
        name: "w",
        wants: |call| call.is(&["w"]),
        read: w,
    },
    Parser {
        name: "who",
        wants: |call| call.is(&["who"]),
        read: who,
    },
    Parser {
        name: "last",
        wants: |call| call.is(&["last", "lastb"]),
        read: last,
    },
];

fn uptime(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('p') || call.short('s') {
        return None;
    }
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| uptime_line(line))
        .collect()
}

/// ` 10:25:20 up 1 day, 16:03,  2 users,  load average: 0.00, 0.01, 0.05`.
pub(super) fn uptime_line(line: &str) -> Option<Row> {
    let (time, rest) = line.trim().split_once(" up ")?;
    let time = time.trim();
    let (head, load) = rest.split_once("load average")?;
    let load = load.trim_start_matches(['s', ':', ' ']);
    let head = head.trim().trim_end_matches(',');
    let (up, users) = match head.rsplit_once(',') {
        Some((up, users)) if users.contains("user") => (up, int(words(users).first()?)),
        // Newer versions leave the users out.
        _ => (head, None),
    };
    let (days, hours, minutes) = span(up)?;
    let mut clock = time.split(':');
    let mut row = row! {
        "time" => time, "uptime" => words(up).join(" "), "users" => users,
        "time_hour" => clock.next().and_then(int), "time_minute" => clock.next().and_then(int),
        "time_second" => clock.next().and_then(int),
        "uptime_days" => days, "uptime_hours" => hours, "uptime_minutes" => minutes,
        "uptime_total_seconds" => days * 86_400 + hours * 3_600 + minutes * 60,
    };
    let loads: Vec<f64> = load
        .split([' '])
        .filter_map(|word| float(word.trim_end_matches(',')))
        .collect();
    let [one, five, fifteen] = loads.as_slice() else {
        return None;
    };
    put(&mut row, "load_1m", *one);
    put(&mut row, "load_5m", *five);
    put(&mut row, "load_15m", *fifteen);
    Some(row)
}

/// Days, hours and minutes of `3 days, 16:03`, `5 min`, `2 days, 1 min`.
fn span(text: &str) -> Option<(i64, i64, i64)> {
    let (mut days, mut hours, mut minutes) = (0, 0, 0);
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        if let Some((one, two)) = part.split_once(':') {
            hours = int(one)?;
            minutes = int(two)?;
            continue;
        }
        let (number, unit) = part.split_once(' ')?;
        let number = int(number)?;
        match unit.trim() {
            "day" | "days" => days = number,
            "hr" | "hrs" | "hour" | "hours" => hours = number,
            "min" | "mins" | "minute" | "minutes" => minutes = number,
            "sec" | "secs" => {}
            _ => return None,
        }
    }
    Some((days, hours, minutes))
}

fn w(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let header = lines.iter().position(|line| line.starts_with("USER"))?;
    lines.get(header)?.contains("WHAT").then_some(())?;
    let columns = Columns::read(lines.get(header)?, 1)?;
    if header > 1 && !call.filtered {
        return None;
    }
    lines
        .get(header + 1..)?
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells = fields(line, columns.keys.len());
            // The column of the origin may be empty; a time stands where it should be.
            let from = columns.keys.iter().position(|key| key == "from");
            let origin_missing = from.is_some_and(|at| {
                columns
                    .under(line)
                    .is_some_and(|cells| cells.get(at).is_some_and(|cell| cell.is_empty()))
            });
            let mut row = Row::new();
            let mut cells = if origin_missing {
                fields(line, columns.keys.len() - 1)
            } else {
                cells
            }
            .into_iter();
            for (index, key) in columns.keys.iter().enumerate() {
                let name = if key == "login" { "login_at" } else { key };
                if Some(index) == from && origin_missing {
                    put(&mut row, name, None::<&str>);
                } else {
                    put(&mut row, name, given(cells.next()?));
                }
            }
            Some(row)
        })
        .collect()
}

fn who(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('q') || call.short('H') {
        return None;
    }
    let is_header = |line: &str| line.starts_with("NAME ") || line.starts_with("USER ");
    lines
        .iter()
        .filter(|line| !line.trim().is_empty() && !is_header(line))
        .map(|line| who_line(line))
        .collect()
}

fn who_line(line: &str) -> Option<Row> {
    let cells = words(line);
    let time = |cells: &[&str]| -> Option<(String, usize)> {
        match cells {
            [date, clock, ..] if super::calendar::date_parts(date).is_some() => {
                super::calendar::clock_seconds(clock)?;
                Some((format!("{date} {clock}"), 2))
            }
            [month, day, clock, ..] => {
                super::calendar::month_number(month)?;
                int(day)?;
                super::calendar::clock_seconds(clock)?;
                Some((format!("{month} {day} {clock}"), 3))
            }
            _ => None,
        }
    };
    // Where the time stands tells what is before and behind it.
    let (at, (stamp, width)) =
        (0..cells.len()).find_map(|at| Some((at, time(cells.get(at..)?)?)))?;
    let before = cells.get(..at)?;
    let behind = cells.get(at + width..)?;
    let mut row = row! { "time" => stamp };
    match before {
        ["system", "boot"] | ["reboot", "~"] => put(&mut row, "event", "reboot"),
        ["run-level", number] => put(&mut row, "event", format!("run-level {number}")),
        ["LOGIN", tty] => {
            put(&mut row, "event", "login");
            put(&mut row, "tty", *tty);
        }
        [user, mark @ ("+" | "-" | "?"), tty] => {
            put(&mut row, "user", *user);
            put(&mut row, "writeable_tty", *mark);
            put(&mut row, "tty", *tty);
        }
        [user, tty] if tty.len() > 1 => {
            put(&mut row, "user", *user);
            put(&mut row, "tty", *tty);
        }
        // A line that ended has no user.
        [tty] if tty.contains('/') || tty.starts_with("tty") || *tty == "console" => {
            put(&mut row, "tty", *tty);
        }
        _ => return None,
    }
    let mut rest = behind;
    if let [idle, tail @ ..] = rest
        && (matches!(*idle, "." | "old") || idle.len() == 5 && idle.contains(':'))
    {
        put(&mut row, "idle", *idle);
        rest = tail;
    }
    if let [pid, tail @ ..] = rest
        && let Some(pid) = int(pid)
    {
        put(&mut row, "pid", pid);
        rest = tail;
    }
    match rest {
        [] => {}
        [from] if from.starts_with('(') => put(&mut row, "from", from.trim_matches(['(', ')'])),
        comment => put(&mut row, "comment", comment.join(" ")),
    }
    Some(row)
}

fn last(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| {
            !line.trim().is_empty()
                && !line.starts_with("wtmp begins")
                && !line.starts_with("btmp begins")
                && !line.starts_with("utx.log begins")
        })
        .map(|line| last_line(line))
        .collect()
}

fn last_line(line: &str) -> Option<Row> {
    const DAYS: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let line = line
        .replace("system boot", "system_boot")
        .replace("boot time ", "boot_time ")
        .replace("runlevel (to lvl", "runlevel_(to lvl");
    let cells = words(&line);
    let at = cells
        .iter()
        .position(|word| DAYS.contains(word))
        .filter(|at| (1..=3).contains(at))?;
    let (before, when) = cells.split_at_checked(at)?;
    let [user, rest @ ..] = before else {
        return None;
    };
    let (tty, host) = match rest {
        [tty, host] => (Some(tty.replace("system_boot", "system boot")), Some(*host)),
        [tty] => (Some(tty.replace("system_boot", "system boot")), None),
        _ => (None, None),
    };
    let tty = tty.filter(|tty| tty != "~");
    let mut row = row! { "user" => user.replace("boot_time", "boot time"), "tty" => tty, "hostname" => host.and_then(given) };
    // With `-F` the time has seconds and a year.
    let full = when
        .get(4)
        .is_some_and(|year| int(year).is_some_and(|year| year > 1900));
    let width = if full { 5 } else { 4 };
    let (login, rest) = when.split_at_checked(width)?;
    super::calendar::month_number(login.get(1)?)?;
    super::calendar::clock_seconds(login.get(3)?)?;
    put(&mut row, "login", login.join(" "));
    let (duration, rest): (Option<&str>, &[&str]) = match rest {
        [head @ .., last] if last.starts_with('(') => (Some(last), head),
        all => (None, all),
    };
    let rest = rest.strip_prefix(&["-"]).unwrap_or(rest);
    if rest.is_empty() {
        put(&mut row, "logout", None::<&str>);
    } else {
        put(
            &mut row,
            "logout",
            if rest == ["still", "running"] {
                "running".to_owned()
            } else {
                rest.join(" ")
            },
        );
    }
    if let Some(duration) = duration {
        let duration = duration.trim_matches(['(', ')']);
        if let Some(seconds) = duration_seconds(duration) {
            put(
                &mut row,
                "duration",
                format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60),
            );
            let exact = || Some(full_seconds(rest)? - full_seconds(login)?);
            put(&mut row, "duration_seconds", exact().unwrap_or(seconds));
        } else {
            put(&mut row, "duration", duration);
        }
    }
    Some(row)
}

/// Seconds of `Tue Jan 5 14:29:01 2021`, without a zone: only differences mean something.
fn full_seconds(cells: &[&str]) -> Option<i64> {
    let [_, month, day, clock, year] = cells else {
        return None;
    };
    let date = super::calendar::days(int(year)?, super::calendar::month_number(month)?, int(day)?)?;
    Some(date * 86_400 + super::calendar::clock_seconds(clock)?)
}

/// `1+18:47` and `01:56`.
fn duration_seconds(text: &str) -> Option<i64> {
    let (days, clock) = text.split_once('+').unwrap_or(("0", text));
    let (hours, minutes) = clock.split_once(':')?;
    Some(int(days)? * 86_400 + int(hours)? * 3_600 + int(minutes)? * 60)
}
