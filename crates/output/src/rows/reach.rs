//! Whether and how another machine is reached: `ping`, `traceroute`, `curl -I`.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{between, float, int, put, row, word_after, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "ping",
        wants: |call| call.is(&["ping"]),
        read: ping,
    },
    Parser {
        name: "traceroute",
        wants: |call| call.is(&["traceroute", "tracepath", "tracepath6"]),
        read: traceroute,
    },
    Parser {
        name: "http_head",
        wants: |call| call.is(&["curl", "http", "xh", "wget"]),
        read: http_head,
    },
];

fn ping(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut row = Row::new();
    let mut responses: Vec<Value> = Vec::new();
    let (mut counted, mut lost, mut of_linux) = (0, false, false);
    let mut strange: Vec<Value> = Vec::new();
    let mut lines_left = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .peekable();
    while let Some(line) = lines_left.next() {
        let line = line.trim();
        if let Some(pattern) = line.strip_prefix("PATTERN: ") {
            put(&mut row, "pattern", pattern);
        } else if line.starts_with("WARNING: ") {
        } else if line.starts_with("PING") {
            of_linux = line.ends_with("bytes of data.")
                || line.ends_with(" data bytes") && !line.contains("):");
            ping_head(&mut row, line)?;
        } else if line.starts_with("--- ") {
            let name = between(line, "--- ", " ping").map(str::to_owned);
            put(&mut row, "destination", name);
        } else if line.contains(" packets transmitted") {
            ping_counts(&mut row, line)?;
            lost = true;
        } else if line.starts_with("rtt ") || line.starts_with("round-trip ") {
            ping_times(&mut row, line)?;
        } else if lost && line.starts_with("pipe ") {
        } else if line.starts_with("Vr HL TOS") {
            let values = lines_left.next()?;
            header_of_icmp(responses.last_mut()?, line, values);
        } else {
            counted += 1;
            let mut reply = ping_reply(line);
            if of_linux
                && reply
                    .get("type")
                    .is_some_and(|kind| kind == "unparsable_line")
            {
                strange.push(line.into());
                continue;
            }
            // BSD does not mark an answer that comes again.
            let again = |before: &Value| {
                before.get("type").is_some_and(|kind| kind == "reply")
                    && before.get("icmp_seq") == reply.get("icmp_seq")
            };
            let is_reply = reply.get("type").is_some_and(|kind| kind == "reply");
            if !of_linux && is_reply && responses.iter().rev().take(DUPLICATES).any(again) {
                put(&mut reply, "duplicate", true);
            }
            responses.push(reply.into());
        }
    }
    let read = responses
        .iter()
        .filter(|reply| {
            reply
                .get("type")
                .is_some_and(|kind| kind != "unparsable_line")
        })
        .count();
    let plausible = row.contains_key("destination_ip") && (counted == 0 || read > 0 || lost)
        || call.filtered && read == counted;
    put(&mut row, "responses", responses);
    if !strange.is_empty() {
        put(&mut row, "unparsed_lines", strange);
    }
    plausible.then(|| vec![row])
}

/// Answers that are looked back at for one with the same number.
const DUPLICATES: usize = 64;

/// `PING host (ip) 56(84) bytes of data.`, `PING host (ip): 56 data bytes`,
/// `PING6(56=40+8+8 bytes) source --> destination`, `PING host(host (ip)) 56 data bytes`.
fn ping_head(row: &mut Row, line: &str) -> Option<()> {
    if let Some((head, ends)) = line.split_once(" bytes) ") {
        let (source, destination) = ends.split_once(" --> ")?;
        put(row, "source_ip", source);
        put(row, "destination_ip", destination);
        put(row, "data_bytes", between(head, "(", "=").and_then(int));
        return Some(());
    }
    let cells = words(line);
    let [_, name, rest @ ..] = cells.as_slice() else {
        return None;
    };
    let ip = between(line, " (", ")").or_else(|| between(line, "(", ")"));
    let ip = ip.filter(|ip| ip.contains(['.', ':'])).unwrap_or(name);
    let ip = ip.trim_start_matches('(');
    put(row, "destination_ip", ip.trim_end_matches([')', ':']));
    let host = name.split('(').next().unwrap_or(name).trim_end_matches(':');
    if !row.contains_key("destination") {
        put(row, "destination", host);
    }
    let bytes = rest.iter().find_map(|word| {
        let digits = word.split('(').next().unwrap_or(word);
        int(digits)
    });
    put(row, "data_bytes", bytes);
    Some(())
}

