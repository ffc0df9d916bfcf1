//! Listings of files: `ls`, `find -ls`, `tar -tv`.

use super::Row;
use super::calendar::{iso, month_number};
use super::call::Call;
use super::cells::{int, put, row, size};
use super::known::Parser;

pub(super) const PARSERS: &[Parser] = &[
    Parser {
        name: "ls",
        wants: |call| call.is(&["ls", "dir", "vdir", "ll"]),
        read: ls,
    },
    Parser {
        name: "find_ls",
        wants: |call| call.is(&["find"]) && call.has("-ls"),
        read: find_ls,
    },
    Parser {
        name: "tree",
        wants: |call| {
            call.is(&["tree"])
                && !call.short('p')
                && !call.short('s')
                && !call.short('J')
                && !call.short('X')
        },
        read: tree,
    },
    Parser {
        name: "tar",
        wants: |call| call.is(&["tar", "bsdtar", "gtar"]),
        read: tar,
    },
];

fn ls(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let long = call.is(&["ll", "vdir"])
        || ['l', 'g', 'o', 'n'].iter().any(|flag| call.short(*flag))
        || call.has("--full-time")
        || call.has("--format=long");
    if call.short('C') || call.short('x') || call.short('m') || call.short('Z') {
        return None;
    }
    let several = call.short('R')
        || call.has("--recursive")
        || call.operands().len() > 1
        || call
            .operands()
            .iter()
            .any(|operand| operand.contains(['*', '?', '[', '{']));
    let mut rows = Vec::new();
    let mut parent: Option<&str> = None;
    let mut fresh = true;
    for line in lines {
        if line.is_empty() {
            fresh = true;
            continue;
        }
        let total = line
            .strip_prefix("total ")
            .is_some_and(|rest| size(rest).is_some());
        if total {
            fresh = false;
            continue;
        }
        let heading = line.strip_suffix(':').filter(|_| several && fresh);
        if let Some(heading) = heading.filter(|heading| !long || long_line(call, heading).is_none())
        {
            parent = Some(heading);
            fresh = false;
            continue;
        }
        fresh = false;
        let mut row = if long {
            long_line(call, line)?
        } else {
            plain(call, line)?
        };
        if let Some(parent) = parent {
            put(&mut row, "parent", parent);
        }
        rows.push(row);
    }
    // Names of many words are possible, but a list of them is more likely prose.
    let wordy = |row: &&Row| {
        let name = row.get("filename").and_then(|name| name.as_str());
        name.is_some_and(|name| name.split(' ').count() > 3)
    };
    let prose = !long && rows.iter().filter(wordy).count() * 3 > rows.len();
    (!prose).then_some(rows)
}

fn plain(call: &Call, line: &str) -> Option<Row> {
    let mut rest = line;
    let mut row = Row::new();
    for (flag, name) in [('i', "inode"), ('s', "blocks")] {
        if call.short(flag) {
            let (number, tail) = rest.trim_start().split_once(' ')?;
            put(&mut row, name, size(number)?);
            rest = tail;
        }
    }
    if !is_name(rest)
        || rest.contains('\t')
        || rest.starts_with(' ')
        || rest.ends_with(' ') && !rest.ends_with("\\ ")
    {
        return None;
    }
    put(&mut row, "filename", rest);
    Some(row)
}

/// Whether a line may be a name. Names may hold nearly anything, but these are far more often
/// text than names.
pub(super) fn is_name(line: &str) -> bool {
    let texts = [": ", " = ", "\t", ", ", "  ", "://", "=\""];
    !texts.iter().any(|text| line.contains(text))
        && !line.ends_with(['{', '}', ';', ',', '>'])
        && !line.starts_with(['{', '}', '<', '-'])
}

/// A line of `ls -l`.
fn long_line(call: &Call, line: &str) -> Option<Row> {
    let mut walk = Walk(line);
    let mut row = Row::new();
    if call.short('i') {
        put(&mut row, "inode", int(walk.word()?)?);
    }
    if call.short('s') {
        put(&mut row, "blocks", size(walk.word()?)?);
    }
    put(&mut row, "flags", mode(walk.word()?)?);
    put(&mut row, "links", int(walk.word()?)?);
    if !call.short('g') {
        put(&mut row, "owner", walk.word()?);
    }
    if !call.short('o') && !call.short('G') && !call.has("--no-group") {
        put(&mut row, "group", walk.word()?);
    }
    size_and_rest(&mut walk, row)
}

fn find_ls(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    lines
        .iter()
        .map(|line| {
            let mut walk = Walk(line);
            let mut row = row! {
                "inode" => int(walk.word()?)?,
                "blocks" => int(walk.word()?)?,
                "flags" => mode(walk.word()?)?,
                "links" => int(walk.word()?)?,
                "owner" => walk.word()?,
                "group" => walk.word()?,
            };
            row = size_and_rest(&mut walk, row)?;
            if let Some(name) = row.remove("filename") {
                row.insert("path".to_owned(), name);
            }
            Some(row)
        })
        .collect()
}

