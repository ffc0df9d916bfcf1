//! Forms that explain themselves: JSON, CSV, pairs of names and values, aligned tables.

use serde_json::Value;

use super::Row;
use super::call::Call;
use super::cells::{auto, key};
use super::known::Parser;
use super::table::{Columns, MAX_COLUMNS, cells_apart};

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "json",
        wants: |_| true,
        read: json,
    },
    Parser {
        name: "ndjson",
        wants: |_| true,
        read: ndjson,
    },
    Parser {
        name: "csv",
        wants: |_| true,
        read: csv,
    },
    Parser {
        name: "yaml",
        wants: |_| true,
        read: yaml,
    },
    Parser {
        name: "key_value",
        wants: |call| !call.filtered,
        read: key_value,
    },
    Parser {
        name: "table",
        wants: |_| true,
        read: table,
    },
];

/// A list of objects, the list in an object that holds one (`items` of a cluster), or an object.
fn json(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let first = lines
        .iter()
        .find(|line| !line.trim().is_empty())?
        .trim_start();
    first.starts_with(['{', '[']).then_some(())?;
    match serde_json::from_str(&lines.join("\n")).ok()? {
        Value::Array(values) => Some(values.into_iter().map(object).collect()),
        Value::Object(mut object) => match object.get_mut("items") {
            Some(Value::Array(items)) if object_has_kind(items) => {
                let items = std::mem::take(items);
                Some(items.into_iter().map(self::object).collect())
            }
            _ => Some(vec![object]),
        },
        _ => None,
    }
}

fn object_has_kind(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(Value::is_object)
}

fn object(value: Value) -> Row {
    match value {
        Value::Object(object) => object,
        other => [("value".to_owned(), other)].into_iter().collect(),
    }
}

fn ndjson(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            line.trim_start().starts_with('{').then_some(())?;
            serde_json::from_str::<Row>(line).ok()
        })
        .collect()
}

/// Values with a header, parted by the same mark on each line.
fn csv(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let named = call
        .file()
        .is_some_and(|file| file.ends_with(".csv") || file.ends_with(".tsv"));
    csv_rows(lines, named)
}

/// The rows of values parted by commas, tabs, semicolons or bars.
///
/// Prose has commas too: unless the name of the file says what it is, there must be two lines
/// below a header of plain names, and no cell may begin with a blank.
pub(crate) fn csv_rows(lines: &[&str], named: bool) -> Option<Vec<Row>> {
    let lines: Vec<&str> = lines
        .iter()
        .copied()
        .skip_while(|line| line.trim().is_empty())
        .collect();
    let mark = ['\t', ',', ';', '|']
        .into_iter()
        .find(|mark| plausible(&lines, *mark, named))?;
    let mut records = records(&lines, mark)?.into_iter();
    let header = records.next()?;
    // More than this is no table that anybody reads, and names are compared with each other.
    (header.len() <= MAX_COLUMNS).then_some(())?;
    let unique = header
        .iter()
        .enumerate()
        .all(|(at, name)| !header.iter().skip(at + 1).any(|other| other == name));
    unique.then_some(())?;
    let rows: Option<Vec<Row>> = records
        .map(|record| {
            (record.len() == header.len()).then(|| {
                header
                    .iter()
                    .cloned()
                    .zip(record.iter().map(|cell| auto(cell)))
                    .collect()
            })
        })
        .collect();
    rows.filter(|rows| !rows.is_empty())
}

fn plausible(lines: &[&str], mark: char, named: bool) -> bool {
    let Some((header, body)) = lines.split_first() else {
        return false;
    };
    let names: Vec<&str> = header
        .split(mark)
        .map(|name| name.trim_matches('"'))
        .collect();
    if names.len() < 2 || body.is_empty() {
        return false;
    }
    if named {
        return true;
    }
    let plain = names.iter().all(|name| {
        !name.is_empty()
            && name.len() <= 40
            && !name.starts_with(' ')
            && name.split(' ').count() <= 4
            && super::cells::float(name).is_none()
            && name.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '%'))
            && !name.contains(['(', '{', '=', '.', ':', '<', '>'])
    });
    let spaced = mark == ','
        && body
            .iter()
            .any(|line| line.contains(", ") && !line.contains('"'));
    plain && !spaced && body.len() >= 2
}

/// Cells of each record; a quoted cell may hold the mark, quotes and line ends.
fn records(lines: &[&str], mark: char) -> Option<Vec<Vec<String>>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    let mut record: Vec<String> = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    for line in lines {
        if line.is_empty() && !quoted && record.is_empty() {
            continue;
        }
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    cell.push('"');
                }
                '"' if quoted => quoted = false,
                '"' if cell.trim().is_empty() => {
                    cell.clear();
                    quoted = true;
                }
                c if c == mark && !quoted => record.push(std::mem::take(&mut cell)),
                c => cell.push(c),
            }
        }
        if quoted {
            cell.push('\n');
            continue;
        }
        record.push(std::mem::take(&mut cell));
        out.push(
            std::mem::take(&mut record)
                .into_iter()
                .map(|cell| cell.trim().to_owned())
                .collect(),
        );
    }
    (!quoted).then_some(out)
}

