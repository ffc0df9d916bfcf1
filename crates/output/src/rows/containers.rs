//! Containers and clusters: `docker …`, `kubectl get …`, `helm list`.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{between, given, int, percent, put, row, size_si, words};
use super::known::Parser;
use super::table::{Columns, cells_apart, left_aligned};

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "docker_ps",
        wants: |call| {
            docker(
                call,
                &["ps"],
                &[
                    ("container", "ls"),
                    ("container", "ps"),
                    ("container", "list"),
                ],
            )
        },
        read: docker_ps,
    },
    Parser {
        name: "docker_images",
        wants: |call| docker(call, &["images"], &[("image", "ls"), ("image", "list")]),
        read: docker_images,
    },
    Parser {
        name: "docker_stats",
        wants: |call| docker(call, &["stats"], &[("container", "stats")]),
        read: docker_stats,
    },
    Parser {
        name: "docker_list",
        wants: |call| {
            docker(
                call,
                &["history", "search", "top"],
                &[
                    ("network", "ls"),
                    ("volume", "ls"),
                    ("context", "ls"),
                    ("service", "ls"),
                    ("node", "ls"),
                    ("stack", "ls"),
                    ("system", "df"),
                    ("compose", "ps"),
                    ("compose", "ls"),
                    ("image", "history"),
                    ("buildx", "ls"),
                    ("network", "list"),
                    ("volume", "list"),
                ],
            )
        },
        read: docker_list,
    },
    Parser {
        name: "docker_list",
        wants: |call| call.is(&["docker-compose"]) && call.sub() == "ps",
        read: docker_list,
    },
    Parser {
        name: "kubectl_get",
        wants: |call| {
            call.is(&["kubectl"]) && matches!(call.sub(), "get" | "top" | "api-resources")
        },
        read: kubectl,
    },
    Parser {
        name: "kubectl_config",
        wants: |call| call.is(&["kubectl"]) && call.sub() == "config",
        read: kubectl,
    },
    Parser {
        name: "helm_list",
        wants: |call| {
            call.is(&["helm"])
                && matches!(call.sub(), "list" | "ls" | "search" | "repo" | "history")
        },
        read: helm,
    },
];

fn docker(call: &Call, subs: &[&str], pairs: &[(&str, &str)]) -> bool {
    let (sub, sub_sub) = (call.sub(), call.sub_sub());
    call.is(&["docker"]) && (subs.contains(&sub) || pairs.contains(&(sub, sub_sub)))
}

/// Names in capitals, two blanks apart.
fn capitals(lines: &[&str]) -> Option<()> {
    let header = lines.first()?;
    let plain = header.chars().all(|c| !c.is_lowercase());
    (plain && header.starts_with(|c: char| c.is_ascii_uppercase())).then_some(())
}

/// Names, identifiers and versions are words, also when they look like numbers.
fn keep_text(rows: &mut [Row], lines: &[&str], names: &[&str]) {
    let Some(columns) = lines.first().and_then(|header| Columns::read(header, 2)) else {
        return;
    };
    let body = lines.iter().skip(1).filter(|line| !line.trim().is_empty());
    for (row, line) in rows.iter_mut().zip(body) {
        let cells = columns
            .left_aligned(line)
            .unwrap_or_else(|| cells_apart(line, 2).map(|(_, cell)| cell).collect());
        for (key, cell) in columns.keys.iter().zip(cells) {
            if names.contains(&key.as_str()) {
                put(row, key, given(cell));
            }
        }
    }
}

const WORDS: &[&str] = &[
    "container_id",
    "image_id",
    "image",
    "id",
    "names",
    "name",
    "network_id",
    "tag",
    "repository",
    "version",
    "namespace",
    "revision",
];

fn table(lines: &[&str]) -> Option<Vec<Row>> {
    capitals(lines)?;
    let mut rows = left_aligned(lines, 2)?;
    keep_text(&mut rows, lines, WORDS);
    Some(rows)
}

