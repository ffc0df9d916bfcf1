//! `ip addr`, `ip link`, `ip route`, `ip neigh`, under the names that `ip -j` uses.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{auto, int, put, row, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "ip_addr",
        wants: |call| about(call, "address", 'a') || about(call, "link", 'l'),
        read: addr,
    },
    Parser {
        name: "ip_route",
        wants: |call| about(call, "route", 'r'),
        read: route,
    },
    Parser {
        name: "ip_neigh",
        wants: |call| about(call, "neighbour", 'n') || about(call, "neighbor", 'n'),
        read: neighbours,
    },
    Parser {
        name: "ip_rule",
        wants: |call| about(call, "rule", 'z'),
        read: rules,
    },
];

/// `ip` takes any beginning of the name of an object.
fn about(call: &Call, object: &str, least: char) -> bool {
    let sub = call.sub();
    call.is(&["ip"])
        && !sub.is_empty()
        && object.starts_with(sub)
        && (sub.len() > 1 || sub.starts_with(least))
}

fn addr(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.args.iter().any(|arg| arg.starts_with("-br")) {
        return brief(call, lines);
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            rows.push(head(line)?);
            continue;
        }
        let row = rows.last_mut()?;
        let cells = words(line);
        let [first, rest @ ..] = cells.as_slice() else {
            return None;
        };
        match *first {
            "inet" | "inet6" => address(row, first, rest)?,
            "valid_lft" => lifetimes(row, &cells)?,
            "altname" => {
                let names = row
                    .entry("altnames")
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(names) = names {
                    names.push((*rest.first()?).into());
                }
            }
            _ if first.starts_with("link/") => link(row, first, rest),
            // Details of `-s` and `-d`.
            _ => {}
        }
    }
    Some(rows)
}

/// `2: eth0@if3: <UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000`.
fn head(line: &str) -> Option<Row> {
    let (index, rest) = line.split_once(": ")?;
    let (name, rest) = rest.split_once(": <")?;
    let (flags, rest) = rest.split_once('>')?;
    let (name, link) = match name.split_once('@') {
        Some((name, link)) => (name, Some(link)),
        None => (name, None),
    };
    let flags: Vec<&str> = flags.split(',').filter(|flag| !flag.is_empty()).collect();
    let mut row = row! { "ifindex" => int(index)?, "ifname" => name, "flags" => flags };
    if let Some(link) = link {
        put(&mut row, "link", link);
    }
    for pair in words(rest).chunks(2) {
        let [name, value] = pair else { continue };
        let name = match *name {
            "state" => "operstate",
            "qlen" => "txqlen",
            "mode" => "linkmode",
            name => name,
        };
        put(&mut row, name, auto(value));
    }
    Some(row)
}

fn link(row: &mut Row, first: &str, rest: &[&str]) {
    put(row, "link_type", first.trim_start_matches("link/"));
    if let Some(address) = rest.first() {
        put(row, "address", *address);
    }
    for pair in rest.get(1..).unwrap_or_default().chunks(2) {
        match pair {
            ["brd", address] => put(row, "broadcast", *address),
            ["link-netnsid", number] => put(row, "link_netnsid", auto(number)),
            ["link-netns", name] => put(row, "link_netns", *name),
            _ => {}
        }
    }
}

fn address(row: &mut Row, family: &str, rest: &[&str]) -> Option<()> {
    let [local, rest @ ..] = rest else {
        return None;
    };
    let (local, length) = match local.split_once('/') {
        Some((local, length)) => (local, int(length)?),
        None => (*local, if family == "inet" { 32 } else { 128 }),
    };
    let mut entry = row! { "family" => family, "local" => local, "prefixlen" => length };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "brd" => put(&mut entry, "broadcast", *rest.next()?),
            "scope" => put(&mut entry, "scope", *rest.next()?),
            "metric" => put(&mut entry, "metric", int(rest.next()?)?),
            "peer" => put(&mut entry, "address", *rest.next()?),
            flag @ ("dynamic" | "secondary" | "deprecated" | "temporary" | "noprefixroute"
            | "mngtmpaddr" | "tentative" | "dadfailed" | "permanent" | "nodad" | "home") => {
                put(&mut entry, flag, true);
            }
            "proto" | "protocol" => put(&mut entry, "protocol", *rest.next()?),
            label => put(&mut entry, "label", label),
        }
    }
    let list = row
        .entry("addr_info")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = list {
        list.push(entry.into());
    }
    Some(())
}

