//! Files one by one: `stat`, `find`, `du`, `wc`, `file`, checksums.

use super::Row;
use super::calendar::iso;
use super::call::Call;
use super::cells::{between, fields, given, int, put, row, size, word_after, words};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "stat",
        wants: |call| call.is(&["stat"]),
        read: stat,
    },
    Parser {
        name: "find",
        wants: |call| call.is(&["find"]),
        read: find,
    },
    Parser {
        name: "du",
        wants: |call| call.is(&["du"]),
        read: du,
    },
    Parser {
        name: "wc",
        wants: |call| call.is(&["wc"]),
        read: wc,
    },
    Parser {
        name: "file",
        wants: |call| call.is(&["file"]),
        read: file,
    },
    Parser {
        name: "checksums",
        wants: |call| call.is(HASHES),
        read: hashes,
    },
    Parser {
        name: "cksum",
        wants: |call| call.is(&["cksum", "sum"]),
        read: cksum,
    },
    Parser {
        name: "uniq_counts",
        wants: |call| call.is(&["uniq"]) && call.short('c'),
        read: counts,
    },
    Parser {
        name: "ls_attributes",
        wants: |call| call.is(&["lsattr"]),
        read: attributes,
    },
];

const HASHES: &[&str] = &[
    "md5sum",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "b2sum",
    "b3sum",
    "md5",
    "shasum",
];

/// `stat` of GNU: blocks that begin with `File:`.
fn stat(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('c') || call.short('t') || call.short('f') {
        return None;
    }
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        if let Some(name) = text.strip_prefix("File: ") {
            rows.push(Row::new());
            name_and_link(rows.last_mut()?, name);
            continue;
        }
        let row = rows.last_mut()?;
        let (label, value) = text.split_once(':')?;
        match label {
            "Size" => stat_size(row, text)?,
            "Device" => stat_device(row, text)?,
            "Access" if value.trim_start().starts_with('(') => stat_rights(row, text)?,
            "Access" | "Modify" | "Change" | "Birth" => {
                let name = format!("{}_time", label.to_ascii_lowercase());
                let value = given(value.trim());
                if let Some(epoch) = value.and_then(iso) {
                    put(row, &format!("{name}_epoch"), epoch);
                }
                put(row, &name, value);
            }
            "Context" => put(row, "context", value.trim()),
            _ => return None,
        }
    }
    Some(rows)
}

fn name_and_link(row: &mut Row, text: &str) {
    let bare = |text: &str| {
        let quotes = ['\'', '"', '‘', '’', '`'];
        text.trim_matches(quotes).to_owned()
    };
    match text.split_once(" -> ") {
        Some((name, target)) => {
            put(row, "file", bare(name));
            put(row, "link_to", bare(target));
        }
        None => put(row, "file", bare(text)),
    }
}

fn stat_size(row: &mut Row, text: &str) -> Option<()> {
    put(row, "size", int(word_after(text, "Size: ")?)?);
    put(row, "blocks", int(word_after(text, "Blocks: ")?)?);
    let (_, rest) = text.split_once("IO Block: ")?;
    let (block, kind) = rest.split_once(' ').unwrap_or((rest, ""));
    put(row, "io_blocks", int(block)?);
    put(row, "type", given(kind.trim()));
    Some(())
}

fn stat_device(row: &mut Row, text: &str) -> Option<()> {
    put(row, "device", word_after(text, "Device: ")?);
    put(row, "inode", int(word_after(text, "Inode: ")?)?);
    put(row, "links", int(word_after(text, "Links: ")?)?);
    if let Some(kind) = word_after(text, "Device type: ") {
        put(row, "device_type", kind);
    }
    Some(())
}

fn stat_rights(row: &mut Row, text: &str) -> Option<()> {
    let (access, flags) = between(text, "(", ")")?.split_once('/')?;
    let (uid, user) = between(text, "Uid: (", ")")?.split_once('/')?;
    let (gid, group) = between(text, "Gid: (", ")")?.split_once('/')?;
    put(row, "access", access.trim());
    put(row, "flags", flags.trim());
    put(row, "uid", int(uid.trim())?);
    put(row, "user", user.trim());
    put(row, "gid", int(gid.trim())?);
    put(row, "group", group.trim());
    Some(())
}

/// Places of a search that are compared with each path.
const PLACES: usize = 64;

