//! Names and addresses: `dig`, `host`, `nslookup`.

use serde_json::Value;

use super::Row;
use super::calendar::{clock_seconds, days, month_number, zone_seconds};
use super::call::Call;
use super::cells::{between, fields, int, put, row, word_after, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "dig_short",
        wants: |call| call.is(&["dig", "kdig", "delv"]) && call.has("+short"),
        read: short,
    },
    Parser {
        name: "dig",
        wants: |call| call.is(&["dig", "kdig"]),
        read: dig,
    },
    Parser {
        name: "host",
        wants: |call| call.is(&["host"]),
        read: host,
    },
    Parser {
        name: "nslookup",
        wants: |call| call.is(&["nslookup"]),
        read: nslookup,
    },
];

fn short(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let last = line.rsplit(' ').next().unwrap_or(line);
            let data = last.parse::<std::net::IpAddr>().is_ok()
                || last.ends_with('.') && !line.contains(": ") && line.split(' ').count() < 8
                || line.starts_with('"');
            data.then(|| row! { "data" => *line })
        })
        .collect()
}

fn dig(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut section = "";
    let commented = lines.iter().any(|line| line.starts_with(';'));
    for line in lines {
        let text = line.trim();
        if let Some(header) = text.strip_prefix(";; ->>HEADER<<- ") {
            rows.push(row! {
                "opcode" => between(header, "opcode: ", ","), "status" => between(header, "status: ", ","),
                "id" => word_after(header, "id: ").and_then(int)?,
            });
            section = "header";
        } else if text.starts_with(";; flags: ") {
            flags(rows.last_mut()?, text);
        } else if let Some(name) = text
            .strip_prefix(";; ")
            .and_then(|text| text.strip_suffix(" SECTION:"))
        {
            section = match name {
                "QUESTION" => "question",
                "ANSWER" => "answer",
                "AUTHORITY" => "authority",
                "ADDITIONAL" => "additional",
                _ => return None,
            };
        } else if let Some(rest) = text.strip_prefix(";; ") {
            footer(rows.last_mut(), rest);
        } else if let Some(rest) = text.strip_prefix("; ").filter(|rest| {
            section != "question" || rest.starts_with("EDNS") || rest.starts_with("<<>>")
        }) {
            if let Some(row) = rows.last_mut() {
                pseudo(row, rest);
            } else if rest.starts_with("<<>>") && !text.contains("global") {
                section = "";
            }
        } else if let Some(question) = text.strip_prefix(';') {
            let cells = words(question);
            if section != "question" {
                continue;
            }
            let [name, class, kind] = cells.as_slice() else {
                return None;
            };
            put(
                rows.last_mut()?,
                "question",
                row! { "name" => *name, "class" => *class, "type" => *kind },
            );
        } else if !text.is_empty() {
            // Without a header it is a transfer of a zone, or the answer alone.
            let list = match section {
                "" | "axfr" => {
                    if section.is_empty() {
                        rows.push(Row::new());
                    }
                    section = "axfr";
                    if commented { "axfr" } else { "answer" }
                }
                "header" | "question" => return None,
                name => name,
            };
            let record = record(text, list == "axfr")?;
            let list = rows
                .last_mut()?
                .entry(list)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(record.into());
            }
        }
    }
    Some(rows)
}

/// `;; flags: qr rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1`.
fn flags(row: &mut Row, text: &str) {
    let flags = between(text, "flags: ", ";").map(words).unwrap_or_default();
    put(row, "flags", flags);
    for (label, name) in [
        ("QUERY: ", "query_num"),
        ("ANSWER: ", "answer_num"),
        ("AUTHORITY: ", "authority_num"),
        ("ADDITIONAL: ", "additional_num"),
    ] {
        let number = word_after(text, label).and_then(|word| int(word.trim_end_matches(',')));
        put(row, name, number);
    }
}

/// `EDNS: version: 0, flags:; udp: 4096` and `COOKIE: 0123`.
fn pseudo(row: &mut Row, text: &str) {
    let section = row
        .entry("opt_pseudosection")
        .or_insert_with(|| Value::Object(Row::new()));
    let Value::Object(section) = section else {
        return;
    };
    if let Some(rest) = text.strip_prefix("EDNS: ") {
        let flags = between(rest, "flags:", ";").map(words).unwrap_or_default();
        put(
            section,
            "edns",
            row! {
                "version" => between(rest, "version: ", ",").and_then(int), "flags" => flags,
                "udp" => word_after(rest, "udp: ").and_then(int),
            },
        );
    } else if let Some(cookie) = text.strip_prefix("COOKIE: ") {
        put(section, "cookie", cookie);
    }
}

