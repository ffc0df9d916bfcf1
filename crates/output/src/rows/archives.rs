//! What is in an archive: `unzip -l`, `zipinfo`.

use super::Row;
use super::call::Call;
use super::cells::{between, fields, float, int, put, row, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "unzip_list",
        wants: |call| call.is(&["unzip"]) && (call.short('l') || call.short('v')),
        read: unzip,
    },
    Parser {
        name: "zipinfo",
        wants: |call| call.is(&["zipinfo"]) || call.is(&["unzip"]) && call.short('Z'),
        read: zipinfo,
    },
];

/// Lines between two rules; the columns are those of the header.
fn unzip(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let is_rule = |line: &&str| line.starts_with("---");
    let start = lines.iter().position(is_rule)?;
    let names: Vec<String> = words(lines.get(start.checked_sub(1)?)?)
        .into_iter()
        .map(super::cells::key)
        .collect();
    let body = lines.get(start + 1..)?;
    let end = body.iter().position(is_rule)?;
    let mut archive = None;
    if let Some(name) = lines.iter().find_map(|line| line.strip_prefix("Archive:")) {
        archive = Some(name.trim());
    }
    body.get(..end)?
        .iter()
        .map(|line| {
            let cells = fields(line, names.len());
            if cells.len() != names.len() {
                return None;
            }
            let mut row = row! { "archive" => archive };
            for (name, cell) in names.iter().zip(cells) {
                match name.as_str() {
                    "length" | "size" => put(&mut row, name, int(cell)?),
                    "cmpr" | "ratio" => put(
                        &mut row,
                        "percent_compressed",
                        float(cell.trim_end_matches('%'))?,
                    ),
                    name => put(&mut row, name, cell),
                }
            }
            Some(row)
        })
        .collect()
}

fn zipinfo(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        if let Some(name) = line.strip_prefix("Archive:") {
            rows.push(
                row! { "archive" => name.trim(), "files" => Vec::<serde_json::Value>::new() },
            );
        } else if line.starts_with("Zip file size:") {
            let row = rows.last_mut()?;
            let cells = words(line);
            put(row, "size", cells.get(3).and_then(|size| int(size))?);
            put(
                row,
                "size_unit",
                cells.get(4).map(|unit| unit.trim_end_matches(',')),
            );
            put(
                row,
                "number_entries",
                line.rsplit_once(": ")
                    .and_then(|(_, count)| int(count.trim()))?,
            );
        } else if line.contains(" bytes uncompressed, ") {
            let row = rows.last_mut()?;
            put(
                row,
                "number_files",
                words(line).first().and_then(|count| int(count))?,
            );
            put(
                row,
                "bytes_uncompressed",
                between(line, ", ", " bytes uncompressed").and_then(int)?,
            );
            put(
                row,
                "bytes_compressed",
                between(line, "uncompressed, ", " bytes compressed").and_then(int)?,
            );
            let percent = line
                .rsplit_once(":  ")
                .and_then(|(_, text)| float(text.trim().trim_end_matches('%')));
            put(row, "percent_compressed", percent);
        } else if line.contains(" archives were successfully processed") {
        } else {
            let cells = fields(line, 9);
            let [flags, version, system, size, kind, method, date, time, name] = cells.as_slice()
            else {
                return None;
            };
            let file = row! {
                "flags" => *flags, "zipversion" => *version, "zipunder" => *system, "filesize" => int(size)?, "type" => *kind,
                "method" => *method, "date" => *date, "time" => *time, "filename" => *name,
            };
            if let Some(serde_json::Value::Array(files)) = rows.last_mut()?.get_mut("files") {
                files.push(file.into());
            }
        }
    }
    Some(rows)
}
