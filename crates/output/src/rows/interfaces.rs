//! Interfaces, routes and neighbours as the older tools print them: `ifconfig`, `route`, `arp`.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{between, given, int, key, put, row, word_after, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "ifconfig",
        wants: |call| call.is(&["ifconfig"]),
        read: ifconfig,
    },
    Parser {
        name: "route",
        wants: |call| call.is(&["route"]),
        read: route,
    },
    Parser {
        name: "arp",
        wants: |call| call.is(&["arp"]),
        read: arp,
    },
];

fn ifconfig(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if !line.starts_with([' ', '\t']) {
            rows.push(interface_head(line)?);
            continue;
        }
        interface_line(rows.last_mut()?, line.trim());
    }
    let known = |row: &Row| row.contains_key("state") || row.contains_key("type");
    rows.iter().all(known).then_some(rows)
}

fn interface_head(line: &str) -> Option<Row> {
    if let Some((name, rest)) = line.split_once(": flags=") {
        let (flags, rest) = rest.split_once('<')?;
        let (state, rest) = rest.split_once('>')?;
        let state: Vec<&str> = state.split(',').filter(|word| !word.is_empty()).collect();
        let mut row = row! { "name" => name, "state" => state };
        // BSD prints the flags as hexadecimal digits, Linux as a number.
        put(
            &mut row,
            "flags",
            int(flags).map_or(Value::from(flags), Value::from),
        );
        for name in ["mtu", "metric"] {
            if let Some(number) = word_after(rest, &format!("{name} ")) {
                put(&mut row, name, int(number)?);
            }
        }
        return Some(row);
    }
    // Older versions: `eth0      Link encap:Ethernet  HWaddr 00:11:22:33:44:55`.
    let (name, rest) = line.split_once(" Link encap:")?;
    let (kind, rest) = rest.split_once("  ").unwrap_or((rest, ""));
    let mut row = row! { "name" => name.trim(), "type" => kind };
    if let Some(address) = word_after(rest, "HWaddr ") {
        put(&mut row, "mac_addr", address);
    }
    Some(row)
}

fn interface_line(row: &mut Row, line: &str) {
    match words(line).first().copied().unwrap_or_default() {
        "inet" => ipv4(row, line),
        "inet6" => ipv6(row, line),
        "ether" | "loop" | "unspec" | "tunnel" => {
            if let Some(address) =
                word_after(line, "ether ").or_else(|| word_after(line, "unspec "))
            {
                put(row, "mac_addr", address);
            }
            if let Some((_, kind)) = line.rsplit_once('(') {
                put(row, "type", kind.trim_end_matches(')'));
            }
        }
        "RX" | "TX" => counters(row, line),
        "nd6" => flagged(row, "nd6_options", "nd6_flags", line),
        _ if line.starts_with("options=") => flagged(row, "options", "options_flags", line),
        "hwaddr" => put(row, "hw_address", word_after(line, "hwaddr ")),
        "status:" => put(row, "status", line.split_once(": ").map(|(_, text)| text)),
        "media:" => media(row, line),
        "UP" | "BROADCAST" | "LOOPBACK" if line.contains("MTU:") => {
            let state: Vec<&str> = words(line)
                .into_iter()
                .filter(|word| !word.contains(':'))
                .collect();
            put(row, "state", state);
            put(row, "mtu", word_after(line, "MTU:").and_then(int));
            put(row, "metric", word_after(line, "Metric:").and_then(int));
        }
        _ => counters(row, line),
    }
}

/// `options=3<RXCSUM,TXCSUM>`.
fn flagged(row: &mut Row, name: &str, flags: &str, line: &str) {
    let value = word_after(line, "options=").unwrap_or_default();
    let number = value.split('<').next().unwrap_or_default();
    put(row, name, number);
    let list: Vec<&str> = between(line, "<", ">")
        .map(|list| list.split(',').filter(|flag| !flag.is_empty()).collect())
        .unwrap_or_default();
    put(row, flags, list);
}

/// `media: autoselect (1000baseT <full-duplex>)`.
fn media(row: &mut Row, line: &str) {
    let text = line.split_once(": ").map_or("", |(_, text)| text);
    put(
        row,
        "media",
        given(
            text.split('<')
                .next()
                .unwrap_or(text)
                .trim()
                .trim_end_matches('(')
                .trim(),
        ),
    );
    let flags: Option<Vec<&str>> = between(text, "<", ">").map(|list| list.split(',').collect());
    put(row, "media_flags", flags);
}