fn footer(row: Option<&mut Row>, text: &str) {
    let Some(row) = row else { return };
    if let Some(time) = text.strip_prefix("Query time: ") {
        put(row, "query_time", time.split(' ').next().and_then(int));
    } else if let Some(server) = text.strip_prefix("SERVER: ") {
        put(row, "server", server);
    } else if let Some(when) = text.strip_prefix("WHEN: ") {
        put(row, "when", when);
        if let Some(epoch) = when_epoch(when) {
            put(row, "when_epoch", epoch);
        }
    } else if let Some(size) = text.strip_prefix("MSG SIZE ") {
        put(row, "rcvd", word_after(size, "rcvd: ").and_then(int));
    } else if let Some(size) = text.strip_prefix("XFR size: ") {
        put(row, "size", size);
    } else if let Some(size) = text.strip_prefix("QUERY SIZE: ") {
        put(row, "query_size", int(size));
    }
}

/// `Wed Oct 30 05:12:53 UTC 2019`: a zone by name is unambiguous only for UTC.
fn when_epoch(text: &str) -> Option<i64> {
    let cells = words(text);
    let [_, month, day, clock, zone, year] = cells.as_slice() else {
        return None;
    };
    let date = days(int(year)?, month_number(month)?, int(day)?)?;
    Some(date * 86_400 + clock_seconds(clock)? - zone_seconds(zone)?)
}

/// `name ttl class type data`.
fn record(text: &str, transfer: bool) -> Option<Row> {
    let cells = fields(text, 5);
    let [name, ttl, class, kind, data] = cells.as_slice() else {
        return None;
    };
    let class_known = matches!(*class, "IN" | "CH" | "HS" | "ANY");
    class_known.then_some(())?;
    // Only a whole quoted text loses its quotes; several of them stay as they are.
    let data = data
        .strip_prefix('"')
        .and_then(|data| data.strip_suffix('"'))
        .filter(|data| !data.contains('"') && !transfer)
        .unwrap_or(data);
    Some(
        row! { "name" => *name, "class" => *class, "type" => *kind, "ttl" => int(ttl)?, "data" => data },
    )
}

fn host(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    const FORMS: &[(&str, &str)] = &[
        (" has address ", "A"),
        (" has IPv6 address ", "AAAA"),
        (" mail is handled by ", "MX"),
        (" is an alias for ", "CNAME"),
        (" domain name pointer ", "PTR"),
        (" name server ", "NS"),
        (" descriptive text ", "TXT"),
        (" has SOA record ", "SOA"),
    ];
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            if let Some(rest) = line.strip_prefix("Host ") {
                let (name, problem) = rest.split_once(" not found: ")?;
                return Some(row! { "hostname" => name, "error" => problem });
            }
            let (name, kind, data) = FORMS.iter().find_map(|(form, kind)| {
                line.split_once(form)
                    .map(|(name, data)| (name, *kind, data))
            })?;
            let mut row = row! { "hostname" => name, "type" => kind };
            match data.split_once(' ').filter(|_| kind == "MX") {
                Some((priority, server)) => {
                    put(&mut row, "priority", int(priority)?);
                    put(&mut row, "data", server);
                }
                None => put(&mut row, "data", data),
            }
            Some(row)
        })
        .collect()
}

fn nslookup(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut server: Option<&str> = None;
    let mut name: Option<&str> = None;
    let mut rows = Vec::new();
    for line in lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
    {
        if let Some((host, value)) = line.split_once(" = ") {
            let (host, kind) = host.rsplit_once('\t').or_else(|| host.rsplit_once(' '))?;
            rows.push(row! { "name" => host.trim(), "type" => kind, "data" => value });
            continue;
        }
        if line.starts_with("Non-authoritative answer") || line.starts_with("Authoritative answers")
        {
            continue;
        }
        if line.starts_with("** server can't find ") {
            let (_, rest) = line.split_once("find ")?;
            let (host, problem) = rest.split_once(": ")?;
            rows.push(row! { "name" => host, "error" => problem });
            continue;
        }
        let (label, value) = line.split_once(':')?;
        let value = value.trim();
        match label {
            "Server" => server = Some(value),
            "Name" => name = Some(value),
            // The first address is that of the server.
            "Address" | "Addresses" => match name {
                Some(name) => {
                    rows.push(row! { "name" => name, "address" => value, "server" => server });
                }
                None => server = server.or(Some(value)),
            },
            _ => return None,
        }
    }
    Some(rows)
}