/// Paths of `find`; each begins with one of the places that were searched.
fn find(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let prints = [
        "-printf", "-ls", "-exec", "-print0", "-fprint", "-execdir", "-fls",
    ];
    if prints.iter().any(|option| call.has(option)) {
        return None;
    }
    let starts: Vec<&str> = call
        .args
        .iter()
        .map(String::as_str)
        .skip_while(|arg| matches!(*arg, "-L" | "-H" | "-P"))
        .take(PLACES)
        .take_while(|arg| !arg.starts_with('-') && !matches!(*arg, "(" | "!" | "\\("))
        .collect();
    let known = |line: &str| {
        if starts.is_empty() {
            return line == "." || line.starts_with("./");
        }
        starts.iter().any(|start| {
            // What the shell puts for these is not in the text.
            start.contains(['$', '*', '?', '`', '~', '{'])
                || line
                    .strip_prefix(start.trim_end_matches('/'))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    lines
        .iter()
        .map(|line| {
            let (dir, name) = line.rsplit_once('/').unwrap_or(("", line));
            (known(line)).then(
                || row! { "path" => dir_or_root(line, dir), "node" => name, "full_path" => *line },
            )
        })
        .collect()
}

fn dir_or_root<'a>(line: &str, dir: &'a str) -> Option<&'a str> {
    if dir.is_empty() {
        return line.starts_with('/').then_some("/");
    }
    Some(dir)
}

/// `du`: the number as printed, and in bytes where the unit is known.
fn du(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let unit = if call.short('b') || call.has("--bytes") {
        Some(1)
    } else if call.short('m') {
        Some(1 << 20)
    } else if call.has("-B")
        || call.has("--block-size")
        || call.has("--inodes")
        || call.short('0')
        || call.has("--time")
    {
        None
    } else {
        Some(1024)
    };
    lines
        .iter()
        .map(|line| {
            let (number, name) = line
                .split_once('\t')
                .or_else(|| line.trim_start().split_once("  "))?;
            let number = number.trim();
            let value = size(number)?;
            let bare = number.bytes().all(|b| b.is_ascii_digit());
            let bytes = if bare {
                unit.map(|unit| value.saturating_mul(unit))
            } else {
                Some(value)
            };
            Some(row! { "size" => value, "size_bytes" => bytes, "name" => name.trim_start() })
        })
        .collect()
}

/// `wc`: which counts are printed is what the options say, in the order that it prints them.
fn wc(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let asked = |letter, long| call.short(letter) || call.has(long);
    let mut names: Vec<&str> = [
        (asked('l', "--lines"), "lines"),
        (asked('w', "--words"), "words"),
        (asked('m', "--chars"), "characters"),
        (asked('c', "--bytes"), "bytes"),
        (asked('L', "--max-line-length"), "max_line_length"),
    ]
    .into_iter()
    .filter_map(|(given, name)| given.then_some(name))
    .collect();
    if names.is_empty() {
        names = vec!["lines", "words", "characters"];
    }
    lines
        .iter()
        .map(|line| {
            let cells = fields(line, names.len() + 1);
            let mut row = Row::new();
            for (index, name) in names.iter().enumerate() {
                put(&mut row, name, int(cells.get(index)?)?);
            }
            put(&mut row, "filename", cells.get(names.len()).copied());
            Some(row)
        })
        .collect()
}

fn file(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    if call.short('b') {
        return None;
    }
    let operands = call.operands();
    let listed = operands
        .iter()
        .all(|operand| !operand.contains(['*', '?', '[', '$', '{', '~']) && *operand != "-");
    // Names are padded, so that all kinds begin at the same place, behind the longest name.
    let begins = |line: &&str| line.find(": ").map(|at| at + 1 + blanks(line, at + 1));
    let place = lines.iter().filter_map(begins).max()?;
    lines
        .iter()
        .map(|line| {
            let padded = line
                .split_at_checked(place)
                .filter(|(name, _)| name.trim_end().ends_with(':'));
            let padded = padded.map(|(name, kind)| (name.trim_end().trim_end_matches(':'), kind));
            let (name, kind) = padded
                .or_else(|| line.split_once(": "))
                .or_else(|| line.split_once(":\t"))?;
            let kind = kind.trim();
            let asked = !listed
                || call.short('f')
                || call.args.is_empty()
                || operands.contains(&name.trim());
            (!kind.is_empty() && asked).then(|| row! { "filename" => name.trim(), "type" => kind })
        })
        .collect()
}

fn blanks(line: &str, at: usize) -> usize {
    line.get(at..)
        .map_or(0, |rest| rest.len() - rest.trim_start_matches(' ').len())
}

fn hashes(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            if let Some((name, hash)) = line.split_once(" = ") {
                // The form of BSD: `MD5 (name) = hash`.
                let name = between(name, "(", ")")?;
                return is_hash(hash)
                    .then(|| row! { "filename" => name, "mode" => "binary", "hash" => hash });
            }
            let (hash, name) = line.split_once(' ')?;
            let mode = match name.chars().next()? {
                '*' => "binary",
                ' ' => "text",
                '^' => "bits",
                'U' => "universal",
                _ => return None,
            };
            is_hash(hash).then(|| {
                row! { "hash" => hash, "mode" => mode, "filename" => name.get(1..) }
            })
        })
        .collect()
}

fn is_hash(text: &str) -> bool {
    text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn cksum(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let cells = fields(line, 3);
            let [sum, blocks, name @ ..] = cells.as_slice() else {
                return None;
            };
            Some(row! {
                "checksum" => int(sum)?, "blocks" => int(blocks)?, "filename" => name.first().copied(),
            })
        })
        .collect()
}

fn counts(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let (count, text) = line
                .trim_start()
                .split_once(' ')
                .unwrap_or((line.trim(), ""));
            Some(row! { "count" => int(count)?, "line" => text })
        })
        .collect()
}

fn attributes(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .filter(|line| !line.trim().is_empty() && !line.ends_with(':'))
        .map(|line| {
            let cells = words(line);
            let [flags, rest @ ..] = cells.as_slice() else {
                return None;
            };
            let shape =
                flags.len() > 10 && flags.bytes().all(|b| b == b'-' || b.is_ascii_alphabetic());
            (shape && !rest.is_empty())
                .then(|| row! { "attributes" => *flags, "file" => rest.join(" ") })
        })
        .collect()
}