fn docker_ps(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('q') {
        return ids(lines);
    }
    let mut rows = table(lines)?;
    if !lines.first()?.starts_with("CONTAINER ID") {
        return None;
    }
    for row in &mut rows {
        unquote(row, "command");
        if let Some(ports) = row.get("ports") {
            let ports = split(ports, ", ");
            put(row, "ports", ports);
        }
        if let Some(names) = row.get("names").and_then(Value::as_str).map(str::to_owned) {
            put(row, "names", names);
        }
        if let Some(size) = row
            .get("size")
            .and_then(Value::as_str)
            .and_then(|text| size_si(text.split(' ').next()?))
        {
            put(row, "size_bytes", size);
        }
    }
    Some(rows)
}

fn ids(lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let hex = line.trim_start_matches("sha256:");
            (hex.len() >= 12 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| row! { "id" => *line })
        })
        .collect()
}

fn split(value: &Value, separator: &str) -> Vec<String> {
    let text = value.as_str().unwrap_or_default();
    text.split(separator)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn unquote(row: &mut Row, name: &str) {
    if let Some(text) = row.get(name).and_then(Value::as_str) {
        let text = text.trim_matches('"').to_owned();
        put(row, name, text);
    }
}

fn docker_images(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('q') {
        return ids(lines);
    }
    let header = lines.first()?;
    (header.starts_with("REPOSITORY") || header.starts_with("IMAGE")).then_some(())?;
    let mut rows = table(lines)?;
    for row in &mut rows {
        // `<none>` says that there is none.
        for name in ["repository", "tag", "digest"] {
            if row.get(name).is_some_and(|value| value == "<none>") {
                put(row, name, Value::Null);
            }
        }
        for name in ["size", "disk_usage", "content_size"] {
            if let Some(bytes) = row.get(name).and_then(Value::as_str).and_then(size_si) {
                put(row, &format!("{name}_bytes"), bytes);
            }
        }
    }
    Some(rows)
}

fn docker_stats(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    capitals(lines)?;
    lines.first()?.contains("CPU %").then_some(())?;
    // The names of the columns hold blanks around a bar, so they are cut by position.
    let rows = left_aligned(lines, 2)?;
    rows.into_iter()
        .map(|row| {
            let mut out = Row::new();
            for (name, value) in row {
                let text = value.as_str().map(str::to_owned);
                match (name.as_str(), text.as_deref()) {
                    ("cpu_percent" | "mem_percent", Some(text)) => {
                        put(&mut out, &name, percent(text)?);
                    }
                    ("mem_usage_limit" | "net_i_o" | "block_i_o", Some(text)) => {
                        let (first, second) = text.split_once(" / ")?;
                        let (one, two) = match name.as_str() {
                            "mem_usage_limit" => ("mem_usage_bytes", "mem_limit_bytes"),
                            "net_i_o" => ("net_in_bytes", "net_out_bytes"),
                            _ => ("block_in_bytes", "block_out_bytes"),
                        };
                        put(&mut out, one, size_si(first)?);
                        put(&mut out, two, size_si(second)?);
                    }
                    _ => put(&mut out, &name, value),
                }
            }
            Some(out)
        })
        .collect()
}

fn docker_list(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('q') {
        return lines
            .iter()
            .map(|line| (!line.contains(' ')).then(|| row! { "name" => *line }))
            .collect();
    }
    let first = cells_apart(lines.first()?, 2)
        .next()
        .map(|(_, name)| name)?;
    const FIRST: &[&str] = &[
        "NETWORK ID",
        "DRIVER",
        "NAME",
        "ID",
        "TYPE",
        "IMAGE",
        "UID",
        "SERVICE",
        "NAME/NODE",
        "PID",
    ];
    FIRST.contains(&first).then_some(())?;
    table(lines)
}

fn kubectl(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if lines
        .iter()
        .any(|line| line.starts_with("No resources found"))
    {
        return None;
    }
    if call
        .args
        .iter()
        .any(|arg| arg == "name" || arg == "-oname" || arg.ends_with("=name"))
    {
        return lines
            .iter()
            .map(|line| {
                let (kind, name) = line.split_once('/')?;
                (!line.contains(' ')).then(|| row! { "kind" => kind, "name" => name })
            })
            .collect();
    }
    if call.has("--no-headers") || call.filtered && capitals(lines).is_none() {
        return None;
    }
    let header = lines.first()?;
    let known = ["NAME", "LAST SEEN", "CURRENT", "POD"]
        .iter()
        .any(|name| header.starts_with(name));
    // No other program has these; docker's tables are told apart by their identifiers.
    let custom = call.args.iter().any(|arg| arg.contains("custom-columns"));
    let foreign = [
        "NETWORK ID",
        "CONTAINER ID",
        "MAJ:MIN",
        "DRIVER",
        "FROM",
        "LINE",
        "CHART",
    ]
    .iter()
    .any(|name| header.contains(name));
    (known && !foreign || custom).then_some(())?;
    // Several kinds are parted by an empty line, each with a header of its own.
    let mut rows = Vec::new();
    for block in lines
        .split(|line| line.trim().is_empty())
        .filter(|block| !block.is_empty())
    {
        rows.extend(kubectl_block(block)?);
    }
    Some(rows)
}

fn kubectl_block(lines: &[&str]) -> Option<Vec<Row>> {
    capitals(lines)?;
    let mut rows = left_aligned(lines, 2)?;
    keep_text(&mut rows, lines, WORDS);
    for row in &mut rows {
        if let Some(name) = row.get("name").and_then(Value::as_str).map(str::to_owned)
            && let Some((kind, rest)) = name.split_once('/')
        {
            put(row, "kind", kind);
            put(row, "name", rest);
        }
        for value in row.values_mut() {
            if matches!(value.as_str(), Some("<none>" | "<unset>")) {
                *value = Value::Null;
            }
        }
        ready(row);
        restarts(row);
        for name in ["age", "last_seen", "duration"] {
            if let Some(seconds) = row.get(name).and_then(Value::as_str).and_then(age_seconds) {
                put(row, &format!("{name}_seconds"), seconds);
            }
        }
        for name in ["cpu_cores", "memory_bytes"] {
            if let Some(text) = row.get(name).and_then(Value::as_str).map(str::to_owned) {
                put(
                    row,
                    name,
                    quantity(&text).map_or(Value::from(text), Value::from),
                );
            }
        }
    }
    Some(rows)
}

/// `1/2` as two numbers beside it.
fn ready(row: &mut Row) {
    let Some((have, want)) = row
        .get("ready")
        .and_then(Value::as_str)
        .and_then(|text| text.split_once('/'))
    else {
        return;
    };
    if let (Some(have), Some(want)) = (int(have), int(want)) {
        put(row, "ready_count", have);
        put(row, "ready_total", want);
    }
}

/// `3 (5m ago)`.
fn restarts(row: &mut Row) {
    let Some(text) = row
        .get("restarts")
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        return;
    };
    if let Some(count) = words(&text).first().and_then(|word| int(word)) {
        put(row, "restarts", count);
        if let Some(ago) = between(&text, "(", " ago)") {
            put(row, "last_restart", ago);
        }
    }
}