/// Blocks of YAML with maps, lists and plain values; what goes beyond that gives no rows.
fn yaml(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let named = call
        .file()
        .is_some_and(|file| file.ends_with(".yaml") || file.ends_with(".yml"));
    let asked = call.args.iter().any(|arg| {
        matches!(
            arg.as_str(),
            "yaml" | "-oyaml" | "--output=yaml" | "-o=yaml"
        )
    });
    let opened = lines
        .iter()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .is_some_and(|line| *line == "---");
    (named || asked || opened).then_some(())?;
    super::yaml::documents(lines)
}

/// `name: value` or `name=value` on every line, as one row.
fn key_value(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut row = Row::new();
    let lines: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mark = pair(lines.first()?)?.2;
    for line in &lines {
        let (name, value, this) = pair(line)?;
        if this != mark || row.insert(key(name), auto(value)).is_some() {
            return None;
        }
    }
    (row.len() >= 2).then(|| vec![row])
}

/// Name, value and the mark between them, when a line is such a pair.
pub(crate) fn pair(line: &str) -> Option<(&str, &str, char)> {
    let text = line.trim();
    let at = text.find([':', '='])?;
    let mark = text.get(at..)?.chars().next()?;
    let (name, value) = (text.get(..at)?.trim(), text.get(at + 1..)?);
    let plain = !name.is_empty()
        && name.len() <= 40
        && name.split_whitespace().count() <= 4
        && !name.contains("  ")
        && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || " _-./()%#+".contains(c));
    let parted = mark == '=' || value.is_empty() || value.starts_with([' ', '\t']);
    let code =
        value.starts_with("//") || value.trim_end().ends_with(['{', ';']) || value.starts_with('=');
    (plain && parted && !code).then(|| (name, value.trim(), mark))
}

/// A header in capitals, or columns that begin where it says on every line.
fn table(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let lines: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let (header, body) = lines.split_first()?;
    // Databases draw a box around the table.
    if header.starts_with("+-") && header.ends_with("-+") {
        let (header, body) = body.split_first()?;
        return barred(header, body);
    }
    let divided = header.contains(" | ") && body.first().is_some_and(|line| line.contains("-+-"));
    if body.is_empty() || header.starts_with([' ', '\t']) && !divided {
        return None;
    }
    let capitals = header.chars().filter(|c| c.is_alphabetic()).count() >= 3
        && !header.chars().any(char::is_lowercase);
    // A rule below the header says that it is one.
    let ruled = body.first().is_some_and(|line| {
        line.contains("--")
            && line
                .chars()
                .all(|c| matches!(c, '-' | ' ' | '+' | '|' | '='))
    });
    let body = if ruled { body.get(1..)? } else { body };
    if !capitals && !ruled || body.is_empty() {
        return None;
    }
    if header.contains('|') {
        return barred(header, body);
    }
    wide(header, body).or_else(|| if capitals { narrow(header, body) } else { None })
}

/// ` name | size ` of databases.
fn barred(header: &str, body: &[&str]) -> Option<Vec<Row>> {
    let cells = |line: &str| -> Vec<String> {
        line.trim()
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let names: Vec<String> = cells(header).iter().map(|name| key(name)).collect();
    body.iter()
        .filter(|line| !line.starts_with('(') && !line.starts_with('+'))
        .map(|line| {
            let cells = cells(line);
            (cells.len() == names.len()).then(|| {
                names
                    .iter()
                    .cloned()
                    .zip(cells.iter().map(|cell| auto(cell)))
                    .collect()
            })
        })
        .collect()
}

/// Columns two blanks apart, cut by position.
fn wide(header: &str, body: &[&str]) -> Option<Vec<Row>> {
    let columns = Columns::read(header, 2)?;
    if columns.keys.len() < 2 {
        return None;
    }
    body.iter()
        .map(|line| {
            let cells = columns.left_aligned(line)?;
            // Cells that hold wide gaps show that the columns are others.
            let whole = cells.iter().all(|cell| cells_apart(cell, 3).count() <= 1);
            (whole && !cells.first()?.is_empty()).then(|| columns.row(&cells))
        })
        .collect()
}

/// As many words on every line as the header has.
fn narrow(header: &str, body: &[&str]) -> Option<Vec<Row>> {
    let names: Vec<String> = header.split_whitespace().map(key).collect();
    if names.len() < 2 {
        return None;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let same = body
        .iter()
        .all(|line| line.split_whitespace().count() == names.len());
    same.then(|| super::table::by_words(&names, body)).flatten()
}