fn ipv4(row: &mut Row, line: &str) {
    let find = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| word_after(line, name))
            .map(str::to_owned)
    };
    let address = find(&["addr:", "inet "]);
    let (address, length) = match address
        .as_deref()
        .and_then(|address| address.split_once('/'))
    {
        Some((address, length)) => (Some(address.to_owned()), int(length)),
        None => (address, None),
    };
    let of_length = |length: i64| {
        u32::try_from(length)
            .ok()
            .filter(|length| *length <= 32)
            .map(|length| {
                let bits = u32::MAX.checked_shl(32 - length).unwrap_or(0);
                bits.to_be_bytes().map(|byte| byte.to_string()).join(".")
            })
    };
    let mask = length
        .and_then(of_length)
        .or_else(|| find(&["netmask ", "Mask:"]))
        .map(|mask| dotted(&mask));
    let broadcast = find(&["broadcast ", "Bcast:"]);
    put(row, "ipv4_addr", address.clone());
    put(row, "ipv4_mask", mask.clone());
    put(row, "ipv4_bcast", broadcast.clone());
    let entry = row! { "address" => address, "mask" => mask, "broadcast" => broadcast };
    push(row, "ipv4", entry);
}

/// `0xffffff00` as `255.255.255.0`.
fn dotted(mask: &str) -> String {
    match mask
        .strip_prefix("0x")
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
    {
        Some(bits) => bits.to_be_bytes().map(|byte| byte.to_string()).join("."),
        None => mask.to_owned(),
    }
}

fn ipv6(row: &mut Row, line: &str) {
    let address = word_after(line, "inet6 addr: ").or_else(|| word_after(line, "inet6 "));
    let (address, length) = match address.and_then(|address| address.split_once('/')) {
        Some((address, length)) => (Some(address), int(length)),
        None => (address, word_after(line, "prefixlen ").and_then(int)),
    };
    let (address, zone) = match address.and_then(|address| address.split_once('%')) {
        Some((address, zone)) => (Some(address), Some(zone)),
        None => (address, None),
    };
    let scope = word_after(line, "scopeid ").or_else(|| word_after(line, "Scope:"));
    let (scope, kind) = match scope.and_then(|scope| scope.split_once('<')) {
        Some((scope, kind)) => (
            Some(scope),
            Some(kind.trim_end_matches('>').to_ascii_lowercase()),
        ),
        None => (scope, None),
    };
    put(row, "ipv6_addr", address);
    put(row, "ipv6_mask", length);
    put(row, "ipv6_scope", scope);
    put(row, "ipv6_type", kind.clone());
    let mut entry =
        row! { "address" => address, "mask" => length, "scope" => scope, "type" => kind };
    put(row, "ipv6_scope_id", zone);
    if let Some(zone) = zone {
        put(&mut entry, "scope_id", zone);
    }
    push(row, "ipv6", entry);
}

fn push(row: &mut Row, name: &str, entry: Row) {
    let list = row
        .entry(name.to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.push(entry.into());
    }
}

/// `RX packets 0  bytes 0 (0.0 B)`, `RX packets:0 errors:0`, `collisions:0 txqueuelen:0`.
fn counters(row: &mut Row, line: &str) {
    const NAMES: &[&str] = &[
        "packets",
        "bytes",
        "errors",
        "dropped",
        "overruns",
        "frame",
        "carrier",
        "collisions",
    ];
    let line = line.replace(':', " ");
    let mut side = "";
    let cells = words(&line);
    for (index, cell) in cells.iter().enumerate() {
        match *cell {
            "RX" => side = "rx",
            "TX" => side = "tx",
            name if NAMES.contains(&name) => {
                let side = if name == "collisions" { "tx" } else { side };
                if let Some(number) = cells
                    .get(index + 1)
                    .and_then(|number| int(number))
                    .filter(|_| !side.is_empty())
                {
                    put(row, &format!("{side}_{name}"), number);
                }
            }
            _ => {}
        }
    }
}

fn route(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut header: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("Kernel ") {
            continue;
        }
        if line.starts_with("Destination ") {
            header = names(line);
            continue;
        }
        if header.is_empty() {
            return None;
        }
        let mut row = route_row(&header, line, "flags")?;
        row.remove("kind");
        if let Some(flags) = row.remove("route_flags_pretty") {
            row.insert("flags_pretty".to_owned(), flags);
        }
        rows.push(row);
    }
    Some(rows)
}