/// Size or device numbers, time, name and where a link leads.
fn size_and_rest(walk: &mut Walk<'_>, mut row: Row) -> Option<Row> {
    let number = walk.word()?;
    if let Some(major) = number.strip_suffix(',') {
        put(&mut row, "major", int(major)?);
        put(&mut row, "minor", int(walk.word()?)?);
    } else if let Some((major, minor)) = number
        .split_once(',')
        .filter(|(_, minor)| int(minor).is_some())
    {
        put(&mut row, "major", int(major)?);
        put(&mut row, "minor", int(minor)?);
    } else {
        put(&mut row, "size", size(number)?);
    }
    let date = walk.date()?;
    if let Some(epoch) = iso(&date) {
        put(&mut row, "epoch", epoch);
    }
    put(&mut row, "date", date);
    let name = walk.rest()?;
    let link = row
        .get("flags")
        .and_then(|flags| flags.as_str())
        .is_some_and(|flags| flags.starts_with('l'));
    match name.split_once(" -> ").filter(|_| link) {
        Some((name, target)) => {
            put(&mut row, "filename", name);
            put(&mut row, "link_to", target);
        }
        None => put(&mut row, "filename", name),
    }
    Some(row)
}

/// `tree`: each name with how deep it stands.
fn tree(_: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    for (index, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let name = line.trim_start_matches(['│', '├', '└', '─', '|', '`', ' ', '\u{a0}']);
        let name = name.strip_prefix("-- ").unwrap_or(name);
        let marks = line.len() - name.len();
        let depth = line
            .get(..marks)
            .map_or(0, |marks| marks.chars().count() / 4);
        let counts = depth == 0
            && name.contains(" director")
            && name.starts_with(|c: char| c.is_ascii_digit());
        if counts {
            continue;
        }
        // Only the first line stands without a branch.
        if depth == 0 && index > 0 {
            return None;
        }
        let (name, target) = name
            .split_once(" -> ")
            .map_or((name, None), |(name, target)| (name, Some(target)));
        let mut row = row! { "filename" => name, "depth" => depth };
        if let Some(target) = target {
            put(&mut row, "link_to", target);
        }
        rows.push(row);
    }
    (rows.len() > 1).then_some(rows)
}

fn tar(call: &Call, lines: &[&str]) -> Option<Vec<Row>> {
    let lists =
        call.has("--list")
            || call.args.iter().take(2).any(|arg| {
                arg.contains('t') && (!arg.starts_with("--")) && !arg.contains(['.', '/'])
            });
    let verbose = call.has("--verbose")
        || call.short('v')
        || call
            .args
            .first()
            .is_some_and(|arg| arg.contains('v') && !arg.contains('.'));
    if !lists {
        return None;
    }
    if !verbose {
        return lines
            .iter()
            .map(|line| (!line.trim().is_empty()).then(|| row! { "path" => *line }))
            .collect();
    }
    lines.iter().map(|line| tar_line(line)).collect()
}

fn tar_line(line: &str) -> Option<Row> {
    let mut walk = Walk(line);
    let flags = mode(walk.word()?)?;
    let (owner, group) = walk.word()?.split_once('/')?;
    let mut row = row! { "flags" => flags, "owner" => owner, "group" => group };
    let number = walk.word()?;
    match number.split_once(',') {
        Some((major, minor)) => {
            put(&mut row, "major", int(major)?);
            put(&mut row, "minor", int(minor)?);
        }
        None => put(&mut row, "size", int(number)?),
    }
    put(&mut row, "date", walk.date()?);
    let name = walk.rest()?;
    let arrow = if flags.starts_with('h') {
        " link to "
    } else {
        " -> "
    };
    match name
        .split_once(arrow)
        .filter(|_| flags.starts_with(['l', 'h']))
    {
        Some((name, target)) => {
            put(&mut row, "path", name);
            put(&mut row, "link_to", target);
        }
        None => put(&mut row, "path", name),
    }
    Some(row)
}

/// `drwxr-xr-x`, with the marks for attributes and access lists behind it.
pub(super) fn mode(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let kind = bytes.first().is_some_and(|b| b"-dlbcpsDCMnPh?".contains(b));
    let rights = bytes
        .get(1..10)
        .is_some_and(|rights| rights.iter().all(|b| b"rwxsStTl-?".contains(b)));
    let tail = bytes
        .get(10..)
        .is_some_and(|tail| tail.iter().all(|b| b".+@".contains(b)) && tail.len() < 3);
    (kind && rights && tail).then_some(text)
}

/// Walks a line word by word.
struct Walk<'a>(&'a str);

impl<'a> Walk<'a> {
    fn word(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        let end = rest.find(' ').unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        self.0 = tail;
        (!word.is_empty()).then_some(word)
    }

    /// What is left behind one blank, which keeps blanks at the beginning of a name.
    fn rest(&mut self) -> Option<&'a str> {
        self.0.strip_prefix(' ').filter(|rest| !rest.is_empty())
    }

    /// `Jan  2 03:04`, `2 Jan 2024`, `2024-01-02 03:04`, `2024-01-02 03:04:05.678 +0100`.
    fn date(&mut self) -> Option<String> {
        let first = self.word()?;
        let second = self.word()?;
        if super::calendar::date_parts(first).is_some() {
            super::calendar::clock_seconds(second)?;
            let full = second.matches(':').count() == 2 && second.contains('.');
            return match full.then(|| self.word()).flatten() {
                Some(zone) => Some(format!("{first} {second} {zone}")),
                None => Some(format!("{first} {second}")),
            };
        }
        let (month, day) = if int(first).is_some() {
            (second, first)
        } else {
            (first, second)
        };
        month_number(month).filter(|_| month.len() == 3)?;
        int(day).filter(|day| (1..=31).contains(day))?;
        let third = self.word()?;
        let year_or_time = int(third).is_some_and(|year| year > 1900)
            || super::calendar::clock_seconds(third).is_some();
        year_or_time.then(|| format!("{first} {second} {third}"))
    }
}
