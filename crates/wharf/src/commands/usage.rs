//! `wharf usage`: what is used of what may be.

use serde_json::json;
use wharf_api::{Usage, UsageShare};

use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Asks the server; nothing else knows.
pub(crate) fn usage(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let usage = block_on(async { Ok(server.client.usage().await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(usage)))?;
    } else {
        ui::data(&lines(&usage))?;
        cx.ui.note(&format!("today ends at {}", usage.day_ends_at));
    }
    Ok(DONE)
}

fn lines(usage: &Usage) -> String {
    let shares = [
        ("person", Some(&usage.person)),
        ("organization", usage.organization.as_ref()),
        ("agent", usage.agent.as_ref()),
    ];
    let shares = shares.into_iter();
    let rows: Vec<_> = shares
        .filter_map(|(kind, share)| Some(row(kind, share?)))
        .collect();
    let head = [
        "WHOSE",
        "NAME",
        "RUNS A MINUTE",
        "RUNS NOW",
        "SESSIONS",
        "OUTPUT TODAY",
        "TIME TODAY",
    ];
    table(head, &rows)
}

fn row(kind: &str, share: &UsageShare) -> [String; 7] {
    let plain = |used: u64, most: Option<u64>| of(used, most, |number| number.to_string());
    [
        kind.to_owned(),
        share.name.clone(),
        plain(share.runs_in_minute, share.runs_per_minute),
        plain(share.concurrent_runs, share.concurrent_runs_most),
        plain(share.sessions, share.sessions_most),
        of(share.output_bytes_today, share.output_bytes_per_day, size),
        of(share.wall_seconds_today, share.wall_seconds_per_day, time),
    ]
}

/// What is used, and of how much where there is a bound.
fn of(used: u64, most: Option<u64>, show: fn(u64) -> String) -> String {
    let used = show(used);
    most.map_or_else(|| used.clone(), |most| format!("{used} of {}", show(most)))
}

/// Bytes, in the largest unit of which there is one, with a tenth.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, bits)) = units.into_iter().find(|unit| bytes >> unit.1 > 0) else {
        return format!("{bytes} B");
    };
    let whole = bytes >> bits;
    let rest = bytes - (whole << bits);
    let tenth = rest.saturating_mul(10) >> bits;
    match tenth {
        0 => format!("{whole} {unit}"),
        tenth => format!("{whole}.{tenth} {unit}"),
    }
}

/// Seconds, with minutes and hours where there are some.
fn time(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m {seconds}s"),
        (hours, minutes) => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stands_beside_what_may_be() {
        let share = UsageShare {
            name: "ada@example.com".to_owned(),
            runs_in_minute: 3,
            runs_per_minute: Some(30),
            concurrent_runs: 1,
            concurrent_runs_most: None,
            sessions: 0,
            sessions_most: Some(4),
            output_bytes_today: 1_600,
            output_bytes_per_day: Some(10 << 30),
            wall_seconds_today: 75,
            wall_seconds_per_day: Some(7_200),
        };
        let agent = UsageShare {
            name: "main/ada@example.com/claude".to_owned(),
            ..share
        };
        let usage = Usage {
            person: share,
            organization: None,
            agent: Some(agent),
            day_ends_at: String::new(),
        };
        insta::assert_snapshot!(lines(&usage), @r"
        WHOSE   NAME                         RUNS A MINUTE  RUNS NOW  SESSIONS  OUTPUT TODAY       TIME TODAY
        person  ada@example.com              3 of 30        1         0 of 4    1.5 KiB of 10 GiB  1m 15s of 2h 0m
        agent   main/ada@example.com/claude  3 of 30        1         0 of 4    1.5 KiB of 10 GiB  1m 15s of 2h 0m
        ");
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(time(59), "59s");
    }
}