/// Names of the columns of a table of routes or interfaces.
pub(super) fn names(header: &str) -> Vec<String> {
    words(&header.replace("Next Hop", "Next_Hop"))
        .into_iter()
        .map(|name| match name {
            "Flag" => "flags".to_owned(),
            "Met" => "metric".to_owned(),
            "If" => "iface".to_owned(),
            name => key(name),
        })
        .collect()
}

/// A line of a table of routes.
pub(super) fn route_row(names: &[String], line: &str, flags: &str) -> Option<Row> {
    let cells = words(line);
    if cells.len() != names.len() {
        return None;
    }
    let mut row = row! { "kind" => "route" };
    for (name, cell) in names.iter().zip(cells) {
        match name.as_str() {
            "flags" => {
                put(&mut row, flags, cell);
                put(&mut row, "route_flags_pretty", pretty(cell));
            }
            "metric" | "use" | "mss" | "window" | "irtt" => put(
                &mut row,
                name,
                given(cell).map(|cell| int(cell).map_or(Value::from(cell), Value::from)),
            ),
            "ref" => put(
                &mut row,
                if flags == "flags" {
                    "ref"
                } else {
                    "route_refs"
                },
                int(cell)?,
            ),
            _ => put(&mut row, name, cell),
        }
    }
    Some(row)
}

fn pretty(flags: &str) -> Vec<&'static str> {
    flags
        .chars()
        .filter_map(|flag| {
            Some(match flag {
                'U' => "UP",
                'H' => "HOST",
                'G' => "GATEWAY",
                'R' => "REINSTATE",
                'D' => "DYNAMIC",
                'M' => "MODIFIED",
                'A' => "ADDRCONF",
                'C' => "CACHE",
                '!' => "REJECT",
                _ => return None,
            })
        })
        .collect()
}

/// A line of a table of interfaces.
pub(super) fn interface_row(names: &[String], line: &str) -> Option<Row> {
    let cells = words(line);
    if cells.len() != names.len() {
        return None;
    }
    let mut row = row! { "kind" => "interface" };
    for (name, cell) in names.iter().zip(cells) {
        match name.as_str() {
            "iface" | "flg" => put(&mut row, name, cell),
            _ => put(
                &mut row,
                name,
                given(cell).map(|cell| int(cell).map_or(Value::from(cell), Value::from)),
            ),
        }
    }
    Some(row)
}

fn arp(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if lines
        .first()
        .is_some_and(|line| line.starts_with("Address "))
    {
        return arp_table(lines);
    }
    lines
        .iter()
        .filter(|line| !line.starts_with("Entries:") && !line.trim().is_empty())
        .map(|line| arp_line(line))
        .collect::<Option<Vec<Row>>>()
        .filter(|_| call.filtered || lines.iter().any(|line| line.contains(" at ")))
}

/// `name (address) at hardware [type] on interface`.
fn arp_line(line: &str) -> Option<Row> {
    let (name, rest) = line.split_once(" (")?;
    let (address, rest) = rest.split_once(") at ")?;
    let hardware = rest.split_whitespace().next()?;
    let known = !hardware.starts_with('<') && !hardware.starts_with('(');
    let mut row = row! {
        "name" => given(name.trim()), "address" => address,
        "hwtype" => between(rest, "[", "]"),
        "hwaddress" => known.then_some(hardware),
        "iface" => word_after(rest, " on "),
        "permanent" => rest.contains("permanent"),
    };
    if let Some(seconds) = word_after(rest, "expires in ").and_then(int) {
        put(&mut row, "expires", seconds);
    }
    Some(row)
}

fn arp_table(lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .skip(1)
        .filter(|line| !line.starts_with("Entries:"))
        .map(|line| {
            let cells = words(line);
            Some(match cells.as_slice() {
                [address, "(incomplete)", iface] => row! {
                    "address" => *address, "hwtype" => None::<&str>, "hwaddress" => None::<&str>, "iface" => *iface,
                },
                [address, kind, hardware, flags @ .., iface] if !flags.is_empty() => row! {
                    "address" => *address, "hwtype" => *kind, "hwaddress" => *hardware,
                    "flags_mask" => flags.join(" "), "iface" => *iface,
                },
                _ => return None,
            })
        })
        .collect()
}