/// `3 packets transmitted, 3 received, +1 duplicates, 0% packet loss, time 2003ms`.
fn ping_counts(row: &mut Row, line: &str) -> Option<()> {
    put(row, "duplicates", 0);
    for part in line.split(", ") {
        let part = part.trim();
        if let Some(number) = part.strip_suffix(" packets transmitted") {
            put(row, "packets_transmitted", int(number)?);
        } else if part.ends_with(" received") {
            put(row, "packets_received", int(words(part).first()?)?);
        } else if let Some(loss) = part.strip_suffix("% packet loss") {
            put(row, "packet_loss_percent", float(loss)?);
        } else if part.ends_with("duplicates") {
            put(
                row,
                "duplicates",
                int(words(part).first()?.trim_start_matches('+'))?,
            );
        } else if part.ends_with(" errors") {
            put(
                row,
                "errors",
                int(words(part).first()?.trim_start_matches('+'))?,
            );
        } else if let Some(time) = part.strip_prefix("time ") {
            put(row, "time_ms", float(time.trim_end_matches("ms").trim())?);
        }
    }
    Some(())
}

fn ping_times(row: &mut Row, line: &str) -> Option<()> {
    let (_, values) = line.split_once(" = ")?;
    let values = values.split(' ').next()?;
    let names = ["min", "avg", "max", "stddev"];
    for (name, value) in names.iter().zip(values.split('/')) {
        put(row, &format!("round_trip_ms_{name}"), float(value));
    }
    Some(())
}

fn ping_reply(line: &str) -> Row {
    let mut row = Row::new();
    let mut rest = line;
    if let Some((stamp, tail)) = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "))
    {
        put(&mut row, "timestamp", float(stamp));
        rest = tail;
    }
    let sequence = ["icmp_seq=", "icmp_seq ", "seq="]
        .iter()
        .find_map(|name| word_after(rest, name));
    let sequence = sequence.and_then(|word| int(word.trim_end_matches([',', ':'])));
    let kind = if rest.contains(" bytes from ") && rest.contains("time=") {
        "reply".to_owned()
    } else if rest.starts_with("no answer yet") || rest.starts_with("Request timeout") {
        "timeout".to_owned()
    } else if let Some((_, problem)) = rest
        .split_once(": ")
        .filter(|_| rest.contains(" bytes from "))
    {
        super::cells::key(problem)
    } else if let Some(at) = rest
        .find("Destination ")
        .filter(|_| rest.starts_with("From "))
    {
        super::cells::key(rest.get(at..).unwrap_or_default())
    } else if rest.starts_with("From ") && sequence.is_some() {
        let problem = rest
            .split_once("icmp_seq=")
            .and_then(|(_, tail)| tail.split_once(' '));
        super::cells::key(problem.map_or("", |(_, problem)| problem))
    } else {
        let mut row = row;
        put(&mut row, "type", "unparsable_line");
        put(&mut row, "unparsed_line", line);
        return row;
    };
    if rest.contains(" bytes from ") || rest.starts_with("From ") {
        let from = word_after(rest, "bytes from ").or_else(|| word_after(rest, "From "));
        let ip = between(rest, "(", ")")
            .filter(|ip| ip.contains(['.', ':']))
            .or(from);
        put(
            &mut row,
            "response_ip",
            ip.map(|ip| ip.trim_end_matches([':', ','])),
        );
        put(
            &mut row,
            "bytes",
            words(rest).first().and_then(|word| int(word)),
        );
    }
    put(&mut row, "icmp_seq", sequence);
    if kind == "reply" {
        let ttl = word_after(rest, "ttl=").or_else(|| word_after(rest, "hlim="));
        put(&mut row, "ttl", ttl.and_then(int));
        put(
            &mut row,
            "time_ms",
            word_after(rest, "time=").and_then(float),
        );
    }
    put(&mut row, "duplicate", rest.contains("DUP!"));
    put(&mut row, "type", kind);
    row
}

/// BSD prints the header of the packet that was not delivered.
fn header_of_icmp(reply: &mut Value, names: &str, values: &str) {
    let Value::Object(reply) = reply else { return };
    for (name, value) in words(names).into_iter().zip(words(values)) {
        let name = name.to_ascii_lowercase();
        let value = match name.as_str() {
            "src" | "dst" => Value::from(value),
            "vr" | "hl" | "ttl" | "pro" => {
                i64::from_str_radix(value, 16).map_or(Value::Null, Value::from)
            }
            _ => i64::from_str_radix(value, 16).map_or(Value::Null, Value::from),
        };
        reply.insert(name, value);
    }
}