/// `valid_lft 80sec preferred_lft forever`, in seconds; forever is nothing.
fn lifetimes(row: &mut Row, cells: &[&str]) -> Option<()> {
    let Some(Value::Array(list)) = row.get_mut("addr_info") else {
        return None;
    };
    let Some(Value::Object(entry)) = list.last_mut() else {
        return None;
    };
    for pair in cells.chunks(2) {
        let [name, value] = pair else { return None };
        let name = name.replace("_lft", "_life_time");
        put(entry, &name, value.strip_suffix("sec").and_then(int));
    }
    Some(())
}

/// `ip -br addr` and `ip -br link`.
fn brief(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let cells = words(line);
            let [name, state, rest @ ..] = cells.as_slice() else {
                return None;
            };
            let states = [
                "UP",
                "DOWN",
                "UNKNOWN",
                "LOWERLAYERDOWN",
                "DORMANT",
                "TESTING",
                "NOTPRESENT",
            ];
            states.contains(state).then_some(())?;
            let state = state
                .chars()
                .all(|c| c.is_ascii_uppercase())
                .then_some(*state)?;
            let mut row = row! { "ifname" => name.split('@').next(), "operstate" => state };
            if about(call, "link", 'l') {
                put(&mut row, "address", rest.first().copied());
            } else {
                put(&mut row, "addresses", rest);
            }
            Some(row)
        })
        .collect()
}

fn route(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    const KINDS: &[&str] = &[
        "unreachable",
        "blackhole",
        "prohibit",
        "local",
        "broadcast",
        "multicast",
        "throw",
        "anycast",
        "unicast",
    ];
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells = words(line);
            let mut rest = cells.as_slice();
            let mut row = Row::new();
            if let [kind, tail @ ..] = rest
                && KINDS.contains(kind)
            {
                put(&mut row, "type", *kind);
                rest = tail;
            }
            let [destination, rest @ ..] = rest else {
                return None;
            };
            let is_destination = *destination == "default"
                || destination.contains(['.', ':'])
                    && destination.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':');
            is_destination.then(|| put(&mut row, "dst", *destination))?;
            options(&mut row, rest)?;
            Some(row)
        })
        .collect()
}

/// What `ip route` says of a route.
const NAMES: &[&str] = &[
    "via", "dev", "proto", "scope", "src", "metric", "mtu", "advmss", "table", "pref", "realm",
    "weight", "nexthop", "hoplimit", "expires", "error", "features", "congctl", "rto_min",
    "window", "initcwnd", "initrwnd", "encap", "nhid", "tos", "rtt", "inet6", "inet", "from", "to",
];

/// Pairs of a name and a value, and flags.
fn options(row: &mut Row, words: &[&str]) -> Option<()> {
    const FLAGS: &[&str] = &[
        "linkdown",
        "onlink",
        "dead",
        "pervasive",
        "offload",
        "notify",
        "cache",
        "rt_offload",
    ];
    let mut flags: Vec<&str> = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if FLAGS.contains(word) {
            flags.push(word);
            continue;
        }
        NAMES.contains(word).then_some(())?;
        let value = words.next()?;
        let name = match *word {
            "via" => "gateway",
            "proto" => "protocol",
            "src" => "prefsrc",
            name => name,
        };
        put(row, name, auto(value));
    }
    put(row, "flags", flags);
    Some(())
}

fn neighbours(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    const STATES: &[&str] = &[
        "REACHABLE",
        "STALE",
        "DELAY",
        "PROBE",
        "FAILED",
        "INCOMPLETE",
        "PERMANENT",
        "NOARP",
        "NONE",
    ];
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let cells = words(line);
            let [destination, rest @ ..] = cells.as_slice() else {
                return None;
            };
            let mut row =
                row! { "dst" => destination.contains(['.', ':']).then_some(*destination)? };
            let mut states: Vec<&str> = Vec::new();
            let mut rest = rest.iter();
            while let Some(word) = rest.next() {
                match *word {
                    state if STATES.contains(&state) => states.push(state),
                    flag @ ("router" | "proxy" | "extern_learn" | "managed") => {
                        put(&mut row, flag, true);
                    }
                    name @ ("dev" | "lladdr") => put(&mut row, name, *rest.next()?),
                    name => put(&mut row, name, auto(rest.next()?)),
                }
            }
            (!states.is_empty()).then(|| put(&mut row, "state", states))?;
            Some(row)
        })
        .collect()
}

/// `0: from all lookup local`.
fn rules(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (priority, rest) = line.split_once(':')?;
            let mut row = row! { "priority" => int(priority)? };
            for pair in words(rest).chunks(2) {
                let [name, value] = pair else { return None };
                let name = match *name {
                    "from" => "src",
                    "to" => "dst",
                    "lookup" => "table",
                    name => name,
                };
                put(&mut row, name, *value);
            }
            Some(row)
        })
        .collect()
}