/// `5d3h` and `12m` in seconds.
fn age_seconds(text: &str) -> Option<i64> {
    let (mut total, mut number) = (0_i64, String::new());
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'y' => 31_536_000,
            _ => return None,
        };
        total = total.checked_add(int(&number)?.checked_mul(unit)?)?;
        number.clear();
    }
    number.is_empty().then_some(total)
}

/// `250m` of a core as .25, `128Mi` in bytes.
fn quantity(text: &str) -> Option<f64> {
    if let Some(thousandths) = text.strip_suffix('m') {
        return int(thousandths).map(|count| count as f64 / 1000.0);
    }
    size_si(text).map(|bytes| bytes as f64)
}

fn helm(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    capitals(lines)?;
    let header = lines.first()?;
    let known = ["CHART", "REVISION", "URL"]
        .iter()
        .any(|name| header.contains(name));
    known.then_some(())?;
    // Cells are padded with blanks and parted by a tab.
    let cells = |line: &&str| -> Vec<String> {
        line.split('\t')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let (header, body) = lines.split_first()?;
    let names: Vec<String> = cells(header)
        .iter()
        .map(|name| super::cells::key(name))
        .collect();
    if names.len() < 2 {
        return table(lines);
    }
    body.iter()
        .map(|line| {
            let cells = cells(line);
            (cells.len() == names.len()).then(|| {
                names
                    .iter()
                    .zip(cells)
                    .map(|(name, cell)| {
                        let value = if name == "revision" {
                            int(&cell).into()
                        } else {
                            given(&cell).into()
                        };
                        (name.clone(), value)
                    })
                    .collect()
            })
        })
        .collect()
}