fn traceroute(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut row = Row::new();
    let mut hops: Vec<(i64, Vec<Value>)> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("traceroute") {
            if line.contains(": Warning") || line.contains(": using") {
                continue;
            }
            traceroute_head(&mut row, line)?;
            continue;
        }
        let mut cells = words(line);
        // Further addresses of a hop stand on lines without its number.
        if let Some(number) = cells.first().and_then(|word| int(word)) {
            cells.remove(0);
            hops.push((number, Vec::new()));
        }
        let measured = cells.iter().any(|cell| matches!(*cell, "*" | "ms"));
        measured.then_some(())?;
        probes(&mut hops.last_mut()?.1, &cells)?;
    }
    if hops.is_empty() {
        return None;
    }
    let hops: Vec<Value> = hops
        .into_iter()
        .map(|(hop, probes)| row! { "hop" => hop, "probes" => probes }.into())
        .collect();
    put(&mut row, "hops", hops);
    Some(vec![row])
}

/// `traceroute to name (ip), 30 hops max, 60 byte packets`.
fn traceroute_head(row: &mut Row, line: &str) -> Option<()> {
    let (_, rest) = line.split_once(" to ")?;
    put(row, "destination_name", rest.split([' ', ',']).next());
    put(row, "destination_ip", between(rest, "(", ")"));
    for part in rest.split(", ") {
        if let Some(hops) = part.split_once(" hops max") {
            put(row, "max_hops", int(hops.0.trim()));
        } else if let Some(bytes) = part.split_once(" byte packets") {
            put(row, "data_bytes", int(bytes.0.trim()));
        }
    }
    Some(())
}

fn probes(out: &mut Vec<Value>, cells: &[&str]) -> Option<()> {
    let (mut name, mut ip, mut asn) = (None::<&str>, None::<&str>, None::<i64>);
    let mut index = 0;
    while let Some(cell) = cells.get(index) {
        index += 1;
        if matches!(*cell, "*" | "[*]") {
            continue;
        }
        if let Some(inner) = cell.strip_prefix("[AS") {
            asn = int(inner.trim_end_matches(']').split('/').next()?);
        } else if let Some(inner) = cell.strip_prefix('(') {
            ip = Some(inner.trim_end_matches(')'));
        } else if cell.starts_with('!') {
            if let Some(Value::Object(last)) = out.last_mut() {
                put(last, "annotation", *cell);
            }
        } else if cells.get(index) == Some(&"ms") {
            index += 1;
            out.push(row! { "annotation" => None::<&str>, "asn" => asn, "ip" => ip, "name" => name, "rtt" => float(cell)? }.into());
        } else {
            let numeric = cell.contains(':') || cell.split('.').all(|part| int(part).is_some());
            let named = cells.get(index).is_some_and(|next| next.starts_with('('));
            name = (!numeric || named).then_some(*cell);
            ip = numeric.then_some(*cell);
        }
    }
    Some(())
}

/// The heads of answers of HTTP, one row for each.
fn http_head(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut headers = Row::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("HTTP/") {
            let mut parts = rest.splitn(3, ' ');
            let version = parts.next()?;
            let status = int(parts.next()?)?;
            if let Some(row) = rows.last_mut() {
                put(row, "headers", std::mem::take(&mut headers));
            }
            let reason = parts
                .next()
                .map(str::trim)
                .filter(|reason| !reason.is_empty());
            rows.push(row! { "version" => format!("HTTP/{version}"), "status" => status, "reason" => reason });
            continue;
        }
        if line.trim().is_empty() {
            continue;
        }
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| !name.is_empty() && !name.contains(' '))?;
        rows.last()?;
        header(&mut headers, &name.to_ascii_lowercase(), value.trim());
    }
    put(rows.last_mut()?, "headers", headers);
    Some(rows)
}

fn header(headers: &mut Row, name: &str, value: &str) {
    match headers.get_mut(name) {
        None => put(headers, name, value),
        Some(Value::Array(values)) => values.push(value.into()),
        Some(before) => *before = Value::from(vec![before.take(), value.into()]),
    }
}
